//! `spin cache list`: what compiled code there is.

use indicatif::HumanBytes;

use super::documents::{CodeList, CompiledComponent};
use super::{Place, line, of_reading};
use crate::commands::documents::{self, SCHEMA};
use crate::compiled_code::{self, total};
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print a JSON object instead of lines
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let folder = args.place.folder(ctx)?;
    let contents = compiled_code::read(&folder).map_err(of_reading)?;
    let (codes, bytes) = (&contents.codes, total(&contents.codes));
    if args.json {
        let components = codes.iter().map(CompiledComponent::of).collect();
        let list = CodeList { schema: SCHEMA, folder: folder.display().to_string(), components, bytes };
        ctx.ui.result(&documents::print(&list));
        return Ok(Exit::OK);
    }
    if codes.is_empty() {
        ctx.ui.result(&format!("No compiled code in {}", folder.display()));
        return Ok(Exit::OK);
    }
    for code in codes {
        ctx.ui.result(&line(code));
    }
    let number = if codes.len() == 1 { "1 component".to_owned() } else { format!("{} components", codes.len()) };
    ctx.ui.result(&format!("{number}, {} in {}", HumanBytes(bytes), folder.display()));
    Ok(Exit::OK)
}
