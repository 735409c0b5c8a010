//! `spin plugins uninstall NAME[@VERSION]…`.

use spin_plugin_manager::{PluginManager, Uninstalled};

use super::of_store;
use super::wanted::Held;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugins; without a version, all of its versions
    #[arg(value_name = "NAME[@VERSION]", required = true)]
    plugins: Vec<Held>,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let plugins = ctx.plugins()?;
    for held in &args.plugins {
        uninstall(&plugins, held, ctx).await?;
    }
    Ok(Exit::OK)
}

async fn uninstall(plugins: &PluginManager, held: &Held, ctx: &Context) -> Result<(), Report> {
    let Held { name, version } = held;
    let done = plugins.uninstall(name, version.as_ref(), &ctx.ui).await.map_err(of_store)?;
    let which = version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let Uninstalled { versions, active, public, .. } = done;
    if !versions.is_empty() {
        ctx.ui.result(&format!("Plugin '{name}'{which} was successfully uninstalled"));
    } else if let Some(public) = public {
        let message = format!("plugin '{name}' {public} was installed by the public spin, which owns it");
        return Err(Report::new(message)
            .code("plugin::owned-by-public-spin")
            .help("uninstall it with that spin; this one never changes what is not its own"));
    } else {
        ctx.ui.result(&format!("Plugin '{name}'{which} isn't present, so no changes were made"));
        return Ok(());
    }
    if let Some(active) = active {
        let owner = if public.as_ref() == Some(&active) { ", which the public spin has installed," } else { "" };
        ctx.ui.notice(&format!("Version {active}{owner} is used from now on"));
    }
    Ok(())
}
