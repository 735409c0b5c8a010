//! What the triggers of an app are started with.

use std::path::PathBuf;

use spin_app_model::launch::env;
use spin_app_model::manifest::Resolved as Code;
use tokio::task::JoinSet;

use super::flags::{COMPILE_ONLY, Flags};
use crate::arguments::Split;
use crate::arguments::groups::divide;
use crate::context::Context;
use crate::environment::ChildEnvironment;
use crate::load::{self, Prepared};
use crate::metadata::{self, Metadata};
use crate::report::Report;
use crate::supervise::spawn::{Output, Program, Stdin};
use crate::supervise::{Generation, Launch, OnExit, Orphans, Task, UnknownOnExit};
use crate::triggers::Resolved;

/// The key of `[application.trigger.TYPE]` that says what the end of a trigger means, if the trigger leaves it to us.
const ON_EXIT: &str = "on_exit";

/// Puts files and lock file of a generation into its folder.
pub(super) async fn generation(
    id: u64,
    working_dir: PathBuf,
    prepared: Prepared,
    code: Code,
    flags: &Flags,
    ctx: &Context,
) -> Result<Generation, Report> {
    let app = prepared.lock(code, &flags.env, &working_dir, &ctx.ui).await?;
    let locked_url = load::write(&app, &working_dir)?;
    Ok(Generation { id, locked_url, working_dir })
}

/// One process for each trigger. Only a single one has our standard streams to itself.
pub(super) async fn launches(
    resolved: Vec<Resolved>,
    split: &Split,
    prepared: &Prepared,
    flags: &Flags,
    ctx: &Context,
) -> Result<Vec<Launch>, Report> {
    let told = ask(&resolved, split, prepared, flags, ctx).await;
    let arguments = divide(split, &told)?;
    let mut environment = ChildEnvironment::trigger(&ctx.executable);
    if let Some(local_dir) = &prepared.local_dir {
        environment.set(env::LOCAL_APP_DIR, local_dir);
    }
    let (stdin, output) =
        if resolved.len() > 1 { (Stdin::Empty, Output::Piped) } else { (Stdin::Inherited, Output::Inherited) };
    let mut launches = Vec::new();
    let task = flags.task();
    for ((trigger, mut args), told) in resolved.into_iter().zip(arguments).zip(told) {
        let on_exit = match task {
            Task::Serve => on_exit(&trigger, told.as_ref(), prepared, flags)?,
            // Each has its own to do.
            Task::Compile => OnExit::Ignore,
        };
        if task == Task::Compile {
            can_compile_ahead(&trigger, told.as_ref())?;
            args.insert(0, COMPILE_ONLY.into());
        }
        let Resolved { trigger_type, plugin, path, promise } = trigger;
        let program = Program { path, args, environment: environment.clone(), stdin, output };
        launches.push(Launch { name: plugin.to_string(), trigger_type, program, promise, task, on_exit });
    }
    Ok(launches)
}

/// Asks the triggers about themselves, all at once, if that matters.
async fn ask(
    resolved: &[Resolved],
    split: &Split,
    prepared: &Prepared,
    flags: &Flags,
    ctx: &Context,
) -> Vec<Option<Metadata>> {
    // A single trigger gets everything, but whether it gets the `--` too depends on it.
    let about_flags = if resolved.len() > 1 { split.not_ours().next().is_some() } else { split.behind.is_some() };
    let is_asked = |trigger: &Resolved| {
        let about_exit = || prepared.setting(&trigger.trigger_type, ON_EXIT).is_some();
        about_flags || flags.task() == Task::Compile || flags.on_exit(&trigger.trigger_type).is_none() && about_exit()
    };
    let mut told = vec![None; resolved.len()];
    if !resolved.iter().any(is_asked) {
        return told;
    }
    // One that has not understood may have started something else.
    let _orphans = Orphans::adopt().kill_at_last();
    let mut answers = JoinSet::new();
    for (number, trigger) in resolved.iter().enumerate().filter(|(_, trigger)| is_asked(trigger)) {
        let (trigger, ctx) = (trigger.clone(), ctx.clone());
        answers.spawn(async move { (number, metadata::ask(&trigger, &ctx).await) });
    }
    while let Some(answer) = answers.join_next().await {
        match answer {
            Ok((number, Ok(answer))) => told[number] = Some(answer),
            Ok((number, Err(error))) if about_flags && resolved.len() > 1 => ctx.ui.warning(&format!(
                "{} gets all options of this command line, because it did not tell which it knows: {error}",
                resolved[number].plugin
            )),
            // Without an answer the trigger gets the words, and keeps the key to itself.
            Ok((_, Err(_))) | Err(_) => {}
        }
    }
    told
}

/// Whether a trigger compiles without taking events. One that doesn't would be started for good.
fn can_compile_ahead(trigger: &Resolved, told: Option<&Metadata>) -> Result<(), Report> {
    if told.is_some_and(|told| told.flag(|flag| flag.is_long(COMPILE_ONLY)).is_some()) {
        return Ok(());
    }
    let (plugin, trigger_type) = (&trigger.plugin, &trigger.trigger_type);
    let message = format!("{plugin} can't compile ahead: {COMPILE_ONLY} is not among the flags that it tells");
    Err(Report::new(message)
        .code("cache::not-supported")
        .help(format!("a newer version may do it: spin plugins upgrade {plugin}"))
        .help(format!("if the application has other triggers than '{trigger_type}', name theirs with --trigger-type")))
}

/// What the end of a trigger means: a flag says so, or the manifest if the trigger leaves that key to us.
fn on_exit(trigger: &Resolved, told: Option<&Metadata>, prepared: &Prepared, flags: &Flags) -> Result<OnExit, Report> {
    let of_manifest = || {
        told.filter(|told| told.leaves_to_host(ON_EXIT))?;
        let value = prepared.setting(&trigger.trigger_type, ON_EXIT)?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some(text.parse().map_err(|error: UnknownOnExit| {
            let at = format!("{}: [application.trigger.{}]", prepared.manifest_path().display(), trigger.trigger_type);
            Report::new(format!("{at} {ON_EXIT}: {error}")).code("manifest::on-exit")
        }))
    };
    match flags.on_exit(&trigger.trigger_type) {
        Some(on_exit) => Ok(on_exit),
        None => of_manifest().unwrap_or(Ok(OnExit::default())),
    }
}
