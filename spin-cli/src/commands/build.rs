//! `spin build`: runs the build commands of an app's components.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::up;
use crate::arguments::Table;
use crate::build;
use crate::context::Context;
use crate::load;
use crate::report::{Exit, Report};
use crate::selection::Selection;
use crate::source::{self, Source};

/// Everything behind `spin build`, not yet divided between it and `spin up`.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) line: Vec<OsString>,
}

/// Build the components of an application.
#[derive(Debug, Parser)]
#[command(name = "spin build", disable_help_flag = true, args_override_self = true)]
#[command(override_usage = "spin build [OPTIONS] [--up [UP OPTIONS]]")]
struct Flags {
    /// The application: a manifest, or a directory with a spin.toml [default: spin.toml, here or above]
    #[arg(short, long, alias = "file", value_name = "APPLICATION")]
    from: Option<PathBuf>,
    /// Build in this profile of the manifest
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Build only this component; may be repeated
    #[arg(short, long, value_name = "ID")]
    component_id: Vec<String>,
    /// Run the application afterwards; all other options are then those of spin up
    #[arg(short, long)]
    up: bool,
    /// Accepted and without effect: this version checks no targets
    #[arg(long, alias = "skip-target-check", hide = true)]
    skip_target_checks: bool,
    /// Accepted and without effect: this version generates no WIT
    #[arg(long, alias = "skip-generate-wit", hide = true)]
    skip_generate_wits: bool,
    /// Print this
    #[arg(short, long)]
    help: bool,
}

/// The parser of what is `spin build`'s own, for whoever lists its flags.
pub(crate) fn flags() -> clap::Command {
    Flags::command()
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let command = Flags::command();
    let split = Table::of(&command).split(args.line)?;
    let parsed = command.try_get_matches_from([OsString::from("spin build")].into_iter().chain(split.ours.clone()));
    let flags = match parsed.and_then(|matches| Flags::from_arg_matches(&matches)) {
        Ok(flags) => flags,
        Err(error) => {
            ctx.ui.styled_error(&error.render().ansi().to_string());
            return Ok(Exit::USAGE);
        }
    };
    if flags.help {
        ctx.ui.styled(&Flags::command().render_help().ansi().to_string());
        return Ok(Exit::OK);
    }
    if let (false, Some(stray)) = (flags.up, split.not_ours().next()) {
        let message = format!("`{}` is not an option of spin build", stray.to_string_lossy());
        return Err(Report::usage(message).code("usage::build").help("options of spin up may follow --up"));
    }

    let found = source::find(flags.from.as_deref(), &ctx.current_dir, None)?;
    source::announce(&found, &ctx.ui);
    let Source::Manifest(path) = &found.source else {
        return Err(Report::new("a bare component has no build command")
            .code("build::no-manifest")
            .help("name a manifest or a directory with one"));
    };
    let opened = load::open(&found.source, flags.profile.as_deref(), &ctx.current_dir)?;
    build::build(&opened.draft, opened.app_dir(), &Selection::of(&flags.component_id), &ctx.ui).await?;
    if let Err(error) = opened.draft.finished()
        && !flags.up
    {
        ctx.ui.warning(&format!("the application is built, but can't run as it is:\n{error}"));
    }
    if !flags.up {
        return Ok(Exit::OK);
    }
    let built = up::Built { manifest: path.clone(), profile: flags.profile };
    up::run(up::Args { line: split.not_ours().cloned().collect(), built: Some(built) }, ctx).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn build(dir: &std::path::Path, line: &str) -> Result<Exit, Report> {
        let ctx = Context::in_directory(dir);
        let line = line.split_whitespace().map(OsString::from).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(Args { line }, &ctx))
    }

    #[test]
    fn the_flags_are_sound() {
        Flags::command().debug_assert();
    }

    #[test]
    fn options_of_others_are_only_for_what_follows() {
        let dir = tempfile::tempdir().unwrap();
        let text = "spin_manifest_version = 2\n[application]\nname = \"x\"\n[[trigger.x]]\ncomponent = \"a\"\n\
            [component.a]\nsource = \"a.wasm\"\nbuild.command = \"touch built\"\n";
        std::fs::write(dir.path().join(source::MANIFEST), text).unwrap();
        let built = dir.path().join("built");

        let report = build(dir.path(), "--listen x").unwrap_err();
        assert_eq!((report.stable_code(), report.exit_code()), (Some("usage::build"), Exit::USAGE));
        assert_eq!(build(dir.path(), "--from").unwrap(), Exit::USAGE);
        assert_eq!(build(dir.path(), "--help -c x").unwrap(), Exit::OK);
        assert!(!built.exists());
        assert_eq!(build(dir.path(), "-f . -c a").unwrap(), Exit::OK);
        assert!(built.exists());

        let report = build(dir.path(), "--up --listen x").unwrap_err();
        assert!(report.message().contains("a.wasm"), "it was to be run: {report:?}");
        for line in ["--up -- -f .", "--up -- --from-file=.", "--up -- --profile y"] {
            let report = build(dir.path(), line).unwrap_err();
            assert_eq!(report.stable_code(), Some("usage::build"), "{line}: {report:?}");
        }
        let report = build(dir.path(), "-u -- -c b").unwrap_err();
        assert_eq!(report.stable_code(), Some("app::unknown-component"), "that is a flag of up");
    }
}
