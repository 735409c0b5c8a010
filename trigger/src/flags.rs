//! The flags that every trigger has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;
use spin_component_runtime::engine::{DEFAULT_MAX_INSTANCES, EngineOptions};
use spin_component_runtime::limits::{DEFAULT_CPU_TIME, Limits};

use crate::durations;
use crate::error::Error;

/// The flags that every trigger has. Names, short forms and variables are those of the ecosystem.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CommonFlags {
    /// Write the output of components to files in this folder; an empty value writes none
    #[arg(short = 'L', long, env = "SPIN_LOG_DIR", value_name = "DIR", hide_env_values = true)]
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

    /// The folder for local state [default: .spin beside the manifest]; an empty value keeps none
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<String>,

    /// Let components change mounted files
    #[arg(long)]
    pub(crate) allow_transient_write: bool,

    /// Give a variable a value: NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml. Visible to other users of
    /// this machine: put secrets into a file or the environment (SPIN_VARIABLE_NAME)
    #[arg(long, value_name = "NAME=VALUE", action = ArgAction::Append)]
    variable: Vec<String>,

    /// Neither use nor keep compiled code
    #[arg(long, env = "DISABLE_WASMTIME_CACHE", value_parser = clap::builder::FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(crate) disable_cache: bool,

    /// Allocate the memory of instances on demand instead of from a pool
    #[arg(long)]
    disable_pooling: bool,

    /// Compile with debug information for gdb and lldb
    #[arg(long)]
    debug_info: bool,

    /// The most memory of an instance, in bytes
    #[arg(long, env = "SPIN_MAX_INSTANCE_MEMORY", value_name = "BYTES")]
    max_instance_memory: Option<usize>,

    /// The most instances at once; as many more events wait, further ones are refused
    #[arg(long, env = "SPIN_MAX_INSTANCE_COUNT", value_name = "N", default_value_t = DEFAULT_MAX_INSTANCES, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_instances: u32,

    /// The most processor time of an event, in seconds or with a suffix (ms, us, ns)
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = durations::parse)]
    max_cpu_time: Duration,
}

impl CommonFlags {
    pub(crate) fn engine(&self) -> EngineOptions {
        // The variable of the ecosystem can only turn pooling off here: it is on by default.
        let off = std::env::var("SPIN_WASMTIME_POOLING").is_ok_and(|value| value == "0");
        EngineOptions {
            pooling: !self.disable_pooling && !off,
            max_instances: self.max_instances,
            debug_info: self.debug_info,
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        debug_assert!(DEFAULT_CPU_TIME == Duration::from_secs(10), "the flag's default is the runtime's");
        Limits { cpu_time: self.max_cpu_time, memory: self.max_instance_memory }
    }

    /// The values of `--variable`; later ones win.
    ///
    /// # Errors
    /// For a form that isn't one, and a file that can't be read.
    pub(crate) fn variables(&self) -> Result<BTreeMap<String, String>, Error> {
        let mut values = BTreeMap::new();
        for given in &self.variable {
            read_variable(given, &mut values)
                .map_err(|why| Error::new("trigger::variable-flag", format!("--variable {why}")))?;
        }
        Ok(values)
    }
}

// Messages never quote a value: it may be a secret.
fn read_variable(given: &str, values: &mut BTreeMap<String, String>) -> Result<(), String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("@{path}: {error}"));
    if let Some(path) = given.strip_prefix('@') {
        let text = read(path)?;
        let table: BTreeMap<String, String> = if path.ends_with(".json") {
            serde_json::from_str(&text).map_err(|error| {
                format!("@{path}: not an object of strings (line {}, column {})", error.line(), error.column())
            })?
        } else if path.ends_with(".toml") {
            toml::from_str(&text).map_err(|error: toml::de::Error| {
                let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
                format!("@{path}: not a table of strings (line {line})")
            })?
        } else {
            return Err(format!("@{path}: expected a file ending in .json or .toml"));
        };
        values.extend(table);
        return Ok(());
    }
    let Some((name, value)) = given.split_once('=') else {
        return Err("needs the form NAME=VALUE, NAME=@FILE, @FILE.json or @FILE.toml".to_owned());
    };
    let value = match value.strip_prefix('@') {
        Some(path) => read(path).map_err(|why| format!("{name}={why}"))?,
        None => value.to_owned(),
    };
    values.insert(name.to_owned(), value);
    Ok(())
}

/// Where a trigger keeps local state, and where logs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folders {
    pub(crate) logs: Option<PathBuf>,
}

impl CommonFlags {
    /// `app_folder` is the manifest's folder, if the app has one.
    pub(crate) fn folders(&self, app_folder: Option<&std::path::Path>) -> Folders {
        let given = |value: &Option<String>| value.as_ref().map(|dir| (!dir.is_empty()).then(|| PathBuf::from(dir)));
        let state = given(&self.state_dir).unwrap_or_else(|| app_folder.map(|folder| folder.join(".spin")));
        let logs = given(&self.log_dir).unwrap_or_else(|| state.map(|state| state.join("logs")));
        Folders { logs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_arguments_and_files() {
        let folder = std::env::temp_dir();
        let json = folder.join(format!("spin-kit-{}.json", std::process::id()));
        std::fs::write(&json, r#"{"a": "1", "b": "2"}"#).expect("written");
        let mut values = BTreeMap::new();
        read_variable(&format!("@{}", json.display()), &mut values).expect("a table");
        read_variable("b=x=y", &mut values).expect("a pair");
        std::fs::remove_file(&json).expect("removed");
        assert_eq!(values, BTreeMap::from([("a".into(), "1".into()), ("b".into(), "x=y".into())]));
        let error = read_variable("secret", &mut values).expect_err("no value");
        assert!(!error.contains("secret"), "{error}");
        assert!(read_variable("@file.yaml", &mut values).is_err());
    }
}
