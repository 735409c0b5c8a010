//! The command table: which word is which command.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use spin_catalogue::PluginName;

use crate::commands::up::flags::{COMPILE_ONLY, plugin_path};
use crate::commands::{build, cache, check, completions, external, maintenance, plugins, trigger, up, version};
use crate::context::Context;
use crate::news::tell_newer;
use crate::report::{Exit, Report};
use crate::ui::Ui;

/// Every command that can be typed, for "did you mean".
pub(crate) const NAMES: &[&str] =
    &["build", "cache", "check", "completions", "help", "maintenance", "plugin", "plugins", "up", "version"];

/// Commands of the public command line, and planned ones, that this version does not have. They are never looked for
/// among the plugins: a plugin must not take the place of a command that will come.
const LATER: &[&str] = &[
    "add",
    "a",
    "deploy",
    "d",
    "doctor",
    "login",
    "new",
    "n",
    "oci",
    "registry",
    "template",
    "templates",
    "watch",
    "w",
];

/// Run WebAssembly applications. Every trigger is a plugin.
#[derive(Debug, Parser)]
#[command(name = "spin", version = version::text(), disable_help_subcommand = true, arg_required_else_help = true)]
struct Line {
    /// Run this executable instead of the installed plugin NAME, for development
    #[arg(long, value_name = "NAME=PATH", value_parser = plugin_path)]
    plugin_path: Vec<(PluginName, PathBuf)>,
    #[command(subcommand)]
    command: Table,
}

#[derive(Debug, Subcommand)]
enum Table {
    // Only listed here, as `up` is.
    /// Build the components of an application.
    #[command(visible_alias = "b")]
    Build,
    /// List and clear compiled code, or compile an application ahead.
    Cache(cache::Args),
    /// Check an application without running it.
    Check(check::Args),
    /// Print what makes a shell complete commands, plugins and versions.
    Completions(completions::Args),
    /// Write files about this program.
    #[command(hide = true)]
    Maintenance(maintenance::Args),
    /// Install, upgrade, list and pack plugins.
    #[command(visible_alias = "plugin")]
    Plugins(Box<plugins::Args>),
    // Only listed here: its arguments are divided between it and the triggers before this table is asked.
    /// Run an application.
    #[command(visible_alias = "u")]
    Up,
    /// Print the version.
    Version(version::Args),
    #[command(external_subcommand)]
    External(Vec<OsString>),
}

/// A command with its arguments.
#[derive(Debug)]
enum Command {
    Build(build::Args),
    Cache(cache::Args),
    Check(check::Args),
    Completions(completions::Args),
    External(external::Args),
    Maintenance(maintenance::Args),
    Plugins(Box<plugins::Args>),
    Trigger(trigger::Args),
    Up(up::Args),
    Version(version::Args),
}

/// The whole command line with every flag, also of those commands that divide theirs before the parser sees them.
pub(crate) fn command() -> clap::Command {
    let (build, up) = (build::flags(), up::flags::Flags::command());
    let own = |own: clap::Command, flags: &clap::Command| own.args(flags.get_arguments().cloned());
    let line =
        Line::command().mut_subcommand("build", |one| own(one, &build)).mut_subcommand("up", |one| own(one, &up));
    line.mut_subcommand("cache", |cache| cache.mut_subcommand("warm", |one| own(one, &up)))
}

/// Runs one command line, the program's name included, and tells what went wrong.
pub(crate) async fn run(line: Vec<OsString>, ui: Ui) -> Exit {
    let command = match parse(line) {
        Ok(command) => command,
        Err(Refused::Parser(error)) => return show(&error, &ui),
        Err(Refused::Report(report)) => return fail(&report, &ui),
    };
    // Only after these: who asks about plugins is told there.
    let runs_plugins = matches!(command, Command::External(_) | Command::Trigger(_) | Command::Up(_));
    let result = match Context::from_environment(ui.clone()) {
        Ok(ctx) => {
            let result = dispatch(command, &ctx).await;
            if runs_plugins && result.is_ok() {
                tell_newer(&ctx);
            }
            result
        }
        Err(report) => Err(report),
    };
    ui.clear_progress();
    result.unwrap_or_else(|report| fail(&report, &ui))
}

async fn dispatch(command: Command, ctx: &Context) -> Result<Exit, Report> {
    match command {
        Command::Build(args) => build::run(args, ctx).await,
        Command::Cache(args) => cache::run(args, ctx).await,
        Command::Check(args) => check::run(args, ctx).await,
        Command::Completions(args) => completions::run(args, ctx).await,
        Command::External(args) => external::run(args, ctx).await,
        Command::Maintenance(args) => maintenance::run(args, ctx).await,
        Command::Plugins(args) => plugins::run(*args, ctx).await,
        Command::Trigger(args) => trigger::run(args, ctx).await,
        Command::Up(args) => up::run(args, ctx).await,
        Command::Version(args) => version::run(args, ctx).await,
    }
}

/// Why a command line is not run.
#[derive(Debug)]
enum Refused {
    /// Help and version among them.
    Parser(clap::Error),
    Report(Report),
}

fn parse(line: Vec<OsString>) -> Result<Command, Refused> {
    let line = help_as_a_flag(line);
    let at = command_at(&line);
    let word = line.get(at).and_then(|word| word.to_str()).unwrap_or_default();
    let rest = || line.iter().skip(at + 1).cloned().collect();
    let up = |behind: usize, flag: Option<OsString>| {
        let line = line[1..at].iter().cloned().chain(flag).chain(line[behind..].iter().cloned());
        Ok(Command::Up(up::Args { line: line.collect(), built: None }))
    };
    match word {
        // Their arguments are not for this parser, which would take `--` for itself.
        "up" | "u" => return up(at + 1, None),
        "cache" if line.get(at + 1).is_some_and(|word| word == cache::WARM) => {
            return up(at + 2, Some(COMPILE_ONLY.into()));
        }
        "build" | "b" if at == 1 => return Ok(Command::Build(build::Args { line: rest() })),
        "trigger" => {
            let overrides = parse_line(line[..at].iter().cloned().chain(["trigger-x".into()]))?.plugin_path;
            return Ok(Command::Trigger(trigger::Args { words: rest(), overrides: overrides.into_iter().collect() }));
        }
        later if LATER.contains(&later) => {
            let report = Report::usage(format!("`spin {later}` is not in this version of spin"));
            return Err(Refused::Report(report.code("usage::not-yet").help("what there is, is in spin --help")));
        }
        _ => {}
    }
    let Line { plugin_path, command } = parse_line(line)?;
    let command = match command {
        Table::External(mut words) => {
            let (name, overrides) = (words.remove(0), plugin_path.into_iter().collect());
            return Ok(Command::External(external::Args { name, args: words, overrides }));
        }
        Table::Cache(args) => Command::Cache(args),
        Table::Completions(args) => Command::Completions(args),
        Table::Maintenance(args) => Command::Maintenance(args),
        Table::Plugins(args) => Command::Plugins(args),
        Table::Build => Command::Build(build::Args { line: Vec::new() }),
        Table::Check(args) => Command::Check(args),
        Table::Up => Command::Up(up::Args { line: Vec::new(), built: None }),
        Table::Version(args) => Command::Version(args),
    };
    if !plugin_path.is_empty() {
        let report = Report::usage("--plugin-path is for a plugin, and this command runs none");
        return Err(Refused::Report(report.code("usage::plugin-path")));
    }
    Ok(command)
}

fn parse_line(line: impl IntoIterator<Item = OsString>) -> Result<Line, Refused> {
    Line::try_parse_from(line).map_err(Refused::Parser)
}

/// Where the command stands: behind the program's name and the overrides of plugins.
fn command_at(line: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(token) = line.get(at).map(|token| token.as_encoded_bytes()) {
        match token {
            b"--plugin-path" => at += 2,
            token if token.starts_with(b"--plugin-path=") => at += 1,
            _ => break,
        }
    }
    at.min(line.len())
}

/// `spin help NAME` is `spin NAME --help`, so that plugins and `up` answer for themselves.
fn help_as_a_flag(mut line: Vec<OsString>) -> Vec<OsString> {
    if line.get(1).is_some_and(|word| word == "help") {
        line.remove(1);
        line.push("--help".into());
    }
    line
}

/// What the parser has to say: help and version are results, everything else is a usage error.
fn show(error: &clap::Error, ui: &Ui) -> Exit {
    let text = error.render().ansi().to_string();
    if error.use_stderr() {
        ui.styled_error(&text);
        return Exit::USAGE;
    }
    ui.styled(&text);
    Exit::OK
}

fn fail(report: &Report, ui: &Ui) -> Exit {
    ui.error(report);
    report.exit_code()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::ffi::OsStr;

    use super::*;

    fn parse(line: &str) -> Result<Command, Refused> {
        super::parse(std::iter::once("spin").chain(line.split_whitespace()).map(OsString::from).collect())
    }

    #[test]
    fn the_table_is_sound() {
        Line::command().debug_assert();
        command().disable_help_flag(true).build();
    }

    #[test]
    fn every_word_finds_its_command() {
        for line in ["up", "u -f x -- -y", "up --help"] {
            assert!(matches!(parse(line), Ok(Command::Up(_))), "{line}");
        }
        for line in ["cache list", "cache list --json --dir x", "cache clear --unused-for 30 --dry-run"] {
            assert!(matches!(parse(line), Ok(Command::Cache(_))), "{line}");
        }
        for line in ["build", "b -c x --up --listen y", "help build"] {
            assert!(matches!(parse(line), Ok(Command::Build(_))), "{line}");
        }
        for line in [
            "plugins list",
            "plugin list --json",
            "plugins install x y@1 -y",
            "plugins install x -v 1.2",
            "plugins install --file x",
            "plugins upgrade",
            "plugins upgrade x@1.0.0 -dy",
            "plugins upgrade -a",
            "plugins uninstall x y@0.1",
            "plugins rm x",
            "plugins list --installed --format json",
            "plugins list --summary --filter x",
            "plugins search",
            "plugins search x --json",
            "plugins show x",
            "plugins verify",
            "plugins gc --dry-run",
            "plugins mirror --to x",
            "plugins mirror --to x y z@1 --platform linux-amd64 --platform macos-aarch64 --json",
            "plugins upgrade --url https://example.org/x.json --auth-header-value y",
            "plugins pack x --to y --version 1.0.0 --license MIT --description z",
        ] {
            assert!(matches!(parse(line), Ok(Command::Plugins(_))), "{line}");
        }
        assert!(matches!(parse("check -f x --profile y"), Ok(Command::Check(_))));
        assert!(matches!(parse("maintenance generate-manifest-schema -o x"), Ok(Command::Maintenance(_))));
        assert!(matches!(parse("version"), Ok(Command::Version(_))));
        assert!(matches!(parse("trigger http --listen x"), Ok(Command::Trigger(_))));
        for line in [
            "maintenance",
            "cache",
            "cache list x",
            "cache clear --unused-for soon",
            "plugins install",
            "plugins install x --file y",
            "plugins install ../x",
            "plugins install -v 1.0.0",
            "plugins upgrade x --all",
            "plugins upgrade x --url https://example.org",
            "plugins mirror",
            "plugins list --installed --summary",
            "plugins list --json --format plain",
            "plugins uninstall",
            "plugins show",
            "plugins pack x",
            "--what",
            "",
        ] {
            assert!(matches!(parse(line), Err(Refused::Parser(_))), "{line}");
        }
        for later in LATER {
            assert!(matches!(parse(later), Err(Refused::Report(_))), "{later}");
        }
    }

    /// A plugin of such a name would be installed in vain.
    #[test]
    fn no_plugin_can_have_the_name_of_a_command() {
        let line = Line::command();
        let table = line.get_subcommands().flat_map(|one| one.get_all_aliases().chain([one.get_name()]));
        for word in table.chain(NAMES.iter().copied()).chain(LATER.iter().copied()).chain(["trigger"]) {
            assert!(word.parse::<spin_catalogue::PluginName>().unwrap().is_reserved(), "{word}");
        }
    }

    #[test]
    fn arguments_of_others_arrive_as_they_were_written() {
        let Ok(Command::External(external)) = parse("trigger-zzz -- --x -y --") else { panic!("not a plugin") };
        assert_eq!(
            (external.name, external.args),
            ("trigger-zzz".into(), vec!["--".into(), "--x".into(), "-y".into(), "--".into()])
        );
        let Ok(Command::Up(up)) = parse("up -- -f x") else { panic!("not up") };
        assert_eq!(up.line, ["--", "-f", "x"]);
    }

    #[test]
    fn an_override_stands_in_front_of_the_plugin_that_it_is_for() {
        for line in ["--plugin-path x=./x x --plugin-path y", "--plugin-path=x=./x x --plugin-path y"] {
            let Ok(Command::External(external)) = parse(line) else { panic!("not a plugin: {line}") };
            assert_eq!(external.args, ["--plugin-path", "y"], "behind the name it is the plugin's");
            assert_eq!(external.overrides.len(), 1);
        }
        let Ok(Command::Trigger(trigger)) = parse("--plugin-path trigger-x=./x trigger x -y") else {
            panic!("not one")
        };
        assert_eq!((trigger.words.len(), trigger.overrides.len()), (2, 1));
        let Ok(Command::Up(up)) = parse("--plugin-path trigger-x=./x up -f y") else { panic!("not up") };
        assert_eq!(up.line, ["--plugin-path", "trigger-x=./x", "-f", "y"]);
        assert!(matches!(parse("--plugin-path x=./x plugins list"), Err(Refused::Report(_))));
        for line in ["--plugin-path", "--plugin-path x", "--plugin-path x=./x", "--plugin-path ../x=y z"] {
            assert!(matches!(parse(line), Err(Refused::Parser(_))), "{line}");
        }
    }

    #[test]
    fn warming_the_cache_is_a_start_that_runs_nothing() {
        for (line, expected) in [
            ("cache warm -f x -- -y", "--compile-only -f x -- -y"),
            ("--plugin-path x=./x cache warm", "--plugin-path x=./x --compile-only"),
            ("help cache warm", "--compile-only --help"),
        ] {
            let Ok(Command::Up(up)) = parse(line) else { panic!("not a start: {line}") };
            assert_eq!(up.line.join(OsStr::new(" ")), expected, "{line}");
        }
    }

    #[test]
    fn help_of_a_command_is_its_own() {
        let Ok(Command::Up(up)) = parse("help up") else { panic!("not up") };
        assert_eq!(up.line, ["--help"]);
        assert!(matches!(parse("help"), Err(Refused::Parser(error)) if !error.use_stderr()));
    }
}
