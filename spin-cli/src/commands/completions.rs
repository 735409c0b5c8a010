//! `spin completions SHELL`: what makes a shell complete `spin`.
//!
//! The scripts know nothing themselves: for every word they ask `spin completions candidates`, so that plugins that were
//! installed since are offered, and no script has to be written anew. Nobody is asked for news. They name the program that has
//! written them by its path: the word that is being completed may be `./spin`, which nobody has asked to run yet.

mod candidates;

use std::ffi::OsString;
use std::path::Path;

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
        Command::Bash => ctx.ui.styled(&script(&ctx.executable, include_str!("completions/spin.bash"), for_sh)?),
        Command::Fish => ctx.ui.styled(&script(&ctx.executable, include_str!("completions/spin.fish"), for_fish)?),
        Command::Zsh => ctx.ui.styled(&script(&ctx.executable, include_str!("completions/spin.zsh"), for_sh)?),
        Command::Candidates { words } => {
            for candidate in candidates::candidates(&words, ctx) {
                ctx.ui.result(&candidate);
            }
        }
    }
    Ok(Exit::OK)
}

/// What stands in the scripts for this program.
const PROGRAM: &str = "@SPIN@";

/// A script that asks this very program.
fn script(program: &Path, text: &str, quoted: fn(&str) -> String) -> Result<String, Report> {
    let Some(program) = program.to_str() else {
        let message = format!("the path of spin, {}, is not UTF-8: no script can name it", program.display());
        return Err(Report::new(message).code("completions::path"));
    };
    Ok(text.replace(PROGRAM, &quoted(program)))
}

/// One word of bash and zsh, which know no escapes in single quotes.
fn for_sh(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// One word of fish, which knows two.
fn for_fish(word: &str) -> String {
    format!("'{}'", word.replace('\\', r"\\").replace('\'', r"\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_its_shell() {
        assert_eq!(for_sh(r"/a b/$(c)'d\e"), r"'/a b/$(c)'\''d\e'");
        assert_eq!(for_fish(r"/a b/$(c)'d\e"), r"'/a b/$(c)\'d\\e'");
    }

    #[test]
    fn every_script_names_the_program_and_runs_no_word_of_the_line() {
        let scripts = [
            include_str!("completions/spin.bash"),
            include_str!("completions/spin.fish"),
            include_str!("completions/spin.zsh"),
        ];
        for text in scripts {
            assert_eq!(text.matches("@SPIN@ completions candidates").count(), 1, "{text}");
        }
    }
}
