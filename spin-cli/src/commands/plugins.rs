//! `spin plugins`: installing plugins and listing them.

use std::ffi::OsString;

use clap::Subcommand;

use crate::context::Context;
use crate::report::{Exit, Report};

pub(crate) mod install;
pub(crate) mod list;

/// Subcommands of the public command line that this version does not have.
const LATER: &[&str] = &["upgrade", "uninstall", "rm", "search", "show", "update"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install plugins, from the catalogues or from a manifest file.
    Install(install::Args),
    /// List the installed plugins.
    List(list::Args),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::Install(args) => install::run(args, ctx).await,
        Command::List(args) => list::run(args, ctx).await,
        Command::Other(words) => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            let report = if LATER.contains(&word.as_ref()) {
                Report::usage(format!("`spin plugins {word}` is not in this version of spin")).code("usage::not-yet")
            } else {
                Report::usage(format!("'{word}' is not a known command of spin plugins")).code("usage::unknown-command")
            };
            Err(report.help("all commands are in spin plugins --help"))
        }
    }
}
