//! `spin plugins`: everything about plugins, one command a file.
//!
//! A request to stop ends every command here in good order: what it has downloaded so far is removed, and programs that
//! it has started are ended.

use std::ffi::OsString;

use clap::Subcommand;
use spin_plugin_manager::StoreError;

use crate::context::Context;
use crate::report::{Exit, Report};
use crate::supervise::signal::StopSignals;

pub(crate) mod catalogue;
pub(crate) mod documents;
mod gc;
mod install;
mod list;
mod lock;
mod mirror;
mod outdated;
mod pack;
mod search;
mod show;
mod uninstall;
mod update;
mod upgrade;
mod verify;
mod wanted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Use no network: what is not on this machine is an error
    #[arg(long, global = true)]
    offline: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say where plugins are looked for.
    #[command(visible_alias = "catalog")]
    Catalogue(catalogue::Args),
    /// Install plugins, from the catalogues or by a manifest.
    Install(Box<install::Args>),
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
    /// Copy plugins into a catalogue folder, for machines without a network.
    Mirror(mirror::Args),
    /// Pin an application to the plugins that would run it now.
    Lock(lock::Args),
    /// Ask the catalogues for news.
    Update(update::Args),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let offline;
    let ctx = if args.offline {
        offline = ctx.offline();
        &offline
    } else {
        ctx
    };
    let mut signals = StopSignals::listen()
        .map_err(|error| Report::new(format!("cannot listen to signals: {error}")).code("environment::signals"))?;
    tokio::select! {
        biased;
        stop = signals.next() => Ok(stop.exit()),
        result = dispatch(args.command, ctx) => result,
    }
}

async fn dispatch(command: Command, ctx: &Context) -> Result<Exit, Report> {
    match command {
        Command::Catalogue(args) => catalogue::run(args, ctx),
        Command::Install(args) => install::run(*args, ctx).await,
        Command::Upgrade(args) => upgrade::run(args, ctx).await,
        Command::Outdated(args) => outdated::run(args, ctx).await,
        Command::Uninstall(args) => uninstall::run(args, ctx).await,
        Command::List(args) => list::run(args, ctx).await,
        Command::Search(args) => search::run(args, ctx).await,
        Command::Show(args) => show::run(args, ctx).await,
        Command::Verify(args) => verify::run(args, ctx).await,
        Command::Gc(args) => gc::run(args, ctx).await,
        Command::Pack(args) => pack::run(args, ctx).await,
        Command::Mirror(args) => mirror::run(args, ctx).await,
        Command::Lock(args) => lock::run(args, ctx).await,
        Command::Update(args) => update::run(args, ctx).await,
        Command::Other(words) => {
            let word = words.first().map(|word| word.to_string_lossy()).unwrap_or_default();
            let report = Report::usage(format!("'{word}' is not a known command of spin plugins"));
            Err(report.code("usage::unknown-command").help("all commands are in spin plugins --help"))
        }
    }
}

fn of_store(error: StoreError) -> Report {
    Report::of(&error).code(error.code())
}
