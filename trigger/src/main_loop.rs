//! The life of a trigger process, from its arguments to its exit code.
//!
//! Only this file and the start-up listings of triggers write to the terminal.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};
use spin_app_model::TriggerType;
use spin_app_model::launch::env::{LOCKED_URL, WORKING_DIR};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::admin::Admin;
use crate::app::App;
use crate::compile_only;
use crate::control::{self, Control};
use crate::error::Error;
use crate::flags::CommonFlags;
use crate::generation::{Loader, Source};
use crate::help;
use crate::preparing::{self, tell_if_long};
use crate::reload::{Order, Reloads, Start};
use crate::runs;
use crate::runtime_config::RuntimeConfig;
use crate::stop;
use crate::telemetry;
use crate::trigger::Trigger;

/// The command line of a trigger: its own flags and those of every trigger.
#[derive(Parser)]
#[command(disable_version_flag = true)]
struct Arguments<F: clap::Args> {
    #[command(flatten)]
    own: F,
    #[command(flatten)]
    common: CommonFlags,
}

/// Runs a trigger: the whole of an author's `main`.
///
/// ```no_run
/// # use spin_trigger_kit::*;
/// # struct Timer;
/// # impl Trigger for Timer {
/// #     const TYPE: &'static str = "timer";
/// #     const VERSION: &'static str = "1.0.0";
/// #     type Config = ();
/// #     type Settings = ();
/// #     type Flags = NoFlags;
/// #     fn new(_: NoFlags, _: Declared<Self>) -> Result<Self, Error> { Ok(Timer) }
/// #     async fn run(self, _: App, _: Stop) -> Result<(), Error> { Ok(()) }
/// # }
/// fn main() -> std::process::ExitCode {
///     spin_trigger_kit::main::<Timer>()
/// }
/// ```
///
/// The exit code is 0 when the trigger ended as asked, 1 when it failed ([`Error::with_exit_code`] says another one), 2 for
/// arguments that it doesn't know.
pub fn main<T: Trigger>() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let heading = format!("{} Trigger Options", T::display_name());
    let mut command = Arguments::<T::Flags>::command()
        .name(format!("trigger-{}", T::TYPE))
        .mut_args(move |argument| argument.help_heading(heading.clone()));
    if arguments.iter().skip(1).any(|argument| argument == help::HELP_ARGS_ONLY) {
        return say(&help::args_only(command));
    }
    if arguments.iter().skip(1).any(|argument| argument == help::LAUNCH_METADATA_ONLY) {
        let metadata = help::launch_metadata(&command);
        // Hosts of the public ecosystem read it from standard error.
        let _ = writeln!(std::io::stderr(), "{metadata}");
        return say(&metadata);
    }
    let parsed = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| Arguments::<T::Flags>::from_arg_matches(&matches))
        .and_then(|arguments| arguments.common.check().map(|()| arguments).map_err(|error| error.format(&mut command)));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    telemetry::install();
    match serve::<T>(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, control)) => {
            if control.has_host() {
                // The host shows it, once, with the trigger's name.
                control.failed(&error);
            } else {
                tell(&format!("Error: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Tells a person something on standard error. If nobody can hear it, that is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn serve<T: Trigger>(arguments: Arguments<T::Flags>) -> Result<(), (Error, Control)> {
    let trigger_type: TriggerType =
        T::TYPE.parse().map_err(|error| (Error::new("trigger::type", error), Control::default()))?;
    let (control, channel) =
        Control::connect(trigger_type, T::VERSION, T::RELOADS).map_err(|error| (error, Control::default()))?;
    let start = || -> Result<(), Error> {
        let threads = tokio::runtime::Runtime::new()
            .map_err(|error| Error::new("trigger::threads", format!("the executor can't be started: {error}")))?;
        let signals = |error: std::io::Error| Error::new("trigger::signals", error);
        let (given, orders) = unbounded_channel();
        threads.block_on(async {
            match channel {
                Some(channel) => {
                    stop::obey_signals_under_a_host(&control.health().stop).map_err(signals)?;
                    control::obey(channel, &control, given).map_err(signals)?;
                }
                None => stop::obey_signals_alone(&control.health().stop).map_err(signals)?,
            }
            serve_app::<T>(arguments, &control, orders).await
        })?;
        // Guests that went on after their events must not keep the process.
        threads.shutdown_background();
        Ok(())
    };
    start().map_err(|error| (error, control.clone()))
}

async fn serve_app<T: Trigger>(
    arguments: Arguments<T::Flags>,
    control: &Control,
    orders: UnboundedReceiver<Order>,
) -> Result<(), Error> {
    let stop = control.health().stop.clone();
    let working_dir = PathBuf::from(from_host(WORKING_DIR)?);
    let source = Source::new(&from_host(LOCKED_URL)?.to_string_lossy(), working_dir)?;
    let Arguments { own: flags, common } = arguments;
    common.refuse_unavailable()?;
    if common.compile_only {
        App::announce(&(compile_only::run::<T>(&common, &source, control, &stop).await? + "\n"));
        return Ok(());
    }
    if let Some(address) = common.admin_listen.filter(|_| !control.has_host()) {
        let admin = Admin::bind(address, T::TYPE, control.health().clone()).await?;
        tell(&format!("Admin endpoints at http://{}", admin.address()));
        tokio::spawn(admin.serve());
    }
    let config = match &common.runtime_config_file {
        Some(path) => {
            let config = RuntimeConfig::read(path)?;
            tell(&config.summary(path));
            config
        }
        None => RuntimeConfig::default(),
    };
    let mut loader = Loader::new(common, config);
    let read = loader.read::<T>(&source).await?;
    if let Some(folder) = loader.logs() {
        tell(&format!("Logging component stdio to \"{}/\"", folder.display()));
    }
    read.notices().iter().for_each(|notice| tell(notice));
    let mut trigger = T::new(flags.clone(), read.declared::<T>()?)?;
    let preparing = tell_if_long(read.prepare(None, control), preparing::PATIENCE, || tell(preparing::NOTICE));
    let app = tokio::select! {
        prepared = preparing => prepared?,
        // Compiling can't be interrupted; the process ends with it.
        () = stop.requested() => return Ok(()),
    };
    tokio::select! {
        prepared = trigger.prepare(&app) => prepared?,
        () = stop.requested() => return Ok(()),
    }
    app.when_ready({
        let control = control.clone();
        move |endpoints| control.ready(endpoints)
    });
    let running = stop.child();
    let (starts, started) = unbounded_channel();
    let reloads = Reloads::<T> {
        loader,
        flags,
        control: control.clone(),
        stop: stop.clone(),
        app: app.clone(),
        running: running.clone(),
        starts,
    };
    tokio::select! {
        result = runs::all(Start { trigger, app, stop: running }, started, &stop) => result,
        // It ends with the channel, and so does the process.
        () = async { reloads.obey(orders).await; std::future::pending().await } => Ok(()),
        () = async {
            stop.requested().await;
            tokio::time::sleep(stop.grace()).await;
        } => {
            tracing::warn!("events still in flight after {} s are cut", stop.grace().as_secs_f32());
            Ok(())
        }
    }
}

/// A variable that whoever starts a trigger must set.
fn from_host(name: &str) -> Result<OsString, Error> {
    std::env::var_os(name).ok_or_else(|| {
        let advice = "a trigger is started by `spin up`, which sets it";
        Error::new("trigger::environment", format!("environment variable {name} not found; {advice}"))
    })
}
