//! From a manifest to a locked application.

use std::collections::BTreeMap;
use std::io;
use std::path::{self, Path, PathBuf};

use serde_json::{Map, Value, json};
use url::Url;

use super::dependencies::Resolver;
use super::error::ManifestError;
use super::needs::{Needs, Resolved};
use super::schema::{Build, BuildCommand, Component, Manifest, SourceRef, Trigger, Variable};
use crate::document::{Located, Problem, Problems};
use crate::hosts::AllowedHost;
use crate::lock::{
    COMPONENT_HOST_REQUIREMENTS, ContentRef, LOCAL_SERVICE_CHAINING, LockedApp, LockedComponent, LockedDependency,
    LockedFile, LockedSource, LockedTrigger, LockedVariable,
};
use crate::names::ComponentId;
use crate::paths::clean;

/// What locking needs to know besides the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockOptions {
    /// The directory that relative paths are relative to. Absolute.
    base_dir: PathBuf,
    /// Where the application is from: a URL that is only ever shown and compared.
    pub origin: Option<String>,
    /// Environment variables for every component, stronger than those of the manifest.
    pub env: Vec<(String, String)>,
}

impl LockOptions {
    /// For the application of a manifest file: paths are relative to its directory, and it is the origin.
    ///
    /// # Errors
    ///
    /// When `manifest` is empty, or relative while there is no current directory.
    pub fn for_manifest(manifest: &Path) -> io::Result<Self> {
        let manifest = absolute(manifest)?;
        let base_dir = manifest.parent().unwrap_or(&manifest).to_owned();
        Ok(Self { base_dir, origin: Some(file_url(&manifest)), env: Vec::new() })
    }

    /// For an application without a manifest file: paths are relative to `directory`, and there is no origin.
    ///
    /// # Errors
    ///
    /// When `directory` is relative and there is no current directory. An empty path is the current directory.
    pub fn in_directory(directory: &Path) -> io::Result<Self> {
        let directory = if directory == Path::new("") { Path::new(".") } else { directory };
        Ok(Self { base_dir: absolute(directory)?, origin: None, env: Vec::new() })
    }

    /// Adds environment variables for every component. Of two with the same name, the later one counts.
    #[must_use]
    pub fn with_env(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.env.extend(env);
        self
    }

    /// The directory that relative paths are relative to. Absolute.
    #[must_use]
    pub fn base_dir(&self) -> &Path {
        &self.base_dir
    }
}

impl Manifest {
    /// The locked application: paths made absolute, requirements spelled out, in the form that triggers read.
    ///
    /// `resolved` has what [`needs`](Self::needs) asks for. No file is looked at; see
    /// [`missing_files`](Self::missing_files).
    ///
    /// # Errors
    ///
    /// [`ManifestError::Unresolved`] when `resolved` lacks something, and [`ManifestError::Invalid`] when dependencies
    /// contradict each other, which a manifest that was read does not have.
    pub fn lock(&self, options: &LockOptions, resolved: &Resolved) -> Result<LockedApp, ManifestError> {
        let unmet = resolved.unmet(self.needs());
        if !unmet.is_empty() {
            return Err(ManifestError::Unresolved { path: self.path.clone(), needs: unmet });
        }
        let locking = Locking { manifest: self, resolver: Resolver::new(self), options, resolved };
        let components = self.components.iter().map(|component| locking.component(component));
        let components = components.collect::<Result<Vec<_>, _>>()?;
        let mut app = LockedApp::default();
        if components.iter().any(|component| !component.host_requirements.is_empty()) {
            app.must_understand.push(COMPONENT_HOST_REQUIREMENTS.to_owned());
        }
        app.metadata = self.app_metadata(options);
        app.variables = self.variables.iter().map(|(name, variable)| (name.clone(), lock_variable(variable))).collect();
        app.triggers = self.triggers.iter().map(lock_trigger).collect();
        app.components = components;
        Ok(app)
    }

    fn app_metadata(&self, options: &LockOptions) -> Map<String, Value> {
        let application = &self.application;
        let mut metadata = Map::new();
        put_text(&mut metadata, "name", &application.name);
        put_text(&mut metadata, "version", &application.version);
        put_text(&mut metadata, "description", &application.description);
        put_list(&mut metadata, "authors", &application.authors);
        let settings = application.trigger_settings.iter();
        let settings = settings.map(|(kind, settings)| (kind.to_string(), Value::Object(settings.clone())));
        metadata.insert("triggers".to_owned(), settings.collect());
        if let Some(trigger) = self.only_trigger_settings() {
            metadata.insert("trigger".to_owned(), Value::Object(trigger));
        }
        put_text(&mut metadata, "origin", options.origin.as_deref().unwrap_or_default());
        put_text(&mut metadata, "profile", self.profile.as_deref().unwrap_or_default());
        metadata
    }

    /// The settings in the form of Spin before 2.2, which knew one trigger type an application.
    fn only_trigger_settings(&self) -> Option<Map<String, Value>> {
        let (first, rest) = self.triggers.split_first()?;
        let only = &first.trigger_type;
        if rest.iter().any(|trigger| trigger.trigger_type != *only) {
            return None;
        }
        let mut settings = self.application.trigger_settings.get(only).cloned().unwrap_or_default();
        settings.insert("type".to_owned(), Value::from(only.as_str()));
        Some(settings)
    }
}

fn lock_variable(variable: &Variable) -> LockedVariable {
    LockedVariable {
        description: variable.description.clone(),
        default: variable.default.clone(),
        secret: variable.secret,
    }
}

fn lock_trigger(trigger: &Trigger) -> LockedTrigger {
    let mut config = trigger.config.clone();
    if let Some(component) = &trigger.component {
        config.insert("component".to_owned(), Value::from(component.value.as_str()));
    }
    if !trigger.components.is_empty() {
        let ids = |ids: &[Located<ComponentId>]| ids.iter().map(|id| Value::from(id.value.as_str())).collect::<Value>();
        let groups: Map<_, _> = trigger.components.iter().map(|(name, group)| (name.clone(), ids(group))).collect();
        config.insert("components".to_owned(), Value::Object(groups));
    }
    LockedTrigger::new(&trigger.id.value, trigger.trigger_type.clone(), Value::Object(config))
}

/// Everything that it takes to lock a component.
struct Locking<'a> {
    manifest: &'a Manifest,
    resolver: Resolver<'a>,
    options: &'a LockOptions,
    resolved: &'a Resolved,
}

impl Locking<'_> {
    fn component(&self, component: &Component) -> Result<LockedComponent, ManifestError> {
        let hosts = component.outbound_hosts();
        let mut locked = LockedComponent::new(component.id.value.clone(), self.source(&component.source)?);
        if hosts.iter().any(|host| is_internal(&host.value)) {
            locked.host_requirements.insert(LOCAL_SERVICE_CHAINING.to_owned(), "required".to_owned());
        }
        let metadata = &mut locked.metadata;
        put_text(metadata, "description", &component.description);
        let hosts: Vec<_> = hosts.into_iter().map(|host| host.value).collect();
        put_list(metadata, "allowed_outbound_hosts", &hosts);
        put_list(metadata, "key_value_stores", &component.key_value_stores);
        put_list(metadata, "databases", &component.sqlite_databases);
        put_list(metadata, "ai_models", &component.ai_models);
        if let Some(build) = &component.build {
            metadata.insert("build".to_owned(), Value::Object(build_metadata(build)));
        }
        locked.env = component.environment.clone();
        locked.env.extend(self.options.env.iter().cloned());
        locked.files = self.files(component);
        locked.config = component.variables.iter().map(|(name, text)| (name.clone(), text.value.clone())).collect();
        locked.dependencies = self.dependencies(component)?;
        Ok(locked)
    }

    fn source(&self, source: &Located<SourceRef>) -> Result<LockedSource, ManifestError> {
        let Some(path) = self.resolved.file(&source.value) else {
            let needs = Needs { sources: vec![source.clone()], files: Vec::new() };
            return Err(ManifestError::Unresolved { path: self.manifest.path.clone(), needs });
        };
        Ok(LockedSource::wasm_at(self.url(path)))
    }

    fn files(&self, component: &Component) -> Vec<LockedFile> {
        let mounts = self.resolved.mounts(&component.id.value).iter();
        mounts.map(|mount| LockedFile::new(ContentRef::at(self.url(&mount.host)), &mount.guest)).collect()
    }

    fn dependencies(&self, component: &Component) -> Result<BTreeMap<String, LockedDependency>, ManifestError> {
        let mut problems = Problems::default();
        let resolved = self.resolver.resolve(component, &mut |at, message, help| {
            problems.add(Problem { at, message, help });
        });
        if let Some(invalid) = problems.into_error(&self.manifest.path) {
            return Err(invalid.into());
        }
        let locked = resolved.into_iter().map(|dependency| {
            let source = self.source(&dependency.source)?;
            let locked = LockedDependency { source, export: dependency.export, inherit: dependency.inherit };
            Ok((dependency.name.to_string(), locked))
        });
        locked.collect()
    }

    fn url(&self, path: &Path) -> String {
        file_url(&absolute_source(&self.options.base_dir, path))
    }
}

/// Whether an entry names components of the same application. A template does not count: what it will name is not known
/// yet.
fn is_internal(host: &str) -> bool {
    !host.contains("{{") && AllowedHost::parse(host).is_ok_and(|host| host.internal().is_some())
}

fn build_metadata(build: &Build) -> Map<String, Value> {
    let command = match &build.command {
        BuildCommand::One(command) => json!(command),
        BuildCommand::Several(commands) => json!(commands),
    };
    let mut metadata = Map::from_iter([("command".to_owned(), command)]);
    if let Some(workdir) = &build.workdir {
        metadata.insert("workdir".to_owned(), json!(workdir));
    }
    put_list(&mut metadata, "watch", &build.watch);
    metadata
}

fn put_text(metadata: &mut Map<String, Value>, key: &str, text: &str) {
    if !text.is_empty() {
        metadata.insert(key.to_owned(), json!(text));
    }
}

fn put_list(metadata: &mut Map<String, Value>, key: &str, list: &[String]) {
    if !list.is_empty() {
        metadata.insert(key.to_owned(), json!(list));
    }
}

/// Where a component's file is, given an absolute base directory or one relative to the current directory.
pub(super) fn absolute_source(base_dir: &Path, source: &Path) -> PathBuf {
    clean(&base_dir.join(source))
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    path::absolute(path).map(|path| clean(&path))
}

fn file_url(path: &Path) -> String {
    Url::from_file_path(path).expect("the path was made absolute").into()
}

#[cfg(test)]
mod tests;
