//! What flags, the runtime configuration and the surroundings come to. A flag wins over the file, and both over what is
//! usual.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spin_app_model::ComponentId;
use spin_app_model::launch::env::{DATA_DIR, LOCAL_APP_DIR};
use spin_app_model::lock::LockedApp;
use spin_component_runtime::{AppOptions, MountOptions};

use crate::error::Error;
use crate::flags::{CommonFlags, Folder};
use crate::runtime_config::RuntimeConfig;
use crate::stdio::{ComponentLogs, Shown};

/// The folder for the output of components, if there is to be one.
pub(crate) fn log_folder(flags: &CommonFlags, config: &RuntimeConfig) -> Option<PathBuf> {
    let app_folder = std::env::var_os(LOCAL_APP_DIR).map(PathBuf::from);
    log_folder_of(flags, config, app_folder.as_deref())
}

/// `app_folder` is the manifest's folder, if the app has one.
fn log_folder_of(flags: &CommonFlags, config: &RuntimeConfig, app_folder: Option<&Path>) -> Option<PathBuf> {
    let chosen = |flag: &Option<String>, configured: &Option<Folder>| {
        flag.as_deref().map(|name| Folder::named(name, Path::new(""))).or_else(|| configured.clone())
    };
    let state = match chosen(&flags.state_dir, &config.state_dir) {
        Some(Folder::At(folder)) => Some(folder),
        Some(Folder::None) => None,
        None => app_folder.map(|folder| folder.join(".spin")),
    };
    match chosen(&flags.log_dir, &config.log_dir) {
        Some(Folder::At(folder)) => Some(folder),
        Some(Folder::None) => None,
        None => state.map(|folder| folder.join("logs")),
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
    fn a_relative_folder_of_a_flag_is_below_the_working_folder() {
        let here = std::env::current_dir().expect("there is one");
        assert_eq!(folder(&["--log-dir", "l"], &RuntimeConfig::default(), None), Some(here.join("l")));
    }
}
