//! `spin plugins`: everything about plugins, one command a file.

use std::ffi::OsString;

use clap::Subcommand;
use spin_plugin_manager::StoreError;

use crate::context::Context;
use crate::report::{Exit, Report};

pub(crate) mod documents;
mod gc;
mod install;
mod list;
mod lock;
mod outdated;
mod pack;
mod search;
mod show;
mod uninstall;
mod upgrade;
mod verify;
mod wanted;

/// Subcommands of the public command line that this version does not have.
const LATER: &[&str] = &["update"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install plugins, from the catalogues or from a manifest file.
    Install(install::Args),
    /// Go to newer versions of plugins, or back to older ones.
    Upgrade(upgrade::Args),
    /// List the installed plugins of which there are newer versions.
    Outdated(outdated::Args),
    /// Uninstall plugins.
    #[command(alias = "rm")]
    Uninstall(uninstall::Args),
    /// List plugins, installed and available.
    List(list::Args),
    /// List the plugins whose name contains a text.
    Search(search::Args),
    /// Show all about one plugin.
    Show(show::Args),
    /// Compare everything that is installed with what was installed.
    Verify(verify::Args),
    /// Remove versions that nobody uses any more.
    Gc(gc::Args),
    /// Pack an executable as a plugin and add it to a catalogue folder.
    Pack(pack::Args),
    /// Pin an application to the plugins that would run it now.
    Lock(lock::Args),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::Install(args) => install::run(args, ctx).await,
        Command::Upgrade(args) => upgrade::run(args, ctx).await,
        Command::Outdated(args) => outdated::run(args, ctx).await,
        Command::Uninstall(args) => uninstall::run(args, ctx).await,
        Command::List(args) => list::run(args, ctx).await,
        Command::Search(args) => search::run(args, ctx).await,
        Command::Show(args) => show::run(args, ctx).await,
        Command::Verify(args) => verify::run(args, ctx).await,
        Command::Gc(args) => gc::run(args, ctx).await,
        Command::Pack(args) => pack::run(args, ctx).await,
        Command::Lock(args) => lock::run(args, ctx).await,
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

fn of_store(error: StoreError) -> Report {
    Report::of(&error).code(error.code())
}
