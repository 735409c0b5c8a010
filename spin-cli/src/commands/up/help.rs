//! `spin up --help`: our own options, then those of the app's trigger, in its own words.

use std::ffi::OsStr;

use spin_app_model::launch::env;

use super::flags::{Flags, command};
use crate::context::Context;
use crate::environment::ChildEnvironment;
use crate::load;
use crate::obtain::Consent;
use crate::pinning::Pinning;
use crate::report::{Exit, Report};
use crate::source;
use crate::supervise::spawn::{Output, Program, Stdin};
use crate::triggers::{self, Resolved};

/// What makes a trigger print its options and nothing else.
const HELP_ONLY: &str = "--help-args-only";

/// Prints the help. Whatever keeps a trigger from answering is a remark, never an error: help was asked for.
pub(super) async fn run(flags: &Flags, stray: Option<&OsStr>, ctx: &Context) -> Result<Exit, Report> {
    ctx.ui.styled(&command(flags.compile_only).render_help().ansi().to_string());
    ctx.ui.styled("\n");
    match resolve(flags, stray, ctx).await {
        Ok(resolved) => {
            for trigger in resolved {
                if let Err(error) = ask(&trigger, ctx).await {
                    ctx.ui.warning(&format!("{} did not tell its options: {error}", trigger.plugin));
                }
            }
        }
        Err(report) => {
            ctx.ui.result(
                "The options of a trigger are shown too if you name an app with -f whose plugins are installed.",
            );
            if flags.source().is_some() {
                ctx.ui.warning(report.message());
            }
        }
    }
    Ok(Exit::OK)
}

async fn resolve(flags: &Flags, stray: Option<&OsStr>, ctx: &Context) -> Result<Vec<Resolved>, Report> {
    let found = source::find(flags.source(), &ctx.current_dir, stray)?;
    let pinning = Pinning::of(&found.source, false)?;
    let types = load::open(&found.source, flags.profile.as_deref(), &ctx.current_dir)?.trigger_types();
    let resolved = triggers::resolve(&types, &flags.overrides(), &pinning, Consent::Withheld, ctx).await?;
    Ok(resolved.unwrap_or_default())
}

async fn ask(trigger: &Resolved, ctx: &Context) -> std::io::Result<()> {
    let mut environment = ChildEnvironment::trigger(&ctx.executable);
    environment.set(env::PLUGINS_SUPPRESS_COMPATIBILITY_WARNINGS, "1");
    let args = vec![HELP_ONLY.into()];
    let (path, output) = (trigger.path.clone(), Output::Inherited);
    let mut child = Program { path, args, environment, stdin: Stdin::Empty, output }.spawn()?;
    match child.wait().await? {
        status if status.success() => Ok(()),
        status => Err(std::io::Error::other(status.to_string())),
    }
}
