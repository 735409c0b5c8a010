//! `spin plugins install NAME[@VERSION]…` and `spin plugins install --file PATH`.

use std::path::PathBuf;
use std::str::FromStr;

use semver::{Version, VersionReq};
use spin_catalogue::PluginName;
use spin_plugin_manager::{InstallError, InstallPlan, InstallRequest, PluginManager, What, exactly};

use crate::context::Context;
use crate::obtain;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins, each with the version it shall have: trigger-http, trigger-http@0.1.0, trigger-http@^0.1
    #[arg(value_name = "NAME[@VERSION]", required_unless_present = "file", conflicts_with = "file")]
    plugins: Vec<Wanted>,
    /// The manifest file of a plugin that is in no catalogue
    #[arg(short, long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Install without asking
    #[arg(short, long)]
    yes: bool,
    /// Install even what says that it does not work with this version
    #[arg(long)]
    override_compatibility_check: bool,
}

/// A plugin as it is named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    name: PluginName,
    version: Option<VersionReq>,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let plugins = ctx.plugins()?;
    let by_name = args.plugins.into_iter().map(|Wanted { name, version }| What::ByName { name, version });
    let what: Vec<_> = by_name.chain(args.file.map(What::ManifestFile)).collect();
    let override_compatibility = args.override_compatibility_check;
    // All are looked up before the first is installed: a mistyped name should cost nothing.
    let plans = what
        .into_iter()
        .map(|what| plugins.plan(&InstallRequest { what, override_compatibility }))
        .collect::<Result<Vec<_>, _>>()
        .map_err(report)?;
    for plan in &plans {
        install(&plugins, plan, args.yes || ctx.auto_install, ctx).await?;
    }
    Ok(Exit::OK)
}

async fn install(plugins: &PluginManager, plan: &InstallPlan, agreed: bool, ctx: &Context) -> Result<(), Report> {
    let InstallPlan { name, version, .. } = plan;
    if plan.already {
        ctx.ui.result(&format!("Plugin '{name}' {version} is already installed"));
        return Ok(());
    }
    if let Some(reason) = &plan.overridden {
        ctx.ui.warning(&format!("plugin '{name}' {version} {reason}; it is installed because you asked for it"));
    }
    if !agreed {
        if !ctx.ui.can_ask() {
            return Err(Report::new(format!(
                "installing '{name}' needs your consent, and there is no terminal to ask on"
            ))
            .code("plugin::no-consent")
            .help(format!("if you agree to its license ({}), add --yes", obtain::one_line(&plan.license))));
        }
        ctx.ui.remark(&obtain::describe(plan));
        if !ctx.ui.confirm(&format!("Install plugin '{name}'?"), true).await {
            ctx.ui.result(&format!("Plugin '{name}' will not be installed"));
            return Ok(());
        }
    }
    obtain::install(plugins, plan, &ctx.ui).await.map_err(report)?;
    ctx.ui.result(&format!("Plugin '{name}' was installed successfully!"));
    if let Some(newer) = &plan.newer_installed {
        ctx.ui.notice(&format!("Version {newer} is installed too and stays the one that is used"));
    }
    Ok(())
}

fn report(error: InstallError) -> Report {
    Report::of(&error).code(error.code())
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let name = name.parse().map_err(|error: spin_catalogue::name::NameError| error.to_string())?;
        // A whole version means that one and no other; anything less is a range.
        let requirement = |text: &str| match text.parse::<Version>() {
            Ok(version) => Ok(exactly(&version)),
            Err(_) => text.parse::<VersionReq>().map_err(|error| format!("\"{text}\" is no version: {error}")),
        };
        Ok(Self { name, version: version.map(requirement).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_plugin_is_named_with_or_without_a_version() {
        let wanted = |text: &str| text.parse::<Wanted>().unwrap();
        assert_eq!(wanted("trigger-http").version, None);
        assert_eq!(wanted("trigger-http@1.2.3").version, Some("=1.2.3".parse().unwrap()));
        assert_eq!(wanted("trigger-http@1.2").version, Some("1.2".parse().unwrap()));
        for bad in ["../x", "", "x@", "x@one", "X"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }
}
