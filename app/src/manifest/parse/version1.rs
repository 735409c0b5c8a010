//! Reading a manifest of version 1 into the form of version 2.
//!
//! One trigger type for the whole application, a list of components, and a trigger in each.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::super::http_hosts;
use super::super::ids::check_kebab;
use super::super::schema::{Application, Component, Manifest, Trigger};
use super::component::{Deprecated, http_hosts, shared_fields};
use super::source::source;
use super::{OLD_VERSION_KEY, Parsed, VERSION_KEY, check_variable_key, keys, trigger_type, variables};
use crate::document::{Located, Position, Problems, Report, Table, kind, quoted};
use crate::names::{ComponentId, TriggerType};

const DOCUMENT_KEYS: &[&str] =
    &[VERSION_KEY, OLD_VERSION_KEY, "name", "version", "description", "authors", "trigger", "variables", "component"];

/// What other versions have.
const DOCUMENT_ELSEWHERE: &[(&str, &str)] = &[
    ("application", "for this table, make it version 2: `spin_manifest_version = 2`"),
    ("namespace", "it never had a meaning; remove it"),
];

const COMPONENT_KEYS: &[&str] = &[
    "id",
    "source",
    "trigger",
    "description",
    "config",
    "environment",
    "files",
    "exclude_files",
    "allowed_http_hosts",
    "allowed_outbound_hosts",
    "key_value_stores",
    "sqlite_databases",
    "ai_models",
    "build",
];

/// What only version 2 has.
const COMPONENT_ELSEWHERE: &[(&str, &str)] = &[
    ("variables", "in version 1 it is called `config`"),
    ("dependencies", "only version 2 has it: `spin doctor` of public Spin can convert the manifest"),
];

/// What a component without `allowed_outbound_hosts` may connect to: before there was the list, nobody was asked.
const DATABASES: [&str; 3] = ["redis://*:*", "mysql://*:*", "postgres://*:*"];

/// Reads a document of version 1 as far as it can be read.
pub(super) fn document<'t>(document: &Table<'_, 't>, path: &Path) -> Parsed<'t> {
    document.expect_only(DOCUMENT_KEYS, DOCUMENT_ELSEWHERE);
    if document.get("name").is_none() {
        document.missing("name", "give the application a name");
    }
    let mut application = Application {
        name: document.plain_text("name").unwrap_or_default(),
        version: document.plain_text("version").unwrap_or_default(),
        description: document.plain_text("description").unwrap_or_default(),
        authors: document.plain_texts("authors"),
        ..Application::default()
    };
    let trigger_type = application_trigger(document, &mut application);
    let Components { components, triggers, ids } = components(document, trigger_type.as_ref());
    let (components, without_code) = components.into_iter().partition(Component::has_code);
    let manifest = Manifest {
        path: path.to_owned(),
        application,
        variables: variables(document),
        triggers,
        components,
        profile: None,
        warnings: Problems::default(),
    };
    Parsed { manifest, without_code, components: ids, variables: keys(document, "variables") }
}

/// The type of all triggers; what else is said about it are its settings, also if it is nothing.
fn application_trigger(document: &Table<'_, '_>, application: &mut Application) -> Option<TriggerType> {
    let Some(table) = document.table("trigger", || "`trigger` in the manifest".to_owned()) else {
        if document.get("trigger").is_none() {
            document.missing("trigger", "write for example `trigger = { type = \"http\" }`");
        }
        return None;
    };
    let Some(value) = table.get("type") else {
        table.missing("type", "write for example `type = \"http\"`");
        return None;
    };
    let name = table.text("type")?;
    let trigger_type = trigger_type(table.report, &name.value, &value.span())?;
    let mut settings = table.to_json()?;
    settings.remove("type");
    application.trigger_settings.insert(trigger_type.clone(), settings);
    Some(trigger_type)
}

/// What the list of components holds.
#[derive(Default)]
struct Components<'t> {
    components: Vec<Component>,
    triggers: Vec<Trigger>,
    ids: BTreeSet<Cow<'t, str>>,
}

fn components<'t>(document: &Table<'_, 't>, trigger_type: Option<&TriggerType>) -> Components<'t> {
    let report = document.report;
    let mut read = Components::default();
    let mut named = Vec::new();
    let mut seen = BTreeMap::new();
    for item in report.vital(|| list(document)).into_iter().flatten() {
        let Some(Entry { component, config, names }) = component(report, item) else { continue };
        named.extend(names);
        let id = component.id.clone();
        if let Some(first) = seen.insert(id.value.clone(), id.at) {
            let message = format!("two components have the id {}", quoted(id.value.as_str()));
            let help = format!("the other one is in line {}", first.line);
            report.vital(|| report.add(id.at, message, Some(help)));
            continue;
        }
        read.ids.insert(Cow::Owned(id.value.to_string()));
        read.triggers.extend(trigger_type.zip(config).map(|(trigger_type, config)| Trigger {
            id: Located { value: format!("trigger-{}", id.value), at: id.at },
            trigger_type: trigger_type.clone(),
            component: Some(id),
            components: BTreeMap::new(),
            config,
        }));
        read.components.push(component);
    }
    for name in named {
        // As an id is read, so is what refers to it.
        if !read.ids.contains(&*name.value) && !read.ids.contains(&*modern_id(&name.value)) {
            let help = report.suggest(&name.value, read.ids.iter().map(|id| &**id));
            report.add(name.at, format!("no component {} is declared", quoted(&name.value)), help);
        }
    }
    read
}

fn list<'d, 't>(document: &Table<'d, 't>) -> Option<&'d DeArray<'t>> {
    let value = document.get("component")?;
    let items = value.get_ref().as_array();
    if items.is_none() {
        let message = format!("the components must be a list, not {}", kind(value.get_ref()));
        let span = document.key_span("component").unwrap_or_else(|| value.span());
        let help = "write `[[component]]`, with two brackets; tables with names are version 2".to_owned();
        document.report.problem_with_help(&span, message, help);
    }
    items
}

/// One `[[component]]`.
struct Entry {
    component: Component,
    /// The table of its trigger.
    config: Option<Map<String, Value>>,
    /// The components that the trigger names besides this one.
    names: Vec<Located<String>>,
}

/// A component and its trigger. Everything is read even if there is no valid id or source.
fn component(report: &Report<'_>, item: &Spanned<DeValue<'_>>) -> Option<Entry> {
    let table = report.vital(|| Table::of(report, item.span(), item, "[[component]]"))?;
    let text = table.get("id").and_then(|id| id.get_ref().as_str()).map(quoted);
    let table = match text {
        Some(text) => table.renamed(format!("component {text}")),
        None => table,
    };
    table.expect_only(COMPONENT_KEYS, COMPONENT_ELSEWHERE);
    let id = report.vital(|| {
        if table.get("id").is_none() {
            table.missing("id", "give the component an id: `id = \"hello\"`");
        }
        id(report, table.text("id")?)
    });
    let source = source(&table);
    let config = table.table("trigger", || format!("the trigger of {}", table.name()));
    if table.get("trigger").is_none() {
        table.missing("trigger", "say which events it answers: `[component.trigger]` and below it the route");
    }
    let names = config.as_ref().map(names).unwrap_or_default();
    let config = config.and_then(|table| table.to_json());
    let stand_in = Component::stand_in(Position::START);
    let component = Component {
        variables: table.text_map("config", |name, span| check_variable_key(report, name, &span)),
        allowed_outbound_hosts: outbound_hosts(&table),
        key_value_stores: table.plain_texts("key_value_stores"),
        sqlite_databases: table.plain_texts("sqlite_databases"),
        ..shared_fields(&table, Component::new(stand_in.id, source.unwrap_or(stand_in.source)))
    };
    Some(Entry { component: Component { id: id?, ..component }, config, names })
}

/// The components in the groups `components` of a trigger. The table is the trigger's business, but what it names must be
/// there.
fn names(trigger: &Table<'_, '_>) -> Vec<Located<String>> {
    let groups = trigger.get("components").and_then(|value| value.get_ref().as_table());
    let members = groups.into_iter().flat_map(|groups| groups.values()).flat_map(|group| match group.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![group],
    });
    let name = |member: &Spanned<DeValue<'_>>| {
        let value = member.get_ref().as_str()?.to_owned();
        Some(Located { value, at: trigger.report.position(member.span().start) })
    };
    members.filter_map(name).collect()
}

/// An id that version 2 does not allow, in a form that it may allow.
fn modern_id(id: &str) -> String {
    id.replace('_', "-").to_ascii_lowercase()
}

/// An id as it is if version 2 allows it, else the nearest to it that does.
fn id(report: &Report<'_>, text: Located<String>) -> Option<Located<ComponentId>> {
    let name = match check_kebab(&text.value) {
        Ok(()) => text.value.clone(),
        Err(_) => modern_id(&text.value),
    };
    let checked = check_kebab(&name).and_then(|()| name.parse::<ComponentId>().map_err(|error| error.reason));
    match checked {
        Ok(value) => Some(Located { value, at: text.at }),
        Err(reason) => {
            report.add(text.at, format!("invalid ID {}: {reason}", quoted(&text.value)), None);
            None
        }
    }
}

/// All hosts in the modern form.
fn outbound_hosts(table: &Table<'_, '_>) -> Vec<Located<String>> {
    let mut hosts = table.texts("allowed_outbound_hosts");
    if table.get("allowed_outbound_hosts").is_none() {
        let at = table.report.position(table.header().start);
        hosts.extend(DATABASES.map(|host| Located { value: host.to_owned(), at }));
    }
    hosts.extend(http_hosts::modern_list(&http_hosts(table, Deprecated::No)));
    hosts
}
