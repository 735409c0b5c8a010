//! Profiles: one manifest, several ways to build and run it.

use std::collections::BTreeSet;

use super::error::ManifestError;
use super::schema::{Build, Component, Dependency, Manifest, Profile};

impl Manifest {
    /// The names of all profiles, sorted.
    #[must_use]
    pub fn profiles(&self) -> BTreeSet<&str> {
        self.components.iter().flat_map(|component| component.profiles.keys()).map(String::as_str).collect()
    }

    /// The manifest as it is in a profile. A component that does not have the profile stays as it is.
    ///
    /// What is wrong with dependencies in the profile is found when it is locked, or by a [`Draft`](super::Draft) that is
    /// read in the profile.
    ///
    /// ```
    /// use std::path::Path;
    /// use spin_app_model::Manifest;
    ///
    /// let text = r#"
    /// spin_manifest_version = 2
    /// [application]
    /// name = "demo"
    /// [trigger]
    /// [component.hello]
    /// source = "release.wasm"
    /// [component.hello.profile.debug]
    /// source = "debug.wasm"
    /// "#;
    /// let manifest = Manifest::parse(text, Path::new("spin.toml"))?;
    /// assert_eq!(manifest.profiles().into_iter().collect::<Vec<_>>(), ["debug"]);
    /// let debug = manifest.with_profile("debug")?;
    /// assert_eq!(debug.profile.as_deref(), Some("debug"));
    /// assert_ne!(debug.components[0].source, manifest.components[0].source);
    /// assert_eq!(manifest.with_profile("debugg").unwrap_err().code(), "manifest::unknown-profile");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ManifestError::UnknownProfile`] when no component has it.
    pub fn with_profile(&self, name: &str) -> Result<Self, ManifestError> {
        if !self.profiles().contains(name) {
            return Err(self.unknown_profile(name));
        }
        let mut manifest = self.clone();
        manifest.profile = Some(name.to_owned());
        manifest.components.iter_mut().for_each(|component| component.enter_profile(name));
        Ok(manifest)
    }

    pub(super) fn unknown_profile(&self, name: &str) -> ManifestError {
        ManifestError::UnknownProfile {
            path: self.path.clone(),
            profile: name.to_owned(),
            known: self.profiles().into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Component {
    /// Makes it as it is in a profile; one that does not have the profile stays as it is.
    pub(super) fn enter_profile(&mut self, name: &str) {
        if let Some(profile) = self.profiles.get(name).cloned() {
            self.apply(profile);
        }
    }

    fn apply(&mut self, profile: Profile) {
        if let Some(source) = profile.source {
            self.source = source;
        }
        self.environment.extend(profile.environment);
        for dependency in profile.dependencies {
            merge(&mut self.dependencies, dependency);
        }
        if let Some(command) = profile.build_command {
            match &mut self.build {
                Some(build) => build.command = command,
                None => self.build = Some(Build { command, workdir: None, watch: Vec::new() }),
            }
        }
    }
}

/// Puts a dependency in the place of the one of the same name, else behind all others.
fn merge(dependencies: &mut Vec<Dependency>, dependency: Dependency) {
    match dependencies.iter_mut().find(|other| other.name.value == dependency.name.value) {
        Some(other) => *other = dependency,
        None => dependencies.push(dependency),
    }
}
