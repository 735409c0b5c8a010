//! The one trait that a trigger implements.

use serde::de::DeserializeOwned;
use spin_component_runtime::HostState;
use spin_component_runtime::wasmtime;
use wasmtime::component::Linker;

use crate::app::App;
use crate::declared::Declared;
use crate::error::Error;
use crate::stop::Stop;

/// A trigger: a source of events and what they call in components.
///
/// A process of the trigger serves one app. The kit reads the command line and the app, speaks with the host, compiles
/// the components and keeps their limits; the trigger says what its configuration looks like and turns events into
/// calls.
pub trait Trigger: Sized + Send + 'static {
    /// The type: the `T` in `[[trigger.T]]`; the plugin is named `trigger-T`.
    const TYPE: &'static str;

    /// The version shown to the host; normally `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;

    /// Whether it takes new generations of its app while it runs. Default: yes. One that has a single event, such as a job,
    /// can't: the host then says that a restart is needed.
    const RELOADS: bool = true;

    /// One `[[trigger.T]]` entry. The component, if the entry names one, is in its field `component`.
    type Config: DeserializeOwned + Send + Sync + 'static;

    /// The app's settings of the trigger, `[application.trigger.T]`; the default if there are none.
    type Settings: DeserializeOwned + Default + Send + Sync + 'static;

    /// Flags of the trigger's own; [`NoFlags`] if it has none.
    type Flags: clap::Args + Clone + Send + 'static;

    /// The host requirements that this trigger meets. An app that needs another is refused with its name.
    fn host_requirements() -> &'static [&'static str] {
        &[]
    }

    /// How the trigger is called in help texts: the type with a capital letter.
    fn display_name() -> String {
        let mut letters = Self::TYPE.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }

    /// Adds host interfaces of the trigger's own to what components can import: `add_to_linker` of bindings that were made
    /// with [`bindgen!`](crate::bindgen). What such an interface keeps for an instance is in [`HostState::own`].
    ///
    /// # Errors
    /// The linker's.
    fn link(_linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        Ok(())
    }

    /// Looks at the flags and the configuration, before anything is compiled: at the start and, without a hook for reloads,
    /// for every new generation of the app. With `--compile-only` nothing of the trigger is called but [`link`](Self::link).
    ///
    /// # Errors
    /// Whatever makes it pointless to start.
    fn new(flags: Self::Flags, declared: Declared<Self>) -> Result<Self, Error>;

    /// Makes ready whatever else may fail, such as a connection to where events come from: after the components are compiled
    /// and before [`run`](Self::run). No events may be taken yet: in a reload, the trigger whose place this one takes goes on
    /// until all triggers of the app are prepared, and this one is dropped if one isn't. How long that takes is for the others
    /// to say, and nothing of this trigger runs meanwhile: a connection may be lost by then. Default: nothing.
    ///
    /// # Errors
    /// Whatever makes it pointless to run. At the start the app ends; in a reload it goes on as it was.
    fn prepare(&mut self, _app: &App) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// Serves events until the end is asked for.
    ///
    /// An app that changes while it runs ends this trigger, and another one goes on in its place; one that wants to go on
    /// itself says so with [`App::on_reload`].
    ///
    /// Call [`App::ready`] once events are taken. When `stop` is requested, take no new events, finish those in
    /// flight and return; what has not returned within the grace is cut.
    ///
    /// # Errors
    /// When the trigger can't go on; the host ends the app then.
    fn run(self, app: App, stop: Stop) -> impl Future<Output = Result<(), Error>> + Send;
}

/// The flags of a trigger that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct NoFlags {}
