//! The flags that every trigger has.

mod discreet;
mod store;
mod variable;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgAction;
use clap::error::ErrorKind;
use spin_app_model::launch::env;
use spin_component_runtime::engine::{DEFAULT_MAX_INSTANCES, EngineOptions};
use spin_component_runtime::limits::{DEFAULT_CPU_TIME, Limits};

use self::discreet::Discreet;
use crate::cache_config;
use crate::durations;
use crate::error::Error;

/// The flags that every trigger has. Names, short forms and variables are those of the ecosystem.
#[derive(Clone, clap::Args)]
pub(crate) struct CommonFlags {
    /// Write the output of components to files in this folder; an empty value writes none
    #[arg(short = 'L', long, env = env::LOG_DIR, value_name = "DIR", hide_env_values = true)]
    pub(crate) log_dir: Option<String>,

    /// Empty the log files at start
    #[arg(long)]
    pub(crate) truncate_logs: bool,

    /// Show the output of this component only; may be given several times
    #[arg(long, value_name = "ID", action = ArgAction::Append)]
    pub(crate) follow: Vec<String>,

    /// Show no output of components
    #[arg(short, long, visible_aliases = ["sh", "shush"], conflicts_with = "follow")]
    pub(crate) quiet: bool,

    /// Read settings from this file (TOML): folders, limits, providers of variables
    #[arg(long, env = env::RUNTIME_CONFIG_FILE, value_name = "FILE", hide_env_values = true)]
    pub(crate) runtime_config_file: Option<PathBuf>,

    /// The folder for local state [default: .spin beside the manifest]; an empty value keeps none
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,

    /// Let components change mounted files
    #[arg(long)]
    pub(crate) allow_transient_write: bool,

    /// Give a variable a value: NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml. Visible to other users of
    /// this machine: put secrets into a file or the environment (SPIN_VARIABLE_NAME)
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append, value_parser = Discreet(variable::Given::parse))]
    variable: Vec<variable::Given>,

    /// Put a value into the default key-value store at start: KEY=VALUE. Visible to other users of this machine
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, value_parser = Discreet(store::key_value))]
    pub(crate) key_value: Vec<(String, String)>,

    /// Run SQL at start: a statement for the default database, @FILE, or @FILE:LABEL for another one
    #[arg(long, value_name = "SQL", action = ArgAction::Append, value_parser = Discreet(store::sqlite))]
    sqlite: Vec<store::Statements>,

    /// Let components send telemetry. Not in this version
    #[arg(long)]
    experimental_wasi_otel: bool,

    /// Neither use nor keep compiled code
    #[arg(long, env = env::DISABLE_CACHE, value_parser = clap::builder::FalseyValueParser::new(), action = ArgAction::SetTrue)]
    disable_cache: bool,

    /// Keep compiled code where this file says (TOML, Wasmtime's cache configuration)
    #[arg(long, env = env::CACHE_FILE, value_name = "FILE", hide_env_values = true)]
    cache: Option<PathBuf>,

    /// Compile the components, keep their code for later starts, and end: no event is taken, and nothing is needed but the
    /// application itself
    #[arg(long)]
    pub(crate) compile_only: bool,

    /// Allocate the memory of instances on demand instead of from a pool
    #[arg(long)]
    disable_pooling: bool,

    /// Compile with debug information for gdb and lldb
    #[arg(long)]
    debug_info: bool,

    /// The most memory of an instance, in bytes
    #[arg(long, env = env::MAX_INSTANCE_MEMORY, value_name = "BYTES")]
    max_instance_memory: Option<usize>,

    /// The most instances at once; as many more events wait, further ones are refused
    #[arg(long, env = env::MAX_INSTANCE_COUNT, value_name = "N", default_value_t = DEFAULT_MAX_INSTANCES, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_instances: u32,

    /// Answer /healthz, /readyz and /metrics at this address, for a trigger that was started by hand: under `spin up` it is
    /// spin's own flag
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// The most processor time of an event, in seconds or with a suffix (ms, us, ns)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = durations::parse)]
    max_cpu_time: Duration,
}

impl CommonFlags {
    /// What is wrong with the flags together.
    ///
    /// # Errors
    /// A usage error, to be formatted by the command.
    pub(crate) fn check(&self) -> Result<(), clap::Error> {
        // Not left to clap, which would also refuse a variable that says no.
        if self.disable_cache && self.cache.is_some() {
            let message = format!(
                "--disable-cache ({}) and --cache ({}) exclude each other",
                env::DISABLE_CACHE,
                env::CACHE_FILE
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        if self.compile_only && self.disable_cache {
            let message = format!(
                "--compile-only fills the cache that --disable-cache ({}) turns off: leave one of them out",
                env::DISABLE_CACHE
            );
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
        }
        Ok(())
    }

    /// Refuses flags of the ecosystem whose effect is still to come.
    ///
    /// # Errors
    /// Names all of them: an app would miss what they do.
    pub(crate) fn refuse_unavailable(&self) -> Result<(), Error> {
        let flags = [("--experimental-wasi-otel", self.experimental_wasi_otel)];
        let given: Vec<&str> = flags.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
        if given.is_empty() {
            return Ok(());
        }
        let message = format!("not in this version of the trigger: {}; start without", given.join(", "));
        Err(Error::new("trigger::unavailable-flag", message))
    }

    /// The folder for compiled code; none if it is not to be kept.
    ///
    /// # Errors
    /// When the cache configuration can't be read.
    pub(crate) fn cache(&self) -> Result<Option<PathBuf>, Error> {
        match &self.cache {
            _ if self.disable_cache => Ok(None),
            Some(file) => cache_config::folder(file),
            None => Ok(spin_component_runtime::app::cache_folder()),
        }
    }

    pub(crate) fn engine(&self) -> EngineOptions {
        // The variable of the ecosystem can only turn pooling off here: it is on by default.
        let off = std::env::var(env::WASMTIME_POOLING).is_ok_and(|value| value == "0");
        EngineOptions {
            pooling: !self.disable_pooling && !off,
            max_instances: self.max_instances,
            debug_info: self.debug_info,
        }
    }

    /// The flag wins over `configured`.
    pub(crate) fn limits(&self, configured: Option<usize>) -> Limits {
        debug_assert!(DEFAULT_CPU_TIME == Duration::from_secs(10), "the flag's default is the runtime's");
        Limits { cpu_time: self.max_cpu_time, memory: self.max_instance_memory.or(configured) }
    }

    /// What `--sqlite` says is to run, each with the label of its database before it, in order.
    ///
    /// # Errors
    /// For a file that can't be read.
    pub(crate) fn statements(&self) -> Result<Vec<(String, String)>, Error> {
        self.sqlite.iter().map(store::Statements::read).collect()
    }

    /// The values of `--variable`; later ones win.
    ///
    /// # Errors
    /// For a file that can't be read.
    pub(crate) fn variables(&self) -> Result<BTreeMap<String, String>, Error> {
        variable::values(&self.variable)
    }
}

/// A folder as a flag or a file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// This one; absolute.
    At(PathBuf),
    /// There shall be none: the name is empty.
    None,
}

impl Folder {
    /// `name` as seen from the folder `base`, where an empty path is the working folder.
    pub(crate) fn named(name: &str, base: &Path) -> Self {
        if name.is_empty() {
            return Self::None;
        }
        let path = base.join(name);
        // Without a working folder there is nothing better than the name itself.
        Self::At(std::path::absolute(&path).unwrap_or(path))
    }
}
