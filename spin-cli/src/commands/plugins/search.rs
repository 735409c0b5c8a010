//! `spin plugins search [TEXT]`: `spin plugins list --all --filter TEXT` for those who look for something.

use super::list::{self, Form};
use super::of_store;
use crate::context::Context;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A part of the name [default: all plugins]
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    #[command(flatten)]
    form: Form,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let listing = ctx.refreshed_plugins().await?.list().map_err(of_store)?;
    list::print(&listing, list::every_version(&listing.rows), args.text.as_deref(), &args.form, ctx);
    Ok(Exit::OK)
}
