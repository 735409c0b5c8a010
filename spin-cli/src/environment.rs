//! The environment variables that a plugin is started with.
//!
//! A child inherits our environment; this file says what is added to it and what is taken out. The names and their
//! meaning are in `spin_app_model::launch::env`.

use std::ffi::OsString;
use std::path::Path;

use spin_app_model::launch::env;
use tokio::process::Command;

/// What differs between our environment and a child's.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildEnvironment(Vec<(&'static str, Option<OsString>)>);

impl ChildEnvironment {
    /// For every plugin: which Spin it may expect, and which `spin` runs it.
    pub(crate) fn plugin(executable: &Path) -> Self {
        let mut variables = Self::default();
        for (name, value) in env::version_variables(&spin_version()) {
            variables.set(name, value);
        }
        variables.set(env::HOST_VERSION, env!("CARGO_PKG_VERSION"));
        variables.set(env::COMMIT_SHA, option_env!("SPIN_BUILD_COMMIT_SHA").unwrap_or("unknown"));
        variables.set(env::COMMIT_DATE, option_env!("SPIN_BUILD_COMMIT_DATE").unwrap_or("unknown"));
        variables.set(env::BRANCH, option_env!("SPIN_BUILD_BRANCH").unwrap_or("unknown"));
        variables.set(env::BUILD_DATE, option_env!("SPIN_BUILD_DATE").unwrap_or("unknown"));
        variables.set(env::TARGET_TRIPLE, env!("SPIN_TARGET_TRIPLE"));
        variables.set(env::DEBUG, if cfg!(debug_assertions) { "true" } else { "false" });
        variables.set(env::BIN_PATH, executable);
        // A channel of ours, should we be a trigger's child ourselves, is not this plugin's.
        variables.remove(env::CONTROL);
        variables
    }

    /// For a trigger that runs an app. What the caller does not set afterwards is not inherited either: it would be
    /// about another app.
    pub(crate) fn trigger(executable: &Path) -> Self {
        let mut variables = Self::plugin(executable);
        for &name in env::SET_BY_HOST {
            if !variables.0.iter().any(|&(known, _)| known == name) {
                variables.remove(name);
            }
        }
        variables
    }

    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<OsString>) {
        self.decide(name, Some(value.into()));
    }

    pub(crate) fn remove(&mut self, name: &'static str) {
        self.decide(name, None);
    }

    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }

    fn decide(&mut self, name: &'static str, value: Option<OsString>) {
        self.0.retain(|&(known, _)| known != name);
        self.0.push((name, value));
    }
}

/// The version of public Spin whose contract we implement: what plugins compare themselves with.
pub(crate) fn spin_version() -> semver::Version {
    spin_app_model::SPIN_COMPAT_VERSION.parse().expect("the constant is a version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(variables: &ChildEnvironment, name: &str) -> Option<Option<String>> {
        let found = variables.0.iter().find(|&&(known, _)| known == name)?;
        Some(found.1.as_ref().map(|value| value.to_string_lossy().into_owned()))
    }

    #[test]
    fn a_plugin_learns_both_versions_and_no_control_channel() {
        let variables = ChildEnvironment::plugin(Path::new("/usr/bin/spin"));
        assert_eq!(lookup(&variables, "SPIN_VERSION"), Some(Some(spin_app_model::SPIN_COMPAT_VERSION.to_owned())));
        assert_eq!(lookup(&variables, "SPIN_HOST_VERSION"), Some(Some(env!("CARGO_PKG_VERSION").to_owned())));
        assert_eq!(lookup(&variables, "SPIN_BIN_PATH"), Some(Some("/usr/bin/spin".to_owned())));
        assert_eq!(lookup(&variables, "SPIN_CONTROL"), Some(None));
        assert_eq!(lookup(&variables, "SPIN_LOCKED_URL"), None, "by hand, the caller's is meant");
    }

    #[test]
    fn a_trigger_inherits_nothing_of_another_app() {
        let mut variables = ChildEnvironment::trigger(Path::new("/usr/bin/spin"));
        for name in ["SPIN_LOCKED_URL", "SPIN_WORKING_DIR", "SPIN_LOCAL_APP_DIR", "SPIN_CONTROL"] {
            assert_eq!(lookup(&variables, name), Some(None), "{name}");
        }
        variables.set(env::CONTROL, "unix:/x");
        assert_eq!(lookup(&variables, "SPIN_CONTROL"), Some(Some("unix:/x".to_owned())));
        assert!(lookup(&variables, "SPIN_VERSION").flatten().is_some());
    }
}
