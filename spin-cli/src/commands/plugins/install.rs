//! `spin plugins install NAME[@VERSION]…` and `spin plugins install --file PATH`.

use std::path::PathBuf;

use semver::VersionReq;
use spin_plugin_manager::{ActivateError, InstallError, InstallPlan, InstallRequest, PluginManager, What};

use super::of_store;
use super::wanted::{Wanted, requirement};
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
    /// The version, if one plugin is named without one
    #[arg(short, long, value_name = "VERSION", requires = "plugins", value_parser = requirement)]
    version: Option<VersionReq>,
    /// Install without asking
    #[arg(short, long)]
    yes: bool,
    /// Install even what says that it does not work with this version
    #[arg(long)]
    override_compatibility_check: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let plugins = ctx.plugins()?;
    let by_name = versioned(args.plugins, args.version)?;
    let by_name = by_name.into_iter().map(|Wanted { name, version }| What::ByName { name, version });
    let what: Vec<_> = by_name.chain(args.file.map(What::ManifestFile)).collect();
    let override_compatibility = args.override_compatibility_check;
    // All are looked up before the first is installed: a mistyped name should cost nothing.
    let mut plans = Vec::new();
    for what in what {
        plans.push(plugins.plan(&InstallRequest { what, override_compatibility }).map_err(report)?);
    }
    for plan in &plans {
        install(&plugins, plan, args.yes || ctx.auto_install, ctx).await?;
    }
    Ok(Exit::OK)
}

/// The plugins with what `--version` says, which is for one plugin.
pub(super) fn versioned(mut plugins: Vec<Wanted>, version: Option<VersionReq>) -> Result<Vec<Wanted>, Report> {
    match (version, &mut plugins[..]) {
        (None, _) => {}
        (Some(version), [Wanted { version: slot @ None, .. }]) => *slot = Some(version),
        (Some(_), _) => {
            let message = "--version is for one plugin that is named without a version";
            return Err(Report::usage(message).code("usage::version").help("write each with its own: NAME@VERSION"));
        }
    }
    Ok(plugins)
}

async fn install(plugins: &PluginManager, plan: &InstallPlan, agreed: bool, ctx: &Context) -> Result<(), Report> {
    let InstallPlan { name, version, .. } = plan;
    if plan.already {
        ctx.ui.result(&format!("Plugin '{name}' {version} is already installed"));
    } else {
        if !obtain::agree(plan, agreed, ctx).await? {
            ctx.ui.result(&format!("Plugin '{name}' will not be installed"));
            return Ok(());
        }
        obtain::install(plugins, plan, &ctx.ui).await.map_err(report)?;
        ctx.ui.result(&format!("Plugin '{name}' was installed successfully!"));
    }
    settle(plugins, plan, ctx).await
}

/// After an installation the higher version is used: the new one, or the one that was used before.
async fn settle(plugins: &PluginManager, plan: &InstallPlan, ctx: &Context) -> Result<(), Report> {
    let InstallPlan { name, version, .. } = plan;
    let installed = plugins.installed_of(name).map_err(of_store)?;
    match installed.iter().find(|held| held.active) {
        // One that does not fit is not used whatever is chosen.
        Some(active) if active.version < *version && plan.overridden.is_none() => {
            plugins.activate(name, version, &ctx.ui).await.map_err(not_activated)?;
        }
        Some(active) if active.version != *version => {
            let other = &active.version;
            ctx.ui.notice(&format!("Version {other} is installed too and stays the one that is used"));
        }
        _ => {}
    }
    Ok(())
}

pub(super) fn report(error: InstallError) -> Report {
    Report::of(&error).code(error.code())
}

pub(super) fn not_activated(error: ActivateError) -> Report {
    Report::of(&error).code(error.code())
}
