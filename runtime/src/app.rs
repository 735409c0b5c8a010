//! From a locked application to components that are ready.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use spin_app_model::ComponentId;
use spin_app_model::lock::LockedApp;
use wasmtime::component::Linker;

use crate::component::{Component, PrepareError, Shared};
use crate::engine::{EngineOptions, RunningEngine};
use crate::host::egress::{Egress, EgressOptions};
use crate::host::files::MountOptions;
use crate::host::http::{HttpNetwork, HttpOptions};
use crate::host::{AppHost, HostOptions};
use crate::http::Loopback;
use crate::instance::HostState;
use crate::limits::Limits;
use crate::output::Output;
use crate::permits::Permits;
use crate::platform::Platforms;
use crate::prepare::{Compiler, Job, Preparer, Unkept, Work};
use crate::variables::Variables;

/// What can be chosen about running an app's components.
pub struct AppOptions {
    /// The engine's settings.
    pub engine: EngineOptions,
    /// Limits of every instance.
    pub limits: Limits,
    /// The folder below which compiled code is kept and found again. Default: [`cache_folder`]. Without one every start
    /// compiles.
    pub cache: Option<PathBuf>,
    /// Where components' output goes.
    pub output: Arc<dyn Output>,
    /// How files are mounted.
    pub mounts: MountOptions,
    /// Connections that components open.
    pub egress: EgressOptions,
    /// Requests that components send.
    pub outbound_http: HttpOptions,
    /// Everything else that components import.
    pub host: HostOptions,
    /// Adds what components can import besides what every trigger offers. Default: nothing.
    pub link: fn(&mut Linker<HostState>) -> wasmtime::Result<()>,
    /// Held by every component and every instance: when it is dropped, nothing of the app runs any more and none of its
    /// files is used. Default: none.
    pub lease: Option<Arc<dyn Any + Send + Sync>>,
}

impl AppOptions {
    /// The defaults, with an output.
    pub fn new(output: Arc<dyn Output>) -> Self {
        Self {
            engine: EngineOptions::default(),
            limits: Limits::default(),
            cache: cache_folder(),
            output,
            mounts: MountOptions::default(),
            egress: EgressOptions::default(),
            outbound_http: HttpOptions::default(),
            host: HostOptions::default(),
            link: |_| Ok(()),
            lease: None,
        }
    }
}

/// The components of one app that one trigger runs.
pub struct App {
    components: BTreeMap<ComponentId, Arc<Component>>,
    instances: Arc<Permits>,
    http: Arc<HttpNetwork>,
    host: AppHost,
    // Last: components use the engine until they are gone.
    engine: Arc<RunningEngine>,
}

impl App {
    /// Prepares the components `ids` of `locked`; `on_progress` is told how many of how many are done.
    ///
    /// Blocks while it compiles: components in parallel, the largest first.
    ///
    /// # Errors
    /// The first component, in the order of `ids`, that can't be prepared.
    pub fn prepare(
        locked: &LockedApp,
        ids: &[ComponentId],
        variables: &Variables,
        options: &AppOptions,
        on_progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, PrepareError> {
        let places = options.engine.max_instances as usize;
        let egress = Arc::new(Egress::new(&options.egress));
        let ground = Ground {
            engine: Arc::new(RunningEngine::new(&options.engine).map_err(PrepareError::Engine)?),
            instances: Arc::new(Permits::new(places, places)),
            host: AppHost::new(&options.host, &egress, egress.limited(options.egress.max_socket_connections)),
            http: HttpNetwork::new(egress, &options.outbound_http),
        };
        Self::prepare_on(ground, locked, ids, variables, options, on_progress)
    }

    /// Prepares another generation of this app, in the same process: on the same engine, with the same places for
    /// instances, the same connections and the same stores, which `options` therefore can't change.
    ///
    /// This app must be kept until the other one has taken its place: the engine's clock is theirs together.
    ///
    /// # Errors
    /// As [`App::prepare`].
    pub fn prepare_successor(
        &self,
        locked: &LockedApp,
        ids: &[ComponentId],
        variables: &Variables,
        options: &AppOptions,
        on_progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, PrepareError> {
        let ground = Ground {
            engine: Arc::clone(&self.engine),
            instances: Arc::clone(&self.instances),
            http: self.http.successor(),
            host: self.host.clone(),
        };
        Self::prepare_on(ground, locked, ids, variables, options, on_progress)
    }

    fn prepare_on(
        ground: Ground,
        locked: &LockedApp,
        ids: &[ComponentId],
        variables: &Variables,
        options: &AppOptions,
        on_progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, PrepareError> {
        let http = Arc::new(ground.http);
        let compiler = Compiler {
            app: locked,
            platforms: Platforms::new(&ground.engine, options.link, options.cache.as_deref()),
            unkept: Unkept::Tolerated,
            work: Work::default(),
        };
        let shared = Shared {
            limits: options.limits.clone(),
            instances: ground.instances,
            output: Arc::clone(&options.output),
            host: ground.host,
            lease: options.lease.clone(),
        };
        let preparer = Preparer { compiler, shared, variables, mounts: &options.mounts, http: &http };
        let jobs = Job::of(locked, ids)?;
        let prepared = preparer.compiler.run(&jobs, ids, &|job| preparer.prepare(job), on_progress)?;
        let components = prepared.into_iter().map(|(id, component)| (id, Arc::new(component))).collect();
        let Shared { instances, host, .. } = preparer.shared;
        Ok(Self { components, instances, host, http, engine: ground.engine })
    }

    /// A component that was prepared.
    ///
    /// # Errors
    /// [`PrepareError::Unknown`] if it was not.
    pub fn component(&self, id: &ComponentId) -> Result<Arc<Component>, PrepareError> {
        self.components.get(id).cloned().ok_or_else(|| PrepareError::Unknown { id: id.clone() })
    }

    /// All components that were prepared.
    pub fn components(&self) -> impl Iterator<Item = &Arc<Component>> {
        self.components.values()
    }

    /// The places for live instances, of all components together.
    pub fn instances(&self) -> &Arc<Permits> {
        &self.instances
    }

    /// Lets components send requests to the app itself, through the trigger that serves it. Without this, they can't.
    pub fn reach_itself_through(&self, loopback: Weak<dyn Loopback>) {
        self.http.set_loopback(loopback);
    }

    /// Puts values into the default key-value store, and runs statements on SQLite databases, each of the label before it.
    /// For what has to be there before the first event.
    ///
    /// # Errors
    /// The first that fails; what came before it stays.
    pub async fn seed(&self, values: &[(String, String)], statements: &[(String, String)]) -> Result<(), SeedError> {
        for (key, value) in values {
            let failed = |reason: String| SeedError::KeyValue { key: key.clone(), reason };
            self.host.key_value.seed(key, value).await.map_err(|failure| failed(failure.to_string()))?;
        }
        for (label, text) in statements {
            let failed = |reason: String| SeedError::Sqlite { label: label.clone(), reason };
            self.host.sqlite.seed(label, text).await.map_err(|failure| failed(failure.to_string()))?;
        }
        Ok(())
    }
}

/// Why a store can't be given what it is to begin with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// A value of the default key-value store.
    #[error("the value of \"{key}\" can't be stored: {reason}")]
    KeyValue {
        /// Its key.
        key: String,
        /// Why not.
        reason: String,
    },
    /// Statements of a database.
    #[error("a statement for the SQLite database \"{label}\" fails: {reason}")]
    Sqlite {
        /// The database's label.
        label: String,
        /// Why.
        reason: String,
    },
}

/// What all generations of an app stand on.
struct Ground {
    engine: Arc<RunningEngine>,
    instances: Arc<Permits>,
    http: HttpNetwork,
    host: AppHost,
}

/// Where triggers keep compiled code of any engine unless told otherwise: the cache folder of this user.
pub fn cache_folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|cache: PathBuf| cache.join(Path::new("spin")))
}
