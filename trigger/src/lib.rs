//! Everything a trigger author needs: this crate is a trigger's only dependency on spin.
//!
//! A trigger is a program named `trigger-<type>`, installed as a plugin. `spin up` starts it for apps that have
//! `[[trigger.<type>]]` entries. An implementation of [`Trigger`] and a one-line `main` make one:
//!
//! ```no_run
//! use spin_trigger_kit::serde::Deserialize;
//! use spin_trigger_kit::{App, Component, ComponentId, Declared, Error, NoFlags, Stop, Trigger, tokio};
//! use std::{sync::Arc, time::Duration};
//!
//! struct Timer(Vec<Entry>);
//!
//! #[derive(Deserialize)]
//! #[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
//! struct Entry { component: ComponentId, interval_secs: u64 }
//!
//! impl Trigger for Timer {
//!     const TYPE: &'static str = "timer";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     type Config = Entry;
//!     type Settings = ();
//!     type Flags = NoFlags;
//!
//!     fn new(_: NoFlags, declared: Declared<Self>) -> Result<Self, Error> {
//!         Ok(Self(declared.entries.into_iter().map(|entry| entry.config).collect()))
//!     }
//!
//!     async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
//!         for entry in self.0 {
//!             let component = app.component(&entry.component)?;
//!             tokio::spawn(async move {
//!                 let mut ticks = tokio::time::interval(Duration::from_secs(entry.interval_secs));
//!                 loop { ticks.tick().await; fire(&component).await.ok(); }
//!             });
//!         }
//!         app.ready([]);
//!         Ok(stop.requested().await)
//!     }
//! }
//!
//! async fn fire(component: &Arc<Component>) -> Result<(), Error> {
//!     let mut event = component.instantiate().await?;
//!     let handle = event.instance.get_func(&mut event.store, "handle-timer-request");
//!     # let _ = handle;
//!     // … call it under `event.meter().run(…)`
//!     Ok(())
//! }
//! # fn main() { spin_trigger_kit::main::<Timer>(); }
//! ```
//!
//! | module | what is in it |
//! |---|---|
//! | `trigger` | the trait |
//! | `main_loop` | flags, hello, load, ready, drain: the life of the process |
//! | `declared`, `app` | what the app declares for the trigger; the running app |
//! | `control`, `stop` | the control channel and signals; the end |
//! | `flags`, [`durations`], `help` | flags of every trigger; the answers to a host's questions |
//! | `runtime_config`, `cache_config` | the files that flags name |
//! | `settings` | what flags, files and the environment come to |
//! | `refusals` | what of a locked app is refused before anything is prepared |
//! | `preparing` | a word while modules are prepared |
//! | `stdio`, `telemetry` | output of components and of the trigger itself |

mod app;
mod cache_config;
mod control;
mod declared;
pub mod durations;
mod error;
mod flags;
mod help;
mod main_loop;
mod preparing;
mod refusals;
mod runtime_config;
mod settings;
mod stdio;
mod stop;
mod telemetry;
mod trigger;

pub use app::App;
pub use declared::{Declared, Entry};
pub use error::Error;
pub use main_loop::main;
pub use stop::Stop;
pub use trigger::{NoFlags, Trigger};

pub use spin_app_model::launch::Endpoint;
pub use spin_app_model::{ComponentId, TriggerType};
pub use spin_component_runtime::instance::Meter;
pub use spin_component_runtime::{Component, EventInstance, HostState, InvokeError, http, permits};

// What a trigger is written with, in the versions that this kit was built with.
pub use spin_component_runtime::{wasmtime, wasmtime_wasi_http};
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
