//! The command trigger: runs a component once, as a program is run, and ends with its exit code.
//!
//! ```toml
//! [[trigger.command]]
//! component = "report"
//! ```
//!
//! What follows `--` on the command line are the component's arguments; the first one that it sees is its own name, by
//! custom. Its standard output is the trigger's.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use spin_trigger_kit::clap;
use spin_trigger_kit::serde::Deserialize;
use spin_trigger_kit::wasmtime_wasi::I32Exit;
use spin_trigger_kit::{App, Component, ComponentId, Declared, Error, OutputSink, Stop, Trigger, tracing};

/// What a component exports to be run. Any version that is compatible is found by these, and its pre-releases.
const EXPORTS: [&str; 2] = ["wasi:cli/run@0.2.0", "wasi:cli/run@0.3.0"];

/// The flags of this trigger.
#[derive(Clone, clap::Args)]
struct CommandFlags {
    /// The component's arguments
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true)]
    arguments: Vec<String>,
}

/// A `[[trigger.command]]` entry.
#[derive(Deserialize)]
#[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
struct Entry {
    component: ComponentId,
}

/// What to run.
struct CommandTrigger {
    component: ComponentId,
    arguments: Vec<String>,
}

impl Trigger for CommandTrigger {
    const TYPE: &'static str = "command";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Its one event is under way; another generation would run the component a second time.
    const RELOADS: bool = false;
    type Config = Entry;
    type Settings = ();
    type Flags = CommandFlags;

    fn new(flags: CommandFlags, declared: Declared<Self>) -> Result<Self, Error> {
        let mut components = declared.entries.into_iter().map(|entry| entry.config.component);
        let none =
            || Error::new("command::none", "the application has no [[trigger.command]]: there is nothing to run");
        let component = components.next().ok_or_else(none)?;
        let others: Vec<String> = components.map(|other| other.to_string()).collect();
        if !others.is_empty() {
            tracing::warn!("only \"{component}\" is run, the first of several; not {}", others.join(", "));
        }
        Ok(Self { component, arguments: flags.arguments })
    }

    async fn run(self, app: App, _: Stop) -> Result<(), Error> {
        let component = app.component(&self.component)?;
        let events = app.events(&self.component);
        app.ready([]);
        let arguments = std::iter::once(self.component.to_string()).chain(self.arguments).collect();
        events.handle(run(&component, arguments)).await
    }
}

/// Runs `component` to its end; the kit cuts it when the end was asked for and the grace is over.
async fn run(component: &Component, arguments: Vec<String>) -> Result<(), Error> {
    let id = component.id();
    let failed = |what: String| Error::new("command::failed", format!("component \"{id}\" {what}"));
    let found = EXPORTS.iter().find_map(|name| component.pre().component().get_export_index(None, name));
    let Some(interface) = found else {
        return Err(Error::new(
            "command::no-command",
            format!("component \"{id}\" exports no wasi:cli/run: it is no command"),
        ));
    };
    let mut event = component.instantiate_with(arguments, Arc::new(Stdout)).await?;
    let meter = event.meter();
    let (store, instance) = (&mut event.store, &event.instance);
    let function = instance
        .get_export_index(&mut *store, Some(&interface), "run")
        .ok_or_else(|| failed("exports wasi:cli/run without `run`".to_owned()))?;
    let function = instance
        .get_typed_func::<(), (Result<(), ()>,)>(&mut *store, &function)
        .map_err(|error| failed(format!("exports another `run`: {error:#}")))?;
    match meter.run(function.call_async(&mut *store, ())).await {
        Ok((Ok(()),)) => Ok(()),
        Ok((Err(()),)) => Err(failed("says that it failed".to_owned())),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(0)) => Ok(()),
            Some(I32Exit(code)) => {
                // A process has no other codes; one that would be 0 is a failure nevertheless.
                let code = u8::try_from(*code & 0xff).ok().filter(|code| *code != 0).unwrap_or(1);
                Err(failed(format!("exited with code {code}")).with_exit_code(code))
            }
            None => Err(failed(format!("trapped: {error:#}"))),
        },
    }
}

/// The standard output of this process.
struct Stdout;

impl OutputSink for Stdout {
    fn write(&self, bytes: &[u8]) {
        let mut stdout = std::io::stdout().lock();
        // A reader that has gone must not fail the component.
        let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
    }
}

fn main() -> ExitCode {
    spin_trigger_kit::main::<CommandTrigger>()
}
