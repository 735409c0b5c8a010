//! Everything a trigger author needs: this crate is a trigger's only dependency on spin.
//!
//! A trigger is a program named `trigger-<type>`, installed as a plugin. `spin up` starts it for apps that have
//! `[[trigger.<type>]]` entries. An implementation of [`Trigger`] and a one-line `main` make one:
//!
//! ```no_run
//! use spin_trigger_kit::tokio::{task::JoinSet, time};
//! use spin_trigger_kit::{App, ComponentId, Declared, Error, NoFlags, Stop, Trigger, bindgen, serde, tracing};
//! bindgen!({ inline: "package a:b; world timer { export handle-timer-request: func(); }", exports: { default: async } });
//! #[derive(serde::Deserialize)]
//! #[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
//! struct Entry { component: ComponentId, interval_secs: u64 }
//! struct TimerTrigger(Vec<Entry>);
//!
//! impl Trigger for TimerTrigger {
//!     const TYPE: &'static str = "timer";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     type Config = Entry;
//!     type Settings = ();
//!     type Flags = NoFlags;
//!     fn new(_: NoFlags, declared: Declared<Self>) -> Result<Self, Error> {
//!         Ok(Self(declared.entries.into_iter().map(|entry| entry.config).collect()))
//!     }
//!     async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
//!         let mut timers = JoinSet::new();
//!         for Entry { component: id, interval_secs } in self.0 {
//!             let (component, events, stop) = (app.component(&id)?, app.events(&id), stop.clone());
//!             let exports = TimerIndices::new(component.pre())?;
//!             timers.spawn(async move {
//!                 let mut ticks = time::interval(time::Duration::from_secs(interval_secs));
//!                 while stop.unless_requested(ticks.tick()).await.is_some() {
//!                     let call = async {
//!                         let mut event = component.instantiate().await?;
//!                         let (meter, guest) = (event.meter(), exports.load(&mut event.store, &event.instance)?);
//!                         Ok::<_, Error>(meter.run(guest.call_handle_timer_request(&mut event.store)).await?)
//!                     };
//!                     events.handle(call).await.unwrap_or_else(|error| tracing::error!("{error}"));
//!                 }
//!             });
//!         }
//!         app.ready([]);
//!         stop.requested().await;
//!         Ok(drop(timers.join_all().await))
//!     }
//! }
//! fn main() -> std::process::ExitCode { spin_trigger_kit::main::<TimerTrigger>() }
//! ```
//!
//! It is a crate of its own with one dependency, `examples/triggers/timer`. What it doesn't say, the kit does: reading the app and
//! the command line, compiling and limiting components, counting events, ending in order, and going over to a new generation of
//! the app.
//!
//! | module | what is in it |
//! |---|---|
//! | `trigger` | the trait |
//! | `main_loop` | flags, hello, load, ready, drain: the life of the process |
//! | `declared`, `app` | what the app declares for the trigger; the running app |
//! | `generation`, `runs`, `reload` | loading an app, running the trigger for it, going over to a new one |
//! | `control`, `stop` | the control channel and signals; the end |
//! | `metrics`, `counter`, `health`, `readiness`, `admin` | what is counted; how the trigger is, and who may ask |
//! | `flags`, [`durations`], `help` | flags of every trigger; the answers to a host's questions |
//! | `runtime_config`, `cache_config` | the files that flags name |
//! | `settings` | what flags, files and the environment come to |
//! | `refusals` | what of a locked app is refused before anything is prepared |
//! | `preparing` | a word while modules are prepared |
//! | `stdio`, `telemetry` | output of components and of the trigger itself |

mod admin;
mod app;
mod cache_config;
mod compile_only;
mod control;
mod counter;
mod declared;
pub mod durations;
mod error;
mod flags;
mod generation;
mod health;
mod help;
mod main_loop;
mod metrics;
mod preparing;
mod readiness;
mod refusals;
mod reload;
mod runs;
mod runtime_config;
mod settings;
mod stdio;
mod stop;
mod telemetry;
mod trigger;

pub use app::{App, Swap};
pub use counter::Counter;
pub use declared::{Declared, Entry};
pub use error::Error;
pub use main_loop::main;
pub use metrics::{Event, Events};
pub use readiness::{NotReady, Readiness};
pub use stop::Stop;
pub use trigger::{NoFlags, Trigger};

pub use spin_app_model::launch::Endpoint;
pub use spin_app_model::{ComponentId, TriggerType};
pub use spin_component_runtime::instance::Meter;
pub use spin_component_runtime::reuse::{ReuseError, Reused};
pub use spin_component_runtime::{Component, EventInstance, HostState, InvokeError, OutputSink, http, permits};

// What a trigger is written with, in the versions that this kit was built with.
pub use spin_component_runtime::{wasmtime, wasmtime_wasi, wasmtime_wasi_http};
pub use {clap, serde, tokio, tracing};

/// Generates bindings for a trigger's own WIT world.
///
/// Takes what `wasmtime::component::bindgen!` takes in its form with braces. The plain macro expands to paths into
/// `::wasmtime`, which a crate that depends on this kit alone doesn't have; this one goes through the kit, which must be
/// known by its name `spin_trigger_kit`.
#[macro_export]
macro_rules! bindgen {
    ({ $($options:tt)* }) => {
        $crate::wasmtime::component::bindgen!({ wasmtime_crate: ::spin_trigger_kit::wasmtime, $($options)* });
    };
}
