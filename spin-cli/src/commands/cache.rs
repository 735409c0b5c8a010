//! `spin cache`: the compiled code of components, which triggers keep for later starts.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;
use indicatif::HumanBytes;

use super::up::{self, flags::COMPILE_ONLY};
use crate::compiled_code::{Code, ReadError};
use crate::context::Context;
use crate::report::{Exit, Report};

mod clear;
pub(crate) mod documents;
mod list;

/// The command below this one that is a start of an app, and has its flags.
pub(crate) const WARM: &str = "warm";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the compiled code of components.
    List(list::Args),
    /// Remove compiled code. Applications that run go on.
    Clear(clear::Args),
    // Only listed here, as `up` is, whose flags it has.
    /// Compile an application's components, so that starting it compiles nothing.
    Warm,
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Which cache it is about.
#[derive(Debug, clap::Args)]
struct Place {
    /// The cache in this folder, such as the `directory` of a cache configuration [default: the user's]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    /// The folder of all compiled code.
    fn folder(&self, ctx: &Context) -> Result<PathBuf, Report> {
        Ok(ctx.cache_dir(self.dir.as_deref(), "--dir")?.join(spin_app_model::compiled::FOLDER))
    }
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::List(args) => list::run(args, ctx),
        Command::Clear(args) => clear::run(args, ctx),
        Command::Warm => up::run(up::Args { line: vec![COMPILE_ONLY.into()], built: None }, ctx).await,
        Command::Other(words) => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            let report = Report::usage(format!("'{word}' is not a known command of spin cache"));
            Err(report.code("usage::unknown-command").help("all commands are in spin cache --help"))
        }
    }
}

/// What it was made of, its size, and when it was last used.
fn line(code: &Code) -> String {
    let what = match &code.note {
        Some(note) => {
            let of = note.app.as_ref().map(|app| format!(" of {app}")).unwrap_or_default();
            format!("{}{of}, {}", note.component, note.engine)
        }
        None => format!("{} (nothing is noted about it)", code.key),
    };
    format!("{what}, {}, last used on {}", HumanBytes(code.bytes), code.last_used.strftime("%F"))
}

fn of_reading(error: ReadError) -> Report {
    Report::of(&error).code("cache::read").help("look who owns that folder, or name another cache with --dir")
}
