//! From a manifest to a locked application.

use std::io;
use std::path::{self, Component as PathPart, Path, PathBuf};

use serde_json::{Map, Value, json};
use url::Url;

use super::hosts;
use super::schema::{Build, BuildCommand, Component, Manifest, Trigger, Variable};
use crate::lock::{
    COMPONENT_HOST_REQUIREMENTS, LOCAL_SERVICE_CHAINING, LockedApp, LockedComponent, LockedSource, LockedTrigger,
    LockedVariable,
};

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
    /// No file is looked at; see [`check_sources`](Self::check_sources).
    #[must_use]
    pub fn lock(&self, options: &LockOptions) -> LockedApp {
        let components: Vec<_> = self.components.iter().map(|component| lock_component(component, options)).collect();
        let mut app = LockedApp::default();
        if components.iter().any(|component| !component.host_requirements.is_empty()) {
            app.must_understand.push(COMPONENT_HOST_REQUIREMENTS.to_owned());
        }
        app.metadata = self.app_metadata(options);
        app.variables = self.variables.iter().map(|(name, variable)| (name.clone(), lock_variable(variable))).collect();
        app.triggers = self.triggers.iter().map(lock_trigger).collect();
        app.components = components;
        app
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
        if let Some(origin) = &options.origin {
            put_text(&mut metadata, "origin", origin);
        }
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
    LockedTrigger::new(&trigger.id.value, trigger.trigger_type.clone(), Value::Object(config))
}

fn lock_component(component: &Component, options: &LockOptions) -> LockedComponent {
    let hosts = outbound_hosts(component);
    let wasm = file_url(&absolute_source(&options.base_dir, &component.source.value));
    let mut locked = LockedComponent::new(component.id.value.clone(), LockedSource::wasm_at(wasm));
    if hosts.iter().any(|host| hosts::is_internal(host)) {
        locked.host_requirements.insert(LOCAL_SERVICE_CHAINING.to_owned(), "required".to_owned());
    }
    let metadata = &mut locked.metadata;
    put_text(metadata, "description", &component.description);
    put_list(metadata, "allowed_outbound_hosts", &hosts);
    put_list(metadata, "key_value_stores", &component.key_value_stores);
    put_list(metadata, "databases", &component.sqlite_databases);
    put_list(metadata, "ai_models", &component.ai_models);
    if let Some(build) = &component.build {
        metadata.insert("build".to_owned(), Value::Object(build_metadata(build)));
    }
    locked.env = component.environment.clone();
    locked.env.extend(options.env.iter().cloned());
    locked.config = component.variables.iter().map(|(name, text)| (name.clone(), text.value.clone())).collect();
    locked
}

/// The allowed hosts in the modern form, the deprecated ones last.
fn outbound_hosts(component: &Component) -> Vec<String> {
    let modern = component.allowed_outbound_hosts.iter().map(|host| host.value.clone());
    let deprecated = component.allowed_http_hosts.iter();
    let converted = deprecated.flat_map(|host| hosts::of_http_host(&host.value).unwrap_or_default());
    modern.chain(converted).collect()
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
    without_dots(&base_dir.join(source))
}

fn absolute(path: &Path) -> io::Result<PathBuf> {
    path::absolute(path).map(|path| without_dots(&path))
}

/// Takes `.` and `..` out by text alone. Symbolic links stay as they are, as in the URLs that Spin writes; and a reader
/// of a URL takes the dots out in the same way, so that both mean the same file.
fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            PathPart::CurDir => {}
            PathPart::ParentDir if clean.has_root() || ends_in_name(&clean) => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn ends_in_name(path: &Path) -> bool {
    matches!(path.components().next_back(), Some(PathPart::Normal(_)))
}

fn file_url(path: &Path) -> String {
    Url::from_file_path(path).expect("the path was made absolute").into()
}

#[cfg(test)]
mod tests;
