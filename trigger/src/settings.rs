//! What flags, the runtime configuration and the surroundings come to. A flag wins over the file, and both over what is
//! usual.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spin_app_model::ComponentId;
use spin_app_model::launch::env::{DATA_DIR, LOCAL_APP_DIR};
use spin_app_model::lock::LockedApp;
use spin_component_runtime::{AppOptions, KeyValueOptions, KeyValueStore, MountOptions, SqliteDatabase, SqliteOptions};

use crate::error::Error;
use crate::flags::{CommonFlags, Folder};
use crate::runtime_config::RuntimeConfig;
use crate::stdio::{ComponentLogs, Shown};

/// The folder for the output of components, if there is to be one.
pub(crate) fn log_folder(flags: &CommonFlags, config: &RuntimeConfig) -> Option<PathBuf> {
    log_folder_of(flags, config, app_folder().as_deref())
}

/// The manifest's folder, if the app has one.
fn app_folder() -> Option<PathBuf> {
    std::env::var_os(LOCAL_APP_DIR).map(PathBuf::from)
}

/// Key-value stores and SQLite databases: those of the file, and the default ones.
#[derive(Default)]
pub(crate) struct Stores {
    pub(crate) key_value: KeyValueOptions,
    pub(crate) sqlite: SqliteOptions,
}

/// The label of the store and of the database that every app has.
const DEFAULT_LABEL: &str = "default";

impl Stores {
    pub(crate) fn new(flags: &CommonFlags, config: &RuntimeConfig) -> Self {
        Self::in_folder(config, state_folder_of(flags, config, app_folder().as_deref()).as_deref())
    }

    /// Without a folder for state what the file says nothing of is in memory.
    fn in_folder(config: &RuntimeConfig, state: Option<&Path>) -> Self {
        let path = |name| state.map(|folder| folder.join(name));
        let (mut stores, mut databases) = (config.key_value_stores.clone(), config.sqlite_databases.clone());
        stores
            .entry(DEFAULT_LABEL.to_owned())
            .or_insert_with(|| KeyValueStore::Sqlite { path: path("sqlite_key_value.db") });
        databases
            .entry(DEFAULT_LABEL.to_owned())
            .or_insert_with(|| SqliteDatabase::Local { path: path("sqlite_db.db"), allow_attach_file: false });
        Self { key_value: KeyValueOptions { stores }, sqlite: SqliteOptions { databases } }
    }

    /// Lines for the person who starts the app: where the default ones are that the components `ids` use.
    pub(crate) fn notices(&self, locked: &LockedApp, ids: &[ComponentId]) -> Vec<String> {
        let used = |list: &str| {
            let mut components = ids.iter().filter_map(|id| locked.component(id));
            components.any(|component| component.metadata_list(list).any(|label| label == DEFAULT_LABEL))
        };
        let store = match self.key_value.stores.get(DEFAULT_LABEL) {
            Some(KeyValueStore::Sqlite { path: Some(path) }) if used("key_value_stores") => Some(path),
            _ => None,
        };
        let database = match self.sqlite.databases.get(DEFAULT_LABEL) {
            Some(SqliteDatabase::Local { path: Some(path), .. }) if used("databases") => Some(path),
            _ => None,
        };
        let store = store.map(|path| format!("Storing default key-value data to \"{}\".", path.display()));
        let database = database.map(|path| format!("Storing default SQLite data to \"{}\".", path.display()));
        store.into_iter().chain(database).collect()
    }
}

/// What a flag says of a folder, else the file.
fn chosen(flag: &Option<String>, configured: &Option<Folder>) -> Option<Folder> {
    flag.as_deref().map(|name| Folder::named(name, Path::new(""))).or_else(|| configured.clone())
}

/// The folder for local state. `app_folder` is the manifest's folder, if the app has one.
fn state_folder_of(flags: &CommonFlags, config: &RuntimeConfig, app_folder: Option<&Path>) -> Option<PathBuf> {
    match chosen(&flags.state_dir, &config.state_dir) {
        Some(Folder::At(folder)) => Some(folder),
        Some(Folder::None) => None,
        None => app_folder.map(|folder| folder.join(".spin")),
    }
}

fn log_folder_of(flags: &CommonFlags, config: &RuntimeConfig, app_folder: Option<&Path>) -> Option<PathBuf> {
    match chosen(&flags.log_dir, &config.log_dir) {
        Some(Folder::At(folder)) => Some(folder),
        Some(Folder::None) => None,
        None => state_folder_of(flags, config, app_folder).map(|folder| folder.join("logs")),
    }
}

/// How components are to run; their output goes to files in `logs`, if there is such a folder.
///
/// # Errors
/// For a component that is to be followed and isn't there, a log that can't be written and a cache configuration that
/// can't be read.
pub(crate) fn app_options(
    flags: &CommonFlags,
    config: &RuntimeConfig,
    locked: &LockedApp,
    ids: &[ComponentId],
    logs: Option<&Path>,
    working_dir: PathBuf,
) -> Result<AppOptions, Error> {
    let shown = shown(flags, locked)?;
    for id in config.outbound_http.client_tls.iter().flat_map(|tls| &tls.components) {
        if locked.component(id).is_none() {
            tracing::warn!(
                "[[client_tls]] of the runtime configuration is for \"{id}\", and the app has no such component"
            );
        }
    }
    let cache = flags.cache()?;
    let mut options = AppOptions::new(Arc::new(ComponentLogs::open(ids, logs, flags.truncate_logs, &shown)?));
    options.engine = flags.engine();
    options.limits = flags.limits(config.max_instance_memory);
    options.egress = config.egress.clone();
    options.outbound_http = config.outbound_http.clone();
    // What lies there is run as this user: compiled code, of this start or another one, and plugins.
    let protected = [spin_component_runtime::app::cache_folder(), cache.clone(), data_folder()];
    options.mounts = MountOptions {
        working_dir,
        writable: flags.allow_transient_write,
        protected: protected.into_iter().flatten().collect(),
    };
    options.cache = cache;
    Ok(options)
}

/// Where plugins are installed, by the same rule as in `spin`.
fn data_folder() -> Option<PathBuf> {
    match std::env::var_os(DATA_DIR) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => dirs::data_local_dir().map(|data| data.join("spin")),
    }
}

fn shown(flags: &CommonFlags, locked: &LockedApp) -> Result<Shown, Error> {
    if flags.quiet {
        return Ok(Shown::None);
    }
    if flags.follow.is_empty() {
        return Ok(Shown::All);
    }
    let (mut ids, mut unknown) = (Vec::new(), Vec::new());
    for given in &flags.follow {
        match given.parse::<ComponentId>() {
            Ok(id) if locked.component(&id).is_some() => ids.push(id),
            _ => unknown.push(given.as_str()),
        }
    }
    if unknown.is_empty() {
        return Ok(Shown::Only(ids));
    }
    let known = locked.components.iter().map(|component| component.id.to_string()).collect::<Vec<_>>().join(", ");
    let message = format!("--follow {}: the application has no such component; it has {known}", unknown.join(", "));
    Err(Error::new("trigger::follow", message))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: CommonFlags,
    }

    fn folder(arguments: &[&str], config: &RuntimeConfig, app_folder: Option<&str>) -> Option<PathBuf> {
        let arguments = std::iter::once("trigger").chain(arguments.iter().copied());
        let flags = Cli::try_parse_from(arguments).expect("known flags").flags;
        log_folder_of(&flags, config, app_folder.map(Path::new))
    }

    #[test]
    fn logs_are_where_the_flag_the_file_or_the_state_says() {
        let config = |state: Option<&str>, logs: Option<&str>| {
            let named = |name| Folder::named(name, Path::new("/etc"));
            let mut config = RuntimeConfig::default();
            (config.state_dir, config.log_dir) = (state.map(named), logs.map(named));
            config
        };
        let (nothing, state, logs) =
            (config(None, None), config(Some("state"), None), config(Some("state"), Some("logs")));
        let (none, stateless) = (config(None, Some("")), config(Some(""), None));
        // The flags, the file, the manifest's folder, and where logs are.
        type Row<'a> = (&'a [&'a str], &'a RuntimeConfig, Option<&'a str>, Option<&'a str>);
        let rows: [Row<'_>; 12] = [
            (&[], &nothing, Some("/app"), Some("/app/.spin/logs")),
            (&[], &nothing, None, None),
            (&[], &state, Some("/app"), Some("/etc/state/logs")),
            (&[], &logs, Some("/app"), Some("/etc/logs")),
            (&[], &none, Some("/app"), None),
            (&[], &stateless, Some("/app"), None),
            (&["--state-dir", "/s"], &state, Some("/app"), Some("/s/logs")),
            (&["--state-dir", ""], &state, Some("/app"), None),
            (&["--state-dir", ""], &logs, Some("/app"), Some("/etc/logs")),
            (&["--log-dir", "/l"], &logs, Some("/app"), Some("/l")),
            (&["--log-dir", ""], &logs, Some("/app"), None),
            (&["--log-dir", "/l", "--state-dir", ""], &nothing, None, Some("/l")),
        ];
        for (arguments, config, app_folder, expected) in rows {
            let found = folder(arguments, config, app_folder);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{arguments:?}, app folder {app_folder:?}");
        }
    }

    #[test]
    fn default_stores_are_in_the_state_folder_or_in_memory_unless_the_file_says_more() {
        let stores = Stores::in_folder(&RuntimeConfig::default(), Some(Path::new("/app/.spin")));
        let path = Some(PathBuf::from("/app/.spin/sqlite_key_value.db"));
        assert_eq!(stores.key_value.stores["default"], KeyValueStore::Sqlite { path });
        let path = Some(PathBuf::from("/app/.spin/sqlite_db.db"));
        assert_eq!(stores.sqlite.databases["default"], SqliteDatabase::Local { path, allow_attach_file: false });
        let stores = Stores::in_folder(&RuntimeConfig::default(), None);
        assert_eq!(stores.key_value.stores["default"], KeyValueStore::Sqlite { path: None });
        let redis = KeyValueStore::Redis { url: "redis://localhost".to_owned() };
        let mut config = RuntimeConfig::default();
        config.key_value_stores.insert("default".to_owned(), redis.clone());
        assert_eq!(Stores::in_folder(&config, Some(Path::new("/app"))).key_value.stores["default"], redis);
    }

    #[test]
    fn a_relative_folder_of_a_flag_is_below_the_working_folder() {
        let here = std::env::current_dir().expect("there is one");
        assert_eq!(folder(&["--log-dir", "l"], &RuntimeConfig::default(), None), Some(here.join("l")));
    }
}
