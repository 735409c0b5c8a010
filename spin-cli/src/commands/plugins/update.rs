//! `spin plugins update`: asking the catalogues that lie elsewhere for news.

use spin_plugin_manager::News;

use crate::context::Context;
use crate::news::failure;
use crate::report::{Exit, Report};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) async fn run(_: Args, ctx: &Context) -> Result<Exit, Report> {
    let all = ctx.plugins()?.refresh(&ctx.ui).await;
    ctx.ui.clear_progress();
    let mut failures = Vec::new();
    for refreshed in &all {
        let name = &refreshed.catalogue;
        match &refreshed.outcome {
            Ok(News::Updated) => ctx.ui.result(&format!("{name}: updated")),
            Ok(News::Unchanged) => ctx.ui.result(&format!("{name}: no news")),
            Ok(_) => ctx.ui.result(&format!("{name}: is read where it is")),
            Err(error) => {
                let text = failure(refreshed).unwrap_or_default();
                failures.push(Report::new(text).code(error.code()));
            }
        }
    }
    // The last one is the error of the command, so that none is told twice.
    let Some(last) = failures.pop() else {
        ctx.ui.result("Plugin information updated successfully");
        return Ok(Exit::OK);
    };
    failures.iter().for_each(|report| ctx.ui.error(report));
    Err(last)
}
