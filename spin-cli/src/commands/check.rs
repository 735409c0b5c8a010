//! `spin check`: everything that is wrong with an app, without running it.

use std::path::PathBuf;

use crate::context::Context;
use crate::load::{self, Wishes};
use crate::report::{Exit, Report};
use crate::source;

/// The app, and the profile to check.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The application: a manifest, a directory with a spin.toml, or a .wasm file [default: spin.toml, here or above]
    #[arg(short, long, alias = "file", value_name = "APPLICATION")]
    from: Option<PathBuf>,
    /// Check the application as it is in this profile of its manifest
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let found = source::find(args.from.as_deref(), &ctx.current_dir, None)?;
    source::announce(&found, &ctx.ui);
    let opened = load::open(&found.source, args.profile.as_deref(), &ctx.current_dir)?;
    let path = opened.draft.manifest.path.display().to_string();
    let prepared = opened.prepare(&Wishes::default())?;
    for warning in &prepared.warnings {
        ctx.ui.warning(warning);
    }
    ctx.ui.result(&format!("{path} is valid"));
    Ok(Exit::OK)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;

    fn check(dir: &Path) -> (Result<Exit, Report>, String) {
        let ctx = Context::in_directory(dir);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exit = runtime.block_on(run(Args { from: None, profile: None }, &ctx));
        (exit, ctx.ui.written())
    }

    #[test]
    fn an_app_is_valid_or_everything_that_is_wrong_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join(source::MANIFEST);
        let text = "spin_manifest_version = 2\n[application]\nname = \"x\"\n[[trigger.x]]\ncomponent = \"a\"\n\
            [component.a]\nsource = \"a.wasm\"\nfiles = [\"b\", \"*.c\"]\n";
        std::fs::write(&manifest, text).unwrap();
        let report = check(dir.path()).0.unwrap_err();
        assert_eq!(report.exit_code(), Exit::ERROR);
        assert!(report.message().contains(":7:10: ") && report.message().contains(":8:10: "), "{report:?}");

        std::fs::write(&manifest, format!("{text}nonsense = 1\n")).unwrap();
        let report = check(dir.path()).0.unwrap_err();
        for place in [":7:10: ", ":8:10: ", ":9:1: "] {
            assert!(report.message().contains(place), "what is wrong with the text and the disk: {report:?}");
        }

        std::fs::write(&manifest, text).unwrap();
        std::fs::write(dir.path().join("a.wasm"), "").unwrap();
        std::fs::write(dir.path().join("b"), "").unwrap();
        let (exit, written) = check(dir.path());
        assert_eq!(exit.unwrap(), Exit::OK);
        let path = manifest.display();
        assert_eq!(written, format!("Warning: {path}:8:15: no file matches `*.c`\n{path} is valid\n"));
    }

    #[test]
    fn a_file_that_is_too_large_for_a_manifest_is_not_read_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = std::fs::File::create(dir.path().join(source::MANIFEST)).unwrap();
        manifest.set_len(1 << 40).unwrap();
        let report = check(dir.path()).0.unwrap_err();
        assert!(report.causes().iter().any(|cause| cause.contains("more than 64 MiB")), "{report:?}");
    }
}
