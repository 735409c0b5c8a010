//! `spin plugins install NAME[@VERSION]…`, or `--file PATH`, or `--url URL`.

use std::path::PathBuf;

use semver::VersionReq;
use spin_plugin_manager::{ActivateError, InstallError, InstallPlan, InstallRequest, PluginManager, Secret, What};
use url::Url;

use super::of_store;
use super::wanted::{Wanted, requirement};
use crate::context::Context;
use crate::obtain;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins, each with the version it shall have: trigger-http, trigger-http@0.1.0, trigger-http@^0.1
    #[arg(value_name = "NAME[@VERSION]", required_unless_present_any = ["file", "url"])]
    plugins: Vec<Wanted>,
    /// The manifest file of a plugin that is in no catalogue
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["plugins", "url"])]
    file: Option<PathBuf>,
    /// The version, if one plugin is named without one
    #[arg(short, long, value_name = "VERSION", requires = "plugins", value_parser = requirement)]
    version: Option<VersionReq>,
    /// The address of the manifest of a plugin that is in no catalogue
    #[arg(short, long, conflicts_with = "plugins")]
    url: Option<Url>,
    /// What the server of --url wants to see as `Authorization`; it is shown to that server only.
    /// Other users of this machine can see command lines: a credential in the configuration is safer
    #[arg(long, requires = "url", value_name = "VALUE")]
    auth_header_value: Option<String>,
    /// Install without asking
    #[arg(short, long)]
    yes: bool,
    /// Install even what says that it does not work with this version
    #[arg(long)]
    override_compatibility_check: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let Args { plugins: wanted, version, file, url, .. } = args;
    // Who names a manifest needs no catalogue.
    let plugins = if wanted.is_empty() { ctx.plugins()? } else { ctx.refreshed_plugins().await? };
    let by_name = versioned(wanted, version)?;
    let by_name = by_name.into_iter().map(|Wanted { name, version }| What::ByName { name, version });
    let authorization = args.auth_header_value.map(Secret::new);
    let by_url = url.map(|url| What::ManifestUrl { url, authorization });
    // All are looked up before the first is installed: a mistyped name should cost nothing.
    let mut plans = Vec::new();
    for what in by_name.chain(file.map(What::ManifestFile)).chain(by_url) {
        let request = InstallRequest { what, override_compatibility: args.override_compatibility_check };
        plans.push(plugins.plan(&request).await.map_err(report)?);
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
