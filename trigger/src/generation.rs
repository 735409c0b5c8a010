//! From a place where a locked app lies to an app that is ready for events: for the first generation and for every later one.

use std::path::PathBuf;
use std::sync::Arc;

use spin_app_model::ComponentId;
use spin_app_model::launch::env::LOCKED_URL;
use spin_app_model::lock::LockedApp;
use spin_component_runtime::variables::{Environment, Provider, Variables};
use spin_component_runtime::{App as Components, AppOptions, HostOptions, LlmOptions};

use crate::app::{App, Lease};
use crate::control::Control;
use crate::declared::Declared;
use crate::error::Error;
use crate::flags::CommonFlags;
use crate::refusals;
use crate::runtime_config::RuntimeConfig;
use crate::settings::{self, Stores};
use crate::trigger::Trigger;

/// Where a generation of the app lies.
pub(crate) struct Source {
    lock: PathBuf,
    working_dir: PathBuf,
}

impl Source {
    /// # Errors
    /// When the lock's place is not a file URL.
    pub(crate) fn new(locked_url: &str, working_dir: PathBuf) -> Result<Self, Error> {
        let lock = url::Url::parse(locked_url).ok().and_then(|url| url.to_file_path().ok());
        let lock = lock.ok_or_else(|| {
            Error::new("trigger::environment", format!("{LOCKED_URL}={locked_url} is not a file URL"))
        })?;
        Ok(Self { lock, working_dir })
    }

    /// Reads the locked app.
    ///
    /// # Errors
    /// When it can't be read, or needs more than a trigger of type `T` offers.
    pub(crate) fn read<T: Trigger>(&self) -> Result<LockedApp, Error> {
        let locked = LockedApp::read(&self.lock).map_err(|error| Error::new(error.code(), error))?;
        locked
            .require_only(T::TYPE, T::host_requirements())
            .map_err(|error| Error::new("trigger::requirement", error))?;
        Ok(locked)
    }
}

/// What is the same for all generations: what whoever started the trigger has chosen.
pub(crate) struct Loader {
    flags: CommonFlags,
    config: RuntimeConfig,
    logs: Option<PathBuf>,
}

impl Loader {
    pub(crate) fn new(flags: CommonFlags, config: RuntimeConfig) -> Self {
        let logs = settings::log_folder(&flags, &config);
        Self { flags, config, logs }
    }

    /// Where the output of components goes, if it goes into files.
    pub(crate) fn logs(&self) -> Option<&std::path::Path> {
        self.logs.as_deref()
    }

    /// Reads a generation, and everything that can be wrong with it before it is compiled. Values of variables are looked up
    /// anew.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) async fn read<T: Trigger>(&mut self, source: &Source) -> Result<Read, Error> {
        let locked = source.read::<T>()?;
        let ids = Declared::<T>::read(&locked)?.components();
        let stores = Stores::new(&self.flags, &self.config);
        refusals::check(&locked, &ids, &stores)?;
        let mut providers = self.config.variables_providers();
        providers.push(Provider::Environment(Environment::usual()));
        let variables = Variables::resolve(&locked, &self.flags.variables()?, &providers).await?;
        let lease = Arc::new(Lease::default());
        let working_dir = source.working_dir.clone();
        let mut options =
            settings::app_options(&self.flags, &self.config, &locked, &ids, self.logs.as_deref(), working_dir)?;
        let notices = stores.notices(&locked, &ids);
        options.host = HostOptions {
            key_value: stores.key_value,
            llm: LlmOptions { compute: self.config.llm_compute.clone().unwrap_or_default() },
            mqtt: self.config.outbound_mqtt.clone(),
            mysql: self.config.outbound_mysql.clone(),
            postgres: self.config.outbound_pg.clone(),
            redis: self.config.outbound_redis.clone(),
            sqlite: stores.sqlite,
        };
        let seeds = Seeds { values: self.flags.key_value.clone(), statements: self.flags.statements()? };
        options.link = T::link;
        options.lease = Some(Arc::clone(&lease) as _);
        // Only a start empties them.
        self.flags.truncate_logs = false;
        Ok(Read { locked, ids, variables, options, lease, notices, seeds })
    }
}

/// A generation that can be compiled.
pub(crate) struct Read {
    locked: LockedApp,
    ids: Vec<ComponentId>,
    variables: Variables,
    options: AppOptions,
    lease: Arc<Lease>,
    notices: Vec<String>,
    seeds: Seeds,
}

/// What stores are to begin with.
struct Seeds {
    values: Vec<(String, String)>,
    statements: Vec<(String, String)>,
}

impl Read {
    /// Lines for the person who starts the app.
    pub(crate) fn notices(&self) -> &[String] {
        &self.notices
    }

    /// What it declares for the trigger.
    pub(crate) fn declared<T: Trigger>(&self) -> Result<Declared<T>, Error> {
        Declared::read(&self.locked)
    }

    /// Compiles it: the first one, or one beside a `predecessor`.
    ///
    /// # Errors
    /// The first component that can't be prepared.
    pub(crate) async fn prepare(self, predecessor: Option<&App>, control: &Control) -> Result<App, Error> {
        let predecessor = predecessor.cloned();
        let control = control.clone();
        let preparing = tokio::task::spawn_blocking(move || {
            let Self { locked, ids, variables, options, lease, notices: _, seeds } = self;
            let components = match &predecessor {
                Some(app) => app
                    .components()
                    .prepare_successor(&locked, &ids, &variables, &options, &|_, _| {})
                    .map_err(Error::from),
                None => {
                    let progress = |done, of| control.progress("compile", done, of);
                    let components = Components::prepare(&locked, &ids, &variables, &options, &progress)?;
                    // Later generations find there what the first one was given.
                    let seeding = components.seed(&seeds.values, &seeds.statements);
                    tokio::runtime::Handle::current().block_on(seeding)?;
                    Ok(components)
                }
            }?;
            control.health().metrics.watch(components.components());
            let metrics = control.health().metrics.clone();
            let readiness = control.health().readiness.clone();
            let hook = predecessor.map(|app| app.hook()).unwrap_or_default();
            lease.belongs_to(control);
            Ok(App::new(components, variables, locked, metrics, readiness, hook, lease))
        });
        preparing.await.map_err(|error| Error::new("trigger::prepare", error))?
    }
}
