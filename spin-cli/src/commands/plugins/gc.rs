//! `spin plugins gc`: removes versions that nobody uses any more, and what unfinished work has left.

use indicatif::HumanBytes;
use spin_plugin_manager::{Collection, Garbage, Unused};

use super::documents::{self, Collected, UnusedRelease};
use super::of_store;
use crate::context::Context;
use crate::report::{Exit, Report};

/// Remove versions that nobody uses any more: neither active, nor installed or started in the last 30 days.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let collection = if args.dry_run { Collection::DryRun } else { Collection::Remove };
    let garbage = ctx.plugins()?.collect_garbage(collection, &ctx.ui).await.map_err(of_store)?;
    if args.json {
        ctx.ui.result(&documents::print(&document(&garbage, args.dry_run)));
        return Ok(Exit::OK);
    }
    let [remove, free] = if args.dry_run { ["Would remove", "Would free"] } else { ["Removed", "Freed"] };
    for Unused { name, version, last_used, bytes, .. } in &garbage.releases {
        let day = last_used.strftime("%F");
        ctx.ui.result(&format!("{remove} {name} {version}, {}, last used on {day}", HumanBytes(*bytes)));
    }
    for path in &garbage.leftovers {
        ctx.ui.result(&format!("{remove} {}", path.display()));
    }
    match garbage.releases.is_empty() && garbage.leftovers.is_empty() {
        true => ctx.ui.result("Nothing to remove"),
        false => ctx.ui.result(&format!("{free} {}", HumanBytes(garbage.bytes))),
    }
    Ok(Exit::OK)
}

fn document(garbage: &Garbage, dry_run: bool) -> Collected {
    let release = |unused: &Unused| UnusedRelease {
        name: unused.name.to_string(),
        version: unused.version.to_string(),
        last_used: unused.last_used.to_string(),
        bytes: unused.bytes,
    };
    Collected {
        schema: documents::SCHEMA,
        dry_run,
        releases: garbage.releases.iter().map(release).collect(),
        leftovers: garbage.leftovers.iter().map(|path| path.display().to_string()).collect(),
        bytes: garbage.bytes,
    }
}
