//! What the triggers of an app are started with.

use std::ffi::OsString;

use spin_app_model::launch::env;
use spin_app_model::manifest::Resolved as Code;

use super::flags::Flags;
use crate::context::Context;
use crate::environment::ChildEnvironment;
use crate::load::{self, Prepared};
use crate::report::Report;
use crate::supervise::Launch;
use crate::supervise::spawn::{Program, Stdin};
use crate::triggers::Resolved;
use crate::workdir::PrivateDir;

/// Puts files and lock file into the working directory, and says what every trigger of the app is told about it.
pub(super) async fn environment(
    prepared: Prepared,
    code: Code,
    flags: &Flags,
    workdir: &PrivateDir,
    ctx: &Context,
) -> Result<ChildEnvironment, Report> {
    let generation = workdir.generation()?;
    let local_dir = prepared.local_dir.clone();
    let app = prepared.lock(code, &flags.env, &generation, &ctx.ui).await?;
    let url = load::write(&app, &generation)?;
    let mut environment = ChildEnvironment::trigger(&ctx.executable);
    environment.set(env::LOCKED_URL, url.as_str());
    environment.set(env::WORKING_DIR, generation);
    if let Some(local_dir) = local_dir {
        environment.set(env::LOCAL_APP_DIR, local_dir);
    }
    Ok(environment)
}

/// One process for each trigger; only a single one reads from our standard input.
pub(super) fn launches(resolved: Vec<Resolved>, args: &[OsString], environment: &ChildEnvironment) -> Vec<Launch> {
    let stdin = if resolved.len() > 1 { Stdin::Empty } else { Stdin::Inherited };
    let launch = |trigger: Resolved| Launch {
        name: trigger.plugin.to_string(),
        trigger_type: trigger.trigger_type,
        program: Program { path: trigger.path, args: args.to_vec(), environment: environment.clone(), stdin },
        promise: trigger.promise,
    };
    resolved.into_iter().map(launch).collect()
}
