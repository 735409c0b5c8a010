//! Components made ready: compiled, linked, with all that doesn't change from event to event.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use spin_app_model::ComponentId;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store};

use crate::adapt::pre_release;
use crate::host::files::Mounts;
use crate::host::http::ComponentHttp;
use crate::host::sockets::ComponentSockets;
use crate::host::wasi::{CommandLine, WasiTemplate};
use crate::host::{AppHost, ComponentContext, ComponentHost};
use crate::http::{EventContext, Handler};
use crate::instance::{EventInstance, HostState, Lease, new_store, new_store_with};
use crate::limits::Limits;
use crate::output::{Output, OutputSink};
use crate::permits::{Full, Permit, Permits};

/// Why a component can't be made ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The lock names no component of this id.
    #[error("the application has no component \"{id}\"")]
    Unknown {
        /// The id that was asked for.
        id: ComponentId,
    },
    /// The lock entry has no `source`, or one that is no file URL.
    #[error("component \"{id}\": its source {found} is not a file URL")]
    Source {
        /// Whose source.
        id: ComponentId,
        /// What was found.
        found: String,
    },
    /// The file can't be read.
    #[error("component \"{id}\": {} can't be read: {source}", path.display())]
    Read {
        /// Whose source.
        id: ComponentId,
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file isn't a component.
    #[error("component \"{id}\": {} {what}", path.display())]
    Kind {
        /// Whose source.
        id: ComponentId,
        /// Where.
        path: PathBuf,
        /// What it is instead, and what to do.
        what: &'static str,
    },
    /// The file nests too deep to be read.
    #[error("component \"{id}\": {} has {source}, which is more than is read; build it anew, with fewer of them", path.display())]
    TooDeep {
        /// Whose source.
        id: ComponentId,
        /// Where.
        path: PathBuf,
        /// What of it.
        source: crate::adapt::nesting::TooDeep,
    },
    /// The file should be the text form of WebAssembly and isn't.
    #[error("component \"{id}\": {source}")]
    Text {
        /// Whose source.
        id: ComponentId,
        /// What is wrong with it, with the line.
        source: wat::Error,
    },
    /// A core module that can't be made a component.
    #[error("component \"{id}\": {} can't be made a component: {source}", path.display())]
    Adapt {
        /// Whose source.
        id: ComponentId,
        /// Where.
        path: PathBuf,
        /// Why.
        source: crate::adapt::AdaptError,
    },
    /// Files that can't be mounted.
    #[error(transparent)]
    Mount(#[from] crate::host::files::MountError),
    /// Dependencies that the component can't be composed with.
    #[error("component \"{id}\": {}", pre_release::original(&source.to_string()))]
    Compose {
        /// Whose dependencies.
        id: ComponentId,
        /// Why not.
        source: crate::compose::ComposeError,
    },
    /// What reads, converts or composes the files panicked.
    #[error(
        "component \"{id}\"{} can't be made ready, as its code holds what this version can't read ({what}); build it with \
         another SDK, or leave out what is new in it",
        with(dependencies)
    )]
    Panicked {
        /// Whose files.
        id: ComponentId,
        /// Its dependencies, any of which may be meant.
        dependencies: Vec<String>,
        /// What was said.
        what: String,
    },
    /// Wasmtime refuses the component.
    #[error("component \"{id}\": {} does not compile: {source:#}", path.display())]
    Compile {
        /// Whose source.
        id: ComponentId,
        /// Where.
        path: PathBuf,
        /// Why.
        source: wasmtime::Error,
    },
    /// The component imports something that isn't offered.
    #[error(
        "component \"{id}\" imports what this version of the trigger does not offer: {}",
        pre_release::original(&format!("{source:#}"))
    )]
    Link {
        /// Who imports.
        id: ComponentId,
        /// What.
        source: wasmtime::Error,
    },
    /// The code was to be kept and can't be.
    #[error("component \"{id}\" compiles, but its code can't be kept in {}: {source:#}", folder.display())]
    Keep {
        /// Whose code.
        id: ComponentId,
        /// Where.
        folder: PathBuf,
        /// Why.
        source: wasmtime::Error,
    },
    /// A variable of the component has no value.
    #[error(transparent)]
    Variable(#[from] crate::variables::VariableError),
    /// The engine can't be made on this machine.
    #[error("the WebAssembly engine can't be started: {0:#}")]
    Engine(wasmtime::Error),
}

/// Dependencies, as a part of a message.
fn with(dependencies: &[String]) -> String {
    match dependencies {
        [] => String::new(),
        names => format!(" with its dependencies \"{}\"", names.join("\", \"")),
    }
}

/// All of a component that is the same for every event.
pub(crate) struct Template {
    pub(crate) id: ComponentId,
    pub(crate) wasi: WasiTemplate,
    pub(crate) host: Arc<ComponentHost>,
    pub(crate) http: Arc<ComponentHttp>,
    pub(crate) lease: Arc<Lease>,
}

/// A component that is ready for events.
pub struct Component {
    pub(crate) template: Template,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) instances: Arc<Permits>,
}

/// What every component of a process shares.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) instances: Arc<Permits>,
    pub(crate) output: Arc<dyn Output>,
    pub(crate) host: AppHost,
    pub(crate) lease: Option<Arc<dyn Any + Send + Sync>>,
}

impl Component {
    pub(crate) fn new(
        of: &ComponentContext<'_>,
        mounts: Mounts,
        http: ComponentHttp,
        pre: InstancePre<HostState>,
        shared: &Shared,
    ) -> Self {
        let sockets = ComponentSockets { gate: Arc::clone(of.gate), egress: Arc::clone(&shared.host.sockets) };
        let template = Template {
            id: of.locked.id.clone(),
            wasi: WasiTemplate::new(&of.locked.id, of.locked.env.clone(), mounts, sockets, &*shared.output),
            host: Arc::new(ComponentHost::new(&shared.host, of)),
            http: Arc::new(http),
            lease: Arc::new(Lease(shared.lease.clone())),
        };
        let engine = pre.engine().clone();
        Self { template, pre, engine, limits: shared.limits.clone(), instances: Arc::clone(&shared.instances) }
    }

    /// The component's id in the manifest.
    pub fn id(&self) -> &ComponentId {
        &self.template.id
    }

    /// The names of everything the component exports, such as `wasi:http/handler@0.3.0`, as its author knows them. What is of a
    /// pre-release of WASI is called by bindings of the release, but can't be looked up by its own name.
    pub fn exports(&self) -> Vec<String> {
        let exports = self.pre.component().component_type();
        exports.exports(&self.engine).map(|(name, _)| pre_release::original(name)).collect()
    }

    /// How many instances live.
    pub fn live_instances(&self) -> usize {
        // One is the component's own.
        Arc::strong_count(&self.template.lease) - 1
    }

    /// A handler of HTTP events, by what the component exports.
    ///
    /// # Errors
    /// Names what the component exports instead.
    pub fn http_handler(
        self: &Arc<Self>,
        options: crate::http::HandlerOptions,
    ) -> Result<Handler, crate::http::NotAHandler> {
        Handler::new(self, options)
    }

    /// A handler of HTTP events that runs the component, a command, as a CGI script. `argv` is the template of its
    /// arguments, with `${SCRIPT_NAME}` for the request's path and `${ARGS}` for the parts of its query.
    ///
    /// # Errors
    /// Names what the component exports instead.
    pub fn wagi_handler(
        self: &Arc<Self>,
        argv: String,
        options: crate::http::HandlerOptions,
    ) -> Result<Handler, crate::http::NotAHandler> {
        Handler::wagi(self, argv, options)
    }

    /// What an instance is made from: generated bindings check their exports against it, once, before any event.
    pub fn pre(&self) -> &InstancePre<HostState> {
        &self.pre
    }

    /// A fresh instance for one event; it keeps its place among all instances until it is dropped.
    ///
    /// # Errors
    /// [`InvokeError::Full`] when too many instances live already, else what instantiation trapped with.
    pub async fn instantiate(&self) -> Result<EventInstance, InvokeError> {
        self.instantiate_for(&EventContext::default()).await
    }

    /// The same for a command (`wasi:cli/run`) that is called with `arguments`, of which the first is its name by custom, and
    /// that writes its standard output to `stdout`. It has no input.
    ///
    /// # Errors
    /// Those of [`Component::instantiate`].
    pub async fn instantiate_with(
        &self,
        arguments: Vec<String>,
        stdout: Arc<dyn OutputSink>,
    ) -> Result<EventInstance, InvokeError> {
        let line = CommandLine { arguments, variables: BTreeMap::new(), stdin: Bytes::new(), stdout };
        self.instantiate_command(line, &EventContext::default()).await
    }

    /// The same for an event that others may wait for.
    pub(crate) async fn instantiate_for(&self, event: &EventContext) -> Result<EventInstance, InvokeError> {
        let permit = self.place(event).await?;
        let store = new_store(&self.engine, &self.template, &self.limits).map_err(InvokeError::Instantiate)?;
        self.instantiate_in(store, event, permit).await
    }

    /// The same for a command, with what it is called with.
    pub(crate) async fn instantiate_command(
        &self,
        line: CommandLine,
        event: &EventContext,
    ) -> Result<EventInstance, InvokeError> {
        let permit = self.place(event).await?;
        let wasi = self.template.wasi.instantiate_command(line);
        let store = wasi
            .and_then(|wasi| new_store_with(&self.engine, &self.template, &self.limits, wasi))
            .map_err(InvokeError::Instantiate)?;
        self.instantiate_in(store, event, permit).await
    }

    /// A place among all instances. Whoever waits for a chained event holds one, so that to wait might be for ever.
    pub(crate) async fn place(&self, event: &EventContext) -> Result<Permit, Full> {
        match event.is_chained() {
            true => self.instances.acquire_now(),
            false => self.instances.acquire().await,
        }
    }

    async fn instantiate_in(
        &self,
        mut store: Store<HostState>,
        event: &EventContext,
        permit: Permit,
    ) -> Result<EventInstance, InvokeError> {
        store.data().meter.serves_only(event);
        let meter = crate::instance::Meter(Arc::clone(&store.data().meter));
        let instance = meter.run(self.pre.instantiate_async(&mut store)).await.map_err(InvokeError::Instantiate)?;
        Ok(EventInstance { store, instance, _permit: permit })
    }
}

/// Why a component could not take an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// Too many at once.
    #[error(transparent)]
    Full(#[from] Full),
    /// The instance can't be made.
    #[error("the component can't be instantiated: {0:#}")]
    Instantiate(wasmtime::Error),
    /// The guest trapped, or used up what it may use.
    #[error("{0:#}")]
    Trap(wasmtime::Error),
}
