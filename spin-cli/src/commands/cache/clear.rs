//! `spin cache clear`: removes compiled code, all of it or what was not used for long.

use std::time::Duration;

use indicatif::HumanBytes;

use super::documents::{Cleared, CompiledComponent};
use super::{Place, line, of_reading};
use crate::commands::documents::{self, SCHEMA};
use crate::compiled_code::{self, total};
use crate::context::Context;
use crate::report::{Exit, Report};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove only what was not used for so many days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    unused_for: Option<u32>,
    /// Only tell what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let folder = args.place.folder(ctx)?;
    let mut contents = compiled_code::read(&folder).map_err(of_reading)?;
    if let Some(days) = args.unused_for {
        contents.keep_only_unused_for(DAY * days);
    }
    if !args.dry_run {
        contents.remove().map_err(|error| {
            Report::of(&error).code("cache::remove").help("what was removed before is gone; try again to go on")
        })?;
    }
    let leftovers = contents.leftovers();
    let bytes = total(&contents.codes) + contents.other_bytes();
    if args.json {
        let components = contents.codes.iter().map(CompiledComponent::of).collect();
        let leftovers = leftovers.iter().map(|left| left.path.display().to_string()).collect();
        let forgotten_files = contents.sources();
        let cleared = Cleared { schema: SCHEMA, dry_run: args.dry_run, components, leftovers, forgotten_files, bytes };
        ctx.ui.result(&documents::print(&cleared));
        return Ok(Exit::OK);
    }
    let [remove, free] = if args.dry_run { ["Would remove", "Would free"] } else { ["Removed", "Freed"] };
    for code in &contents.codes {
        ctx.ui.result(&format!("{remove} {}", line(code)));
    }
    for left in leftovers {
        ctx.ui.result(&format!("{remove} {}", left.path.display()));
    }
    match contents.sources() {
        0 => {}
        1 => ctx.ui.result(&format!("{remove} what is known of one large file")),
        files => ctx.ui.result(&format!("{remove} what is known of {files} large files")),
    }
    match contents.is_empty() {
        true => ctx.ui.result("Nothing to remove"),
        false => ctx.ui.result(&format!("{free} {}", HumanBytes(bytes))),
    }
    Ok(Exit::OK)
}
