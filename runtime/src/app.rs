//! From a locked application to components that are ready.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use spin_app_model::ComponentId;
use spin_app_model::lock::{LockedApp, LockedComponent};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::adapt::{self, FileKind};
use crate::aot::CompiledCode;
use crate::component::{Component, PrepareError, Shared};
use crate::engine::{EngineOptions, RunningEngine};
use crate::host::egress::{Egress, EgressOptions, Gate};
use crate::host::files::{MountOptions, Mounts};
use crate::host::http::{ComponentHttp, HttpNetwork, HttpOptions};
use crate::host::{self, AppHost, ComponentContext, HostOptions};
use crate::http::Loopback;
use crate::instance::HostState;
use crate::limits::Limits;
use crate::output::Output;
use crate::permits::Permits;
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
    /// Blocks while it compiles: components in parallel, the largest first, so that none of the processors
    /// is left with a long one at the end.
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
            host: AppHost::new(&options.host, &egress),
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
        let engine = ground.engine.engine();
        let http = Arc::new(ground.http);
        let mut linker = host::linker(engine).map_err(PrepareError::Engine)?;
        (options.link)(&mut linker).map_err(PrepareError::Engine)?;
        let compiler = Compiler {
            app: locked,
            engine,
            linker,
            cache: options.cache.as_deref().map(|folder| CompiledCode::new(folder, engine)),
            shared: Shared {
                limits: options.limits.clone(),
                instances: ground.instances,
                output: Arc::clone(&options.output),
                host: ground.host,
                lease: options.lease.clone(),
            },
            variables,
            mounts: &options.mounts,
            http: &http,
        };
        let mut jobs = ids
            .iter()
            .map(|id| {
                let component = locked.component(id).ok_or_else(|| PrepareError::Unknown { id: id.clone() })?;
                Job::new(component)
            })
            .collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|job| std::cmp::Reverse(job.size));
        let prepared = compiler.run(&jobs, on_progress);
        let mut components = BTreeMap::new();
        let mut failed = Vec::new();
        for (job, result) in jobs.iter().zip(prepared) {
            match result {
                Ok(component) => drop(components.insert(job.component.id.clone(), Arc::new(component))),
                Err(error) => failed.push((ids.iter().position(|id| *id == job.component.id), error)),
            }
        }
        failed.sort_by_key(|(position, _)| *position);
        match failed.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(Self {
                components,
                instances: compiler.shared.instances,
                host: compiler.shared.host,
                http,
                engine: ground.engine,
            }),
        }
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

    /// The engine that the components run on.
    pub fn engine(&self) -> &Engine {
        self.engine.engine()
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

/// One component to compile.
struct Job<'a> {
    component: &'a LockedComponent,
    path: PathBuf,
    size: u64,
}

impl<'a> Job<'a> {
    fn new(component: &'a LockedComponent) -> Result<Self, PrepareError> {
        let id = || component.id.clone();
        if !component.dependencies.is_empty() {
            return Err(PrepareError::Unsupported { id: id(), what: "component dependencies" });
        }
        let source = component.source.content.source.as_deref();
        let path = source
            .and_then(|source| url::Url::parse(source).ok())
            .and_then(|url| url.to_file_path().ok())
            .ok_or_else(|| PrepareError::Source { id: id(), found: source.unwrap_or("(none)").to_owned() })?;
        let size = std::fs::metadata(&path)
            .map_err(|source| PrepareError::Read { id: id(), path: path.clone(), source })?
            .len();
        Ok(Self { component, path, size })
    }
}

struct Compiler<'a> {
    app: &'a LockedApp,
    engine: &'a Engine,
    linker: Linker<HostState>,
    cache: Option<CompiledCode>,
    shared: Shared,
    variables: &'a Variables,
    mounts: &'a MountOptions,
    http: &'a Arc<HttpNetwork>,
}

impl Compiler<'_> {
    /// Works off the jobs in their order with a thread for each processor; results are in that order too.
    fn run(
        &self,
        jobs: &[Job<'_>],
        on_progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Vec<Result<Component, PrepareError>> {
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Result<Component, PrepareError>>>> =
            jobs.iter().map(|_| Mutex::default()).collect();
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some((job, slot)) = {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        jobs.get(index).zip(results.get(index))
                    } {
                        let result = self.prepare(job);
                        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                        on_progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
                    }
                });
            }
        });
        results
            .into_iter()
            .map(|slot| {
                let result = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
                result.expect("every job was taken by a worker, and the scope has joined them all")
            })
            .collect()
    }

    fn prepare(&self, job: &Job<'_>) -> Result<Component, PrepareError> {
        let locked = job.component;
        let id = || locked.id.clone();
        let values = self.variables.of_component(locked)?;
        let mounts = Mounts::new(locked, self.mounts)?;
        let gate = Arc::new(Gate::new(self.app, locked, self.variables));
        let http =
            ComponentHttp { component: locked.id.clone(), gate: Arc::clone(&gate), network: Arc::clone(self.http) };
        let bytes = std::fs::read(&job.path).map_err(|source| PrepareError::Read {
            id: id(),
            path: job.path.clone(),
            source,
        })?;
        let bytes = adapt::binary(bytes, &job.path).map_err(|source| PrepareError::Text { id: id(), source })?;
        let bytes = match adapt::kind(&bytes) {
            FileKind::Component => adapt::release_candidate::rename(bytes),
            FileKind::Module => adapt::component(&bytes).map_err(|source| PrepareError::Adapt {
                id: id(),
                path: job.path.clone(),
                source,
            })?,
            FileKind::Other(what) => return Err(PrepareError::Kind { id: id(), path: job.path.clone(), what }),
        };
        let compiled = match &self.cache {
            Some(cache) => cache.load_or_compile(self.engine, &bytes),
            None => wasmtime::component::Component::from_binary(self.engine, &bytes),
        }
        .map_err(|source| PrepareError::Compile { id: id(), path: job.path.clone(), source })?;
        let pre = host::with_imports_of(&compiled, &self.linker)
            .and_then(|more| more.as_ref().unwrap_or(&self.linker).instantiate_pre(&compiled))
            .map_err(|source| PrepareError::Link { id: id(), source })?;
        let of = ComponentContext { locked, variables: &values, gate: &gate };
        Ok(Component::new(&of, mounts, http, pre, &self.shared))
    }
}

/// Where triggers keep compiled code of any engine unless told otherwise: the cache folder of this user.
pub fn cache_folder() -> Option<PathBuf> {
    dirs::cache_dir().map(|cache: PathBuf| cache.join(Path::new("spin")))
}
