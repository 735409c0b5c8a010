//! What a command finds around it: the terminal, folders, and the environment variables that `spin` itself obeys.
//!
//! The environment is read here and nowhere else, so that everything beneath can be tested with other values.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spin_app_model::launch::{DEFAULT_GRACE, HELLO_DEADLINE, PROTOCOL, env};
use spin_catalogue::{Platform, PluginName};
use spin_plugin_manager::{CatalogueSource, Network, PluginManager, Settings, Tie, Trust};

use crate::config::{BUNDLED, Config};
use crate::environment::spin_version;
use crate::report::Report;
use crate::supervise::Timing;
use crate::supervise::spawn::dies_with_us;
use crate::ui::Ui;

/// How long triggers may drain. For tests and for those who know better; not part of the documented surface.
const DRAIN_GRACE: &str = "SPIN_DRAIN_GRACE";

/// Whether `spin up` builds first.
const ALWAYS_BUILD: &str = "SPIN_ALWAYS_BUILD";

/// What every command gets.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) ui: Ui,
    /// This program.
    pub(crate) executable: PathBuf,
    pub(crate) current_dir: PathBuf,
    /// Where working directories go.
    pub(crate) temp_dir: PathBuf,
    /// Where control sockets go, best first.
    pub(crate) runtime_dirs: Vec<PathBuf>,
    /// Install missing plugins without asking.
    pub(crate) auto_install: bool,
    /// What says whether every app is built before it is run.
    always_build: Option<OsString>,
    pub(crate) timing: Timing,
    /// Where what can be had again is kept: downloads, compiled code.
    cache_dir: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    /// The configuration file, which is read when it is needed.
    config_file: Option<PathBuf>,
    /// The catalogues that a variable names instead of all others.
    named_catalogues: Option<Vec<CatalogueSource>>,
    network: Network,
    overrides: Vec<(OsString, OsString)>,
}

impl Context {
    /// Reads this process's environment.
    pub(crate) fn from_environment(ui: Ui) -> Result<Self, Report> {
        let located = |what, error| Report::new(format!("cannot tell {what}: {error}")).code("environment::unknown");
        let executable = std::env::current_exe().map_err(|error| located("where this program is", error))?;
        let current_dir = std::env::current_dir().map_err(|error| located("the current directory", error))?;
        let overrides = std::env::vars_os()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(env::PLUGIN_OVERRIDE_PREFIX.as_bytes()))
            .collect();
        Self::new(ui, executable, current_dir, overrides, |name| std::env::var_os(name))
    }

    fn new(
        ui: Ui,
        executable: PathBuf,
        current_dir: PathBuf,
        overrides: Vec<(OsString, OsString)>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Report> {
        // A variable that is set to nothing says nothing, with one exception below.
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let temp_dir = std::env::temp_dir();
        let runtime_dirs = set("XDG_RUNTIME_DIR").map(PathBuf::from).into_iter().chain([temp_dir.clone()]).collect();
        let data_dir = set(env::DATA_DIR).map(PathBuf::from);
        let data_dir = data_dir.or_else(|| dirs::data_local_dir().map(|folder| folder.join("spin")));
        // Set to nothing, this one means: no catalogue at all.
        let named_catalogues = variable(env::CATALOGUES).map(|list| named_catalogues(&list));
        let is_on = |name: &str| set(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
        let auto_install = is_on(env::AUTO_INSTALL);
        let network = if is_on(env::OFFLINE) { Network::Offline } else { Network::Online };
        let config_dir = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let config_file = config_dir.or_else(dirs::config_dir).map(|folder| folder.join("spin").join("config.toml"));
        let grace = match set(DRAIN_GRACE) {
            None => DEFAULT_GRACE,
            Some(text) => duration(&text.to_string_lossy()).ok_or_else(|| {
                Report::usage(format!("{DRAIN_GRACE} is \"{}\", which is no duration", text.display()))
                    .code("environment::duration")
                    .help("write it like 30s or 500ms")
            })?,
        };
        let timing = Timing::new(HELLO_DEADLINE, grace);
        Ok(Self {
            ui,
            executable,
            current_dir,
            temp_dir,
            runtime_dirs,
            auto_install,
            always_build: set(ALWAYS_BUILD),
            timing,
            cache_dir: dirs::cache_dir().map(|folder| folder.join("spin")),
            data_dir,
            config_file,
            named_catalogues,
            network,
            overrides,
        })
    }

    /// The plugin manager for this user and this machine.
    pub(crate) fn plugins(&self) -> Result<PluginManager, Report> {
        let data_dir = self.data_dir.clone().ok_or_else(|| {
            Report::new("there is no data folder for plugins: neither HOME nor SPIN_DATA_DIR is set")
                .code("environment::no-data-dir")
                .help("name a folder in SPIN_DATA_DIR")
        })?;
        let platform = Platform::current().ok_or_else(|| {
            Report::new("no plugins exist for this operating system and processor").code("environment::platform")
        })?;
        let config = self.config()?;
        let credentials = config.credentials;
        let bundled = bundled_catalogue(&self.executable);
        let configured = || config.before_bundled.into_iter().chain(bundled).chain(config.after_bundled).collect();
        let catalogues = self.named_catalogues.clone().unwrap_or_else(configured);
        let (spin, protocols, network) = (spin_version(), vec![PROTOCOL], self.network);
        let tie = Tie(dies_with_us);
        Ok(PluginManager::new(Settings { data_dir, catalogues, spin, platform, protocols, network, credentials, tie }))
    }

    /// What the user has configured.
    fn config(&self) -> Result<Config, Report> {
        let Some(path) = &self.config_file else { return Ok(Config::default()) };
        Config::read(path, |name| std::env::var(name).ok())
    }

    /// Where the configuration file is, or would be.
    pub(crate) fn config_file(&self) -> Result<&Path, Report> {
        self.config_file.as_deref().ok_or_else(|| {
            Report::new("there is no folder for the configuration: neither HOME nor XDG_CONFIG_HOME is set")
                .code("environment::no-config-dir")
        })
    }

    /// Whether catalogues in the configuration file don't count.
    pub(crate) fn catalogues_are_named(&self) -> bool {
        self.named_catalogues.is_some()
    }

    pub(crate) fn is_offline(&self) -> bool {
        self.network == Network::Offline
    }

    /// The same without a network.
    pub(crate) fn offline(&self) -> Self {
        Self { network: Network::Offline, ..self.clone() }
    }

    /// Whether every app is built before it is run. Only who runs one is told that this can't be read.
    pub(crate) fn always_build(&self) -> Result<bool, Report> {
        let Some(text) = &self.always_build else { return Ok(false) };
        yes_or_no(&text.to_string_lossy()).ok_or_else(|| {
            Report::usage(format!("{ALWAYS_BUILD} is \"{}\", which is neither yes nor no", text.display()))
                .code("environment::yes-or-no")
                .help("write true or false")
        })
    }

    /// Where downloads and compiled code are kept: in the folder that the user named with `flag`, else in the usual one.
    pub(crate) fn cache_dir(&self, named: Option<&Path>, flag: &str) -> Result<PathBuf, Report> {
        match named {
            Some(named) => Ok(self.current_dir.join(named)),
            None => self.cache_dir.clone().ok_or_else(|| {
                Report::new("there is no cache folder: neither HOME nor XDG_CACHE_HOME is set")
                    .code("environment::no-cache-dir")
                    .help(format!("name a folder with {flag}"))
            }),
        }
    }

    /// The executable that an environment variable names for a plugin, and the variable.
    pub(crate) fn plugin_override(&self, plugin: &PluginName) -> Option<(String, PathBuf)> {
        let variable = env::plugin_override(plugin.as_str());
        let (_, path) = self.overrides.iter().find(|(name, path)| *name == *variable && !path.is_empty())?;
        Some((variable, PathBuf::from(path)))
    }
}

#[cfg(test)]
impl Context {
    /// A context in which nothing is set and the terminal only remembers, for tests.
    pub(crate) fn in_directory(current_dir: &Path) -> Self {
        let executable = current_dir.join("spin");
        let context = Self::new(Ui::remembering(), executable, current_dir.to_owned(), Vec::new(), |_| None);
        Self { config_file: None, ..context.expect("nothing is set, so nothing is wrong") }
    }
}

/// The catalogues of a path list. Each is called by its path: nothing else about it is known.
fn named_catalogues(list: &OsString) -> Vec<CatalogueSource> {
    std::env::split_paths(list)
        .filter(|path| !path.as_os_str().is_empty())
        .map(|path| CatalogueSource::directory(path.display().to_string(), path, Trust::default()))
        .collect()
}

/// The catalogue that came with this program.
fn bundled_catalogue(executable: &Path) -> Option<CatalogueSource> {
    let folder = executable.parent()?;
    let places = [folder.parent().map(|prefix| prefix.join("share/spin/catalogue")), Some(folder.join("catalogue"))];
    let path = places.into_iter().flatten().find(|path| path.is_dir())?;
    Some(CatalogueSource::directory(BUNDLED, path, Trust::default()))
}

/// The usual words for yes and no.
fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads `30s`, `500ms` or plain seconds. The numbers have 32 bits, so that adding to a clock cannot overflow.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let number = |text: &str| text.parse::<u32>().ok().map(u64::from);
    match text.strip_suffix("ms") {
        Some(milliseconds) => number(milliseconds).map(Duration::from_millis),
        None => number(text.strip_suffix('s').unwrap_or(text)).map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn context(executable: &Path, variables: &[(&str, &str)]) -> Context {
        let overrides = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        let lookup =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        Context::new(Ui::remembering(), executable.to_owned(), PathBuf::from("/"), overrides, lookup).unwrap()
    }

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        assert_eq!(duration("2s"), Some(Duration::from_secs(2)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("7"), Some(Duration::from_secs(7)));
        assert_eq!(duration("soon"), None);
        assert_eq!(duration("-1s"), None);
        assert_eq!(duration("18446744073709551615"), None, "no clock goes so far");
    }

    #[test]
    fn a_cache_that_is_named_is_used() {
        let context = context(Path::new("/bin/spin"), &[]);
        assert_eq!(context.cache_dir(Some(Path::new("c")), "--x").unwrap(), Path::new("/c"));
        if let Ok(usual) = context.cache_dir(None, "--x") {
            assert!(usual.ends_with("spin"));
        }
    }

    #[test]
    fn yes_and_no_have_many_words() {
        assert!(["true", "1", "YES", " on "].iter().all(|text| yes_or_no(text) == Some(true)));
        assert!(["false", "0", "No"].iter().all(|text| yes_or_no(text) == Some(false)));
        assert_eq!(yes_or_no("perhaps"), None);
        let always_build = |text| context(Path::new("/bin/spin"), &[("SPIN_ALWAYS_BUILD", text)]).always_build();
        assert_eq!((always_build("true"), always_build("")), (Ok(true), Ok(false)));
        assert_eq!(always_build("perhaps").unwrap_err().stable_code(), Some("environment::yes-or-no"));
    }

    #[test]
    fn the_bundled_catalogue_is_used_unless_the_variable_is_set() {
        let prefix = tempfile::tempdir().unwrap();
        let executable = prefix.path().join("bin/spin");
        let beside = prefix.path().join("bin/catalogue");
        let shared = prefix.path().join("share/spin/catalogue");
        let paths = |context: Context| {
            let context = Context { config_file: None, data_dir: Some(PathBuf::from("/data")), ..context };
            let catalogues = context.plugins().unwrap().settings().catalogues.clone();
            catalogues.into_iter().map(|source| PathBuf::from(source.place.to_string())).collect::<Vec<_>>()
        };

        assert!(paths(context(&executable, &[])).is_empty());
        std::fs::create_dir_all(&beside).unwrap();
        assert_eq!(paths(context(&executable, &[])), [beside]);
        std::fs::create_dir_all(&shared).unwrap();
        assert_eq!(paths(context(&executable, &[])), [shared]);
        let listed = paths(context(&executable, &[(env::CATALOGUES, "/a:/b")]));
        assert_eq!(listed, [Path::new("/a"), Path::new("/b")]);
        assert!(paths(context(&executable, &[(env::CATALOGUES, "")])).is_empty());
    }

    #[test]
    fn configured_catalogues_stand_where_the_file_says_and_a_variable_replaces_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("spin");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::create_dir_all(home.path().join("bin/catalogue")).unwrap();
        let text =
            "[[catalogue]]\nname = \"a\"\npath = \"/a\"\n[[catalogue]]\nname = \"b\"\nurl = \"https://b.example\"\n";
        let names = |text: &str, named: &[(&str, &str)]| {
            std::fs::write(folder.join("config.toml"), text).unwrap();
            let config = home.path().to_str().unwrap();
            let variables = [&[("XDG_CONFIG_HOME", config), (env::DATA_DIR, "/data")], named].concat();
            let context = context(&home.path().join("bin/spin"), &variables);
            let catalogues = context.plugins().unwrap().settings().catalogues.clone();
            catalogues.into_iter().map(|source| source.name).collect::<Vec<_>>()
        };
        assert_eq!(names(text, &[]), ["bundled", "a", "b"], "what came with the program is trusted most");
        let placed = text.replacen(
            "[[catalogue]]\nname = \"b\"",
            "[[catalogue]]\nname = \"bundled\"\n[[catalogue]]\nname = \"b\"",
            1,
        );
        assert_eq!(names(&placed, &[]), ["a", "bundled", "b"]);
        assert_eq!(names(text, &[(env::CATALOGUES, "/c")]), ["/c"]);
    }

    #[test]
    fn an_override_is_found_by_the_name_of_the_plugin() {
        let context =
            context(Path::new("/bin/spin"), &[("SPIN_PLUGIN_TRIGGER_ZZZ", "/dev/zzz"), ("SPIN_PLUGIN_EMPTY", "")]);
        let found = context.plugin_override(&"trigger-zzz".parse().unwrap());
        assert_eq!(found, Some(("SPIN_PLUGIN_TRIGGER_ZZZ".to_owned(), PathBuf::from("/dev/zzz"))));
        assert_eq!(context.plugin_override(&"empty".parse().unwrap()), None);
        assert_eq!(context.plugin_override(&"trigger".parse().unwrap()), None);
    }
}
