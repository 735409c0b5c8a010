//! `spin completions SHELL`: what makes a shell complete `spin`.
//!
//! The scripts know nothing themselves: for every word they ask `spin completions candidates`, so that plugins that were
//! installed since are offered, and no script has to be written anew. Nobody is asked for news.

mod candidates;

use std::ffi::OsString;

use clap::Subcommand;

use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// For ~/.bashrc: source <(spin completions bash)
    Bash,
    /// For ~/.config/fish/config.fish: spin completions fish | source
    Fish,
    /// For ~/.zshrc, behind compinit: source <(spin completions zsh)
    Zsh,
    /// Print what could stand in the place of the last of these words.
    #[command(hide = true)]
    Candidates {
        /// The words behind `spin`
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        words: Vec<OsString>,
    },
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    match args.command {
        Command::Bash => ctx.ui.styled(include_str!("completions/spin.bash")),
        Command::Fish => ctx.ui.styled(include_str!("completions/spin.fish")),
        Command::Zsh => ctx.ui.styled(include_str!("completions/spin.zsh")),
        Command::Candidates { words } => {
            for candidate in candidates::candidates(&words, ctx) {
                ctx.ui.result(&candidate);
            }
        }
    }
    Ok(Exit::OK)
}
