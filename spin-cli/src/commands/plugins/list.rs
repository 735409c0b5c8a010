//! `spin plugins list`: what is installed.

use serde::Serialize;
use spin_plugin_manager::{Installed, Origin};

use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a JSON array instead of lines
    #[arg(long)]
    json: bool,
}

/// A plugin in the JSON array. The first four are what the public command line prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    installed: bool,
    version: String,
    installed_version: String,
    spin_compatibility: String,
    protocols: Vec<u32>,
    from: String,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let installed = ctx.plugins()?.installed().map_err(|error| Report::of(&error).code(error.code()))?;
    if args.json {
        let rows: Vec<_> = installed.iter().map(row).collect();
        ctx.ui.result(&serde_json::to_string_pretty(&rows).expect("rows are plain data"));
    } else if installed.is_empty() {
        ctx.ui.result("No plugins found");
    } else {
        for plugin in &installed {
            ctx.ui.result(&line(plugin));
        }
    }
    Ok(Exit::OK)
}

fn row(plugin: &Installed) -> Row {
    Row {
        name: plugin.name.to_string(),
        installed: true,
        version: plugin.version.to_string(),
        installed_version: plugin.version.to_string(),
        spin_compatibility: plugin.spin_compatibility.clone(),
        protocols: plugin.protocols.clone(),
        from: plugin.origin.to_string(),
    }
}

fn line(plugin: &Installed) -> String {
    let owner = match plugin.origin {
        Origin::PublicLayout => " [by the public spin]",
        _ => "",
    };
    format!("{} {} [installed]{owner}", plugin.name, plugin.version)
}
