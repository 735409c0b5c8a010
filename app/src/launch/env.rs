//! Every environment variable of the contract between the host and its triggers, and of the host itself.
//!
//! One place, so that a variable cannot exist without being documented. Variables that belong to a single trigger
//! (such as the listen address of the http trigger) are that trigger's own business and are documented there.

use semver::Version;

// Set by the host for every trigger process.

/// `file:` URL of the lock file. Always set when a trigger is to run an application.
pub const LOCKED_URL: &str = "SPIN_LOCKED_URL";

/// Absolute path of the working directory: holds the lock file and `assets/`, and is the base of relative mounts.
pub const WORKING_DIR: &str = "SPIN_WORKING_DIR";

/// Directory of the manifest, base of the `.spin` state folder. Unset for applications without a local manifest;
/// may be empty or relative to the current directory.
pub const LOCAL_APP_DIR: &str = "SPIN_LOCAL_APP_DIR";

/// Where the control channel is: a [`ControlAddress`](super::ControlAddress). Unset when a trigger is run by hand.
pub const CONTROL: &str = "SPIN_CONTROL";

/// Version of public Spin whose contract the host implements, `X.Y.Z[-pre]`: [`SPIN_COMPAT_VERSION`].
///
/// [`SPIN_COMPAT_VERSION`]: crate::SPIN_COMPAT_VERSION
pub const VERSION: &str = "SPIN_VERSION";

/// The first number of [`VERSION`].
pub const VERSION_MAJOR: &str = "SPIN_VERSION_MAJOR";

/// The second number of [`VERSION`].
pub const VERSION_MINOR: &str = "SPIN_VERSION_MINOR";

/// The third number of [`VERSION`].
pub const VERSION_PATCH: &str = "SPIN_VERSION_PATCH";

/// The pre-release part of [`VERSION`]; empty for a release.
pub const VERSION_PRE: &str = "SPIN_VERSION_PRE";

/// Release of the host itself, what `spin --version` prints. Never compared with `spinCompatibility`.
pub const HOST_VERSION: &str = "SPIN_HOST_VERSION";

/// Commit that the host was built from.
pub const COMMIT_SHA: &str = "SPIN_COMMIT_SHA";

/// Date of that commit, `YYYY-MM-DD`.
pub const COMMIT_DATE: &str = "SPIN_COMMIT_DATE";

/// Branch that the host was built from.
pub const BRANCH: &str = "SPIN_BRANCH";

/// Date of the host's build, `YYYY-MM-DD`.
pub const BUILD_DATE: &str = "SPIN_BUILD_DATE";

/// Target triple that the host was built for.
pub const TARGET_TRIPLE: &str = "SPIN_TARGET_TRIPLE";

/// `true` if the host is a debug build, else `false`.
pub const DEBUG: &str = "SPIN_DEBUG";

/// Absolute path of the running `spin` executable, for plugins that call back.
pub const BIN_PATH: &str = "SPIN_BIN_PATH";

/// `1` in help mode: keeps warnings about compatibility out of the output.
pub const PLUGINS_SUPPRESS_COMPATIBILITY_WARNINGS: &str = "SPIN_PLUGINS_SUPPRESS_COMPATIBILITY_WARNINGS";

/// Every variable that the host decides for a trigger process.
///
/// A host that does not set one of these must remove it from the child's environment: an inherited value would be
/// about another application or another `spin`.
pub const SET_BY_HOST: &[&str] = &[
    LOCKED_URL,
    WORKING_DIR,
    LOCAL_APP_DIR,
    CONTROL,
    VERSION,
    VERSION_MAJOR,
    VERSION_MINOR,
    VERSION_PATCH,
    VERSION_PRE,
    HOST_VERSION,
    COMMIT_SHA,
    COMMIT_DATE,
    BRANCH,
    BUILD_DATE,
    TARGET_TRIPLE,
    DEBUG,
    BIN_PATH,
];

// Read by triggers of every type.

/// Folder for the output of components; an empty value means none. The flag `--log-dir`.
pub const LOG_DIR: &str = "SPIN_LOG_DIR";

/// Prefix of variables that hold values of application variables: `SPIN_VARIABLE_GREETING` is `greeting`.
pub const VARIABLE_PREFIX: &str = "SPIN_VARIABLE_";

/// Most bytes of memory one instance may use. The flag `--max-instance-memory`.
pub const MAX_INSTANCE_MEMORY: &str = "SPIN_MAX_INSTANCE_MEMORY";

/// Most instances that may exist at a time in one trigger process.
pub const MAX_INSTANCE_COUNT: &str = "SPIN_MAX_INSTANCE_COUNT";

/// `0` turns the pooling allocator off, `1` on.
pub const WASMTIME_POOLING: &str = "SPIN_WASMTIME_POOLING";

/// Path of the runtime configuration file. The flag `--runtime-config-file`.
pub const RUNTIME_CONFIG_FILE: &str = "RUNTIME_CONFIG_FILE";

/// A word for yes: neither use nor keep compiled code. The flag `--disable-cache`.
pub const DISABLE_CACHE: &str = "DISABLE_WASMTIME_CACHE";

/// Path of a cache configuration in Wasmtime's form. The flag `--cache`.
pub const CACHE_FILE: &str = "WASMTIME_CACHE_FILE";

/// Filter of the process's own diagnostics, in the usual syntax of the Rust world.
pub const RUST_LOG: &str = "RUST_LOG";

/// One authority, `host:port`, to which components' requests over plain HTTP are sent as HTTP/2 without asking.
pub const OUTBOUND_H2C: &str = "SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE";

// Read by the host.

/// Data folder (plugins, templates), used as it is. Without it: the platform's data folder and `spin`.
pub const DATA_DIR: &str = "SPIN_DATA_DIR";

/// `1`: install a missing trigger plugin without asking. The flag `--yes`.
pub const AUTO_INSTALL: &str = "SPIN_AUTO_INSTALL";

/// Catalogue folders, separated like `PATH`. Replaces all other catalogues.
pub const CATALOGUES: &str = "SPIN_CATALOGUES";

/// `1`: use no network for plugins. The flag `--offline`.
pub const OFFLINE: &str = "SPIN_OFFLINE";

/// Build before running. The flag `--build`.
pub const ALWAYS_BUILD: &str = "SPIN_ALWAYS_BUILD";

/// Prefix of development overrides: `SPIN_PLUGIN_TRIGGER_HTTP` names the executable of `trigger-http`.
pub const PLUGIN_OVERRIDE_PREFIX: &str = "SPIN_PLUGIN_";

/// The variables that tell a plugin which version of Spin it may expect.
///
/// ```
/// use spin_app_model::launch::env;
///
/// let variables = env::version_variables(&"4.1.0-rc.1".parse()?);
/// assert!(variables.contains(&(env::VERSION, "4.1.0-rc.1".to_owned())));
/// assert!(variables.contains(&(env::VERSION_PRE, "rc.1".to_owned())));
/// # Ok::<(), semver::Error>(())
/// ```
#[must_use]
pub fn version_variables(version: &Version) -> [(&'static str, String); 5] {
    [
        (VERSION, version.to_string()),
        (VERSION_MAJOR, version.major.to_string()),
        (VERSION_MINOR, version.minor.to_string()),
        (VERSION_PATCH, version.patch.to_string()),
        (VERSION_PRE, version.pre.to_string()),
    ]
}

/// The environment variable that holds an application variable, when the environment provides it.
///
/// ```
/// assert_eq!(spin_app_model::launch::env::variable("api_key"), "SPIN_VARIABLE_API_KEY");
/// ```
#[must_use]
pub fn variable(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase())
}

/// The environment variable that overrides where a plugin's executable is.
///
/// ```
/// assert_eq!(spin_app_model::launch::env::plugin_override("trigger-http"), "SPIN_PLUGIN_TRIGGER_HTTP");
/// ```
#[must_use]
pub fn plugin_override(plugin: &str) -> String {
    let mut name = PLUGIN_OVERRIDE_PREFIX.to_owned();
    name.extend(plugin.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }));
    name
}
