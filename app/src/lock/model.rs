//! The locked application as data, and the questions that hosts and triggers ask of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::names::{ComponentId, TriggerType};

/// The content type of every component.
pub const WASM_CONTENT_TYPE: &str = "application/wasm";

/// A fully resolved application.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct LockedApp {
    /// Parts of the format that a reader must know or refuse the application. Makes the format version 1.
    pub must_understand: Vec<String>,
    /// Name, version, origin and settings of triggers; see the methods.
    pub metadata: Map<String, Value>,
    /// Abilities that a host must have to run any part of the application.
    pub host_requirements: BTreeMap<String, String>,
    /// The application's variables.
    pub variables: BTreeMap<String, LockedVariable>,
    /// The triggers, in the order of the manifest.
    pub triggers: Vec<LockedTrigger>,
    /// The components, in the order of the manifest. Their ids are unique.
    pub components: Vec<LockedComponent>,
    /// Fields that this version does not know.
    pub unknown: Map<String, Value>,
}

/// A variable of the application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LockedVariable {
    /// What it is for.
    pub description: Option<String>,
    /// The value if no provider has one; `None` makes the variable required.
    pub default: Option<String>,
    /// Whether the value must be kept out of all output.
    pub secret: bool,
}

/// A trigger: which events run which component.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LockedTrigger {
    /// Its id, unique by convention.
    pub id: String,
    /// Its type, which decides the process that runs it.
    pub trigger_type: TriggerType,
    /// What the manifest says about it. Only `component` and `components` mean something to anyone but the trigger.
    pub trigger_config: Value,
    /// Fields that this version does not know.
    pub unknown: Map<String, Value>,
}

/// A component.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LockedComponent {
    /// Its id.
    pub id: ComponentId,
    /// Description, permissions, stores, build command; see the methods.
    pub metadata: Map<String, Value>,
    /// Where its code is.
    pub source: LockedSource,
    /// Environment variables of the guest.
    pub env: BTreeMap<String, String>,
    /// Files mounted into the guest.
    pub files: Vec<LockedFile>,
    /// The component's variables: name to template.
    pub config: BTreeMap<String, String>,
    /// Components that satisfy imports of this one.
    pub dependencies: BTreeMap<String, LockedDependency>,
    /// Abilities that a host must have to run this component.
    pub host_requirements: BTreeMap<String, String>,
    /// Fields that this version does not know.
    pub unknown: Map<String, Value>,
}

/// Code, and what kind of code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedSource {
    /// [`WASM_CONTENT_TYPE`] in practice; not evaluated.
    pub content_type: String,
    /// Where the bytes are.
    pub content: ContentRef,
}

/// Where bytes are. A locally loaded application has only `source`, an image only `digest` and perhaps `inline`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ContentRef {
    /// A URL; `file:` in practice.
    pub source: Option<String>,
    /// The bytes themselves.
    pub inline: Option<Vec<u8>>,
    /// The digest of the bytes, `sha256:<hex>`.
    pub digest: Option<String>,
}

/// A file or folder mounted into the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedFile {
    /// Where it is on the host.
    pub content: ContentRef,
    /// Where the guest sees it.
    pub path: String,
}

/// A component that satisfies imports of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockedDependency {
    /// Where its code is.
    pub source: LockedSource,
    /// The export to use, if it is not found by the name of the import.
    pub export: Option<String>,
    /// What it may do.
    pub inherit: Inherit,
}

/// Which abilities a dependency has of those that its dependent has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Inherit {
    /// None.
    #[default]
    Nothing,
    /// All.
    All,
    /// Those named, by the keys of the manifest.
    Some(Vec<String>),
}

impl LockedApp {
    /// The name of the application.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.text("name")
    }

    /// The version of the application, a free text.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.text("version")
    }

    /// What the application is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.text("description")
    }

    /// Where the application was loaded from: a `file:` URL of a manifest, or the reference of an image.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.text("origin")
    }

    /// The types of the application's triggers, each once, in the order of first appearance.
    #[must_use]
    pub fn trigger_types(&self) -> Vec<&TriggerType> {
        let mut seen = BTreeSet::new();
        self.triggers.iter().map(|trigger| &trigger.trigger_type).filter(|kind| seen.insert(*kind)).collect()
    }

    /// The triggers of one type, in order.
    pub fn triggers_of<'a>(&'a self, trigger_type: &'a str) -> impl Iterator<Item = &'a LockedTrigger> {
        self.triggers.iter().filter(move |trigger| trigger.trigger_type == trigger_type)
    }

    /// What the manifest says about all triggers of one type (`[application.trigger.TYPE]`).
    ///
    /// Found in `triggers` of the metadata; locks by Spin before 2.0 have `trigger` instead.
    #[must_use]
    pub fn trigger_settings(&self, trigger_type: &str) -> Option<Value> {
        if let Some(triggers) = self.metadata.get("triggers") {
            return triggers.get(trigger_type).cloned();
        }
        let mut settings = self.metadata.get("trigger")?.as_object()?.clone();
        (settings.remove("type")?.as_str()? == trigger_type).then_some(Value::Object(settings))
    }

    /// The component of this id.
    #[must_use]
    pub fn component(&self, id: &ComponentId) -> Option<&LockedComponent> {
        self.component_named(id.as_str())
    }

    /// The components that triggers of one type use, each once, in the order of the application.
    ///
    /// A reference to a component that is not there is passed over; whoever runs the trigger reports it with
    /// [`LockedTrigger::component`].
    pub fn components_of(&self, trigger_type: &str) -> impl Iterator<Item = &LockedComponent> {
        let used: BTreeSet<&str> = self
            .triggers
            .iter()
            .filter(|trigger| trigger.trigger_type == trigger_type)
            .flat_map(LockedTrigger::components)
            .collect();
        self.components.iter().filter(move |component| used.contains(component.id.as_str()))
    }

    /// The component with this text as its id, which need not be a valid id.
    #[must_use]
    pub fn component_named(&self, id: &str) -> Option<&LockedComponent> {
        self.components.iter().find(|component| component.id == id)
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key)?.as_str()
    }
}

impl LockedTrigger {
    /// A trigger with the settings of its manifest entry.
    #[must_use]
    pub fn new(id: impl Into<String>, trigger_type: TriggerType, trigger_config: Value) -> Self {
        Self { id: id.into(), trigger_type, trigger_config, unknown: Map::new() }
    }

    /// The id of the component that events of this trigger run, by the convention that `component` names it.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        self.trigger_config.get("component")?.as_str()
    }

    /// The ids of all components it refers to: `component`, and the lists in `components`.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let groups = self.trigger_config.get("components").and_then(Value::as_object);
        let listed = groups.into_iter().flat_map(Map::values).filter_map(Value::as_array).flatten();
        self.component().into_iter().chain(listed.filter_map(Value::as_str))
    }
}

impl LockedComponent {
    /// A component that has code and nothing else.
    #[must_use]
    pub fn new(id: ComponentId, source: LockedSource) -> Self {
        Self {
            id,
            metadata: Map::new(),
            source,
            env: BTreeMap::new(),
            files: Vec::new(),
            config: BTreeMap::new(),
            dependencies: BTreeMap::new(),
            host_requirements: BTreeMap::new(),
            unknown: Map::new(),
        }
    }

    /// What the component is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.metadata.get("description")?.as_str()
    }

    /// A list of texts in the metadata, such as `allowed_outbound_hosts` or `key_value_stores`; empty if it is absent.
    pub fn metadata_list(&self, key: &str) -> impl Iterator<Item = &str> {
        self.metadata.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }
}

impl LockedSource {
    /// Wasm at a URL.
    #[must_use]
    pub fn wasm_at(url: impl Into<String>) -> Self {
        Self { content_type: WASM_CONTENT_TYPE.to_owned(), content: ContentRef::at(url) }
    }
}

impl ContentRef {
    /// Bytes at a URL.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { source: Some(url.into()), inline: None, digest: None }
    }
}

impl LockedFile {
    /// Content that the guest sees at `path`.
    #[must_use]
    pub fn new(content: ContentRef, path: impl Into<String>) -> Self {
        Self { content, path: path.into() }
    }
}

impl LockedDependency {
    /// A dependency that inherits nothing.
    #[must_use]
    pub fn new(source: LockedSource) -> Self {
        Self { source, export: None, inherit: Inherit::Nothing }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use serde_json::json;

    use super::*;

    fn trigger(id: &str, kind: &str, config: Value) -> LockedTrigger {
        LockedTrigger::new(id, kind.parse().unwrap(), config)
    }

    fn component(id: &str) -> LockedComponent {
        LockedComponent::new(id.parse().unwrap(), LockedSource::wasm_at(format!("file:///{id}.wasm")))
    }

    fn with_metadata(metadata: Value) -> LockedApp {
        LockedApp { metadata: metadata.as_object().unwrap().clone(), ..LockedApp::default() }
    }

    #[test]
    fn types_come_in_the_order_of_first_appearance() {
        let triggers =
            ["redis", "http", "redis", "cron"].iter().map(|kind| trigger(kind, kind, json!({}))).collect::<Vec<_>>();
        let app = LockedApp { triggers, ..LockedApp::default() };
        assert_eq!(app.trigger_types().iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), ["redis", "http", "cron"]);
        assert_eq!(app.triggers_of("redis").count(), 2);
    }

    #[test]
    fn settings_are_found_in_either_form_and_never_panic() {
        let of = |metadata| with_metadata(metadata).trigger_settings("http");
        assert_eq!(of(json!({})), None);
        assert_eq!(of(json!({ "trigger": { "type": "http", "base": "/" } })), Some(json!({ "base": "/" })));
        assert_eq!(of(json!({ "trigger": { "type": "redis" } })), None);
        assert_eq!(of(json!({ "trigger": { "base": "/" } })), None);
        assert_eq!(of(json!({ "trigger": "http" })), None);
        assert_eq!(of(json!({ "trigger": { "type": 7 } })), None);
        assert_eq!(of(json!({ "triggers": { "http": { "a": 1 } } })), Some(json!({ "a": 1 })));
        assert_eq!(of(json!({ "triggers": 7 })), None);
        let both = json!({ "triggers": {}, "trigger": { "type": "http", "base": "/" } });
        assert_eq!(of(both), None, "the newer form wins even if it says nothing");
    }

    #[test]
    fn components_of_a_type_are_those_its_triggers_name() {
        let app = LockedApp {
            triggers: vec![
                trigger("1", "http", json!({ "component": "b" })),
                trigger("2", "http", json!({ "component": "b" })),
                trigger("3", "redis", json!({ "component": "c" })),
                trigger("4", "http", json!({ "components": { "more": ["a"], "odd": 7 } })),
                trigger("5", "http", json!({ "component": "missing" })),
                trigger("6", "http", json!("odd")),
            ],
            components: ["a", "b", "c", "d"].map(component).to_vec(),
            ..LockedApp::default()
        };
        let of = |kind| app.components_of(kind).map(|component| component.id.as_str()).collect::<Vec<_>>();
        assert_eq!(of("http"), ["a", "b"]);
        assert_eq!(of("redis"), ["c"]);
        assert_eq!(of("cron"), Vec::<&str>::new());
        assert!(app.component(&"d".parse().unwrap()).is_some());
        assert!(app.component_named("../x").is_none());
    }

    #[test]
    fn metadata_of_the_wrong_kind_reads_as_absent() {
        let app = with_metadata(json!({ "name": 7 }));
        assert_eq!(app.name(), None);
        let mut component = component("a");
        component.metadata.insert("key_value_stores".into(), json!(["default", 7]));
        assert_eq!(component.metadata_list("key_value_stores").collect::<Vec<_>>(), ["default"]);
        assert_eq!(component.metadata_list("databases").count(), 0);
    }
}
