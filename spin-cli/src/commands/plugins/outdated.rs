//! `spin plugins outdated`: the installed plugins of which there are newer versions.

use spin_plugin_manager::Outdated;

use super::documents::{self, Hindered, OutdatedList, OutdatedPlugin};
use super::of_store;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let (outdated, unusable) = ctx.refreshed_plugins().await?.outdated().map_err(of_store)?;
    for unusable in &unusable {
        ctx.ui.warning(&unusable.to_string());
    }
    if args.json {
        let plugins = outdated.iter().map(document).collect();
        ctx.ui.result(&documents::print(&OutdatedList { schema: documents::SCHEMA, plugins }));
    } else if outdated.is_empty() {
        let all_known = unusable.is_empty();
        ctx.ui.result(if all_known { "All plugins are up to date" } else { "No newer versions are known" });
    } else {
        for plugin in &outdated {
            ctx.ui.result(&line(plugin));
        }
    }
    Ok(Exit::OK)
}

/// `name 1.0.0 -> 1.1.0`, and what is above it and does not fit.
fn line(plugin: &Outdated) -> String {
    let Outdated { name, version, newer, hindered, .. } = plugin;
    let newer = newer.as_ref().map(|(newer, _)| format!(" -> {newer}")).unwrap_or_default();
    let hindered = hindered.as_ref().map(|(above, reason)| format!(" [{above} {reason}]")).unwrap_or_default();
    format!("{name} {version}{newer}{hindered}")
}

fn document(plugin: &Outdated) -> OutdatedPlugin {
    let (newer, catalogue) = plugin.newer.clone().unzip();
    OutdatedPlugin {
        name: plugin.name.to_string(),
        version: plugin.version.to_string(),
        newer: newer.map(|newer| newer.to_string()),
        catalogue,
        hindered: plugin.hindered.as_ref().map(Hindered::new),
    }
}
