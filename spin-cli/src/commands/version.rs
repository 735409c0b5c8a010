//! `spin version`: our release, and the public Spin that we are compatible with.

use spin_app_model::SPIN_COMPAT_VERSION;

use crate::context::Context;
use crate::report::{Exit, Report};

/// Nothing to choose.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, ctx: &Context) -> Result<Exit, Report> {
    ctx.ui.result(&format!("spin {}", text()));
    Ok(Exit::OK)
}

/// What stands behind the name of the program.
pub(crate) fn text() -> String {
    format!("{} (compatible with Spin {SPIN_COMPAT_VERSION})", env!("CARGO_PKG_VERSION"))
}
