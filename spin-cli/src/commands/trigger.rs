//! `spin trigger TYPE …`: a trigger by hand, the older way to write `spin trigger-TYPE …`.

use std::ffi::OsString;

use spin_app_model::TriggerType;

use super::external;
use crate::context::Context;
use crate::report::{Exit, Report};
use crate::triggers::Overrides;

/// The type of the trigger, and its arguments.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) words: Vec<OsString>,
    /// What `--plugin-path` in front of it says.
    pub(crate) overrides: Overrides,
}

pub(crate) async fn run(args: Args, ctx: &Context) -> Result<Exit, Report> {
    let mut words = args.words.into_iter();
    let usage =
        |message: String| Report::usage(message).code("usage::trigger").help("write: spin trigger TYPE [ARGS]…");
    let word = words.next().ok_or_else(|| usage("the type of the trigger is missing".to_owned()))?;
    let trigger_type: TriggerType =
        word.to_string_lossy().parse().map_err(|error| usage(format!("this is no type of a trigger: {error}")))?;
    let Args { overrides, .. } = args;
    let name = trigger_type.plugin_name().into();
    external::run(external::Args { name, args: words.collect(), overrides }, ctx).await
}
