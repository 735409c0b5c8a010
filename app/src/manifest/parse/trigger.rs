//! Reading `[[trigger.TYPE]]`, and giving an id to every trigger that has none and to every component written inside one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde_json::Map;
use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::super::ids::check_kebab;
use super::super::json;
use super::super::schema::{Component, Trigger};
use super::{component, trigger_type};
use crate::document::{Located, Table, bare_or_quoted, kind, mismatch, quoted};
use crate::names::{ComponentId, TriggerType};

/// Keys of a trigger that are not only the trigger's business.
pub(super) const OWN_KEYS: &[&str] = &["id", "component", "components"];

/// A trigger whose id may not be known yet.
struct Entry {
    id: Option<Located<String>>,
    trigger: Trigger,
    component: Option<Reference>,
    /// In the order of the text, by which ids are assigned.
    components: Vec<(String, Vec<Reference>)>,
}

/// How a trigger says which component it means.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(in super::super) enum Reference {
    /// By its id.
    Id(Located<ComponentId>),
    /// By writing it down on the spot.
    Inline(Box<Component>),
}

/// All triggers: by type in the order of first appearance, then in the order of the list. And the components written
/// inside them, in the same order. `is_taken` tells the ids of components that are declared.
pub(super) fn triggers(document: &Table<'_, '_>, is_taken: impl Fn(&str) -> bool) -> (Vec<Trigger>, Vec<Component>) {
    let Some(table) = document.table("trigger", || "[trigger]".to_owned()) else {
        if document.get("trigger").is_none() {
            document.missing("trigger", "write for example `[[trigger.http]]`, or `[trigger]` if there is none yet");
        }
        return (Vec::new(), Vec::new());
    };
    let mut entries = Vec::new();
    for (name, span, value) in table.entries() {
        // A component that is written inside a trigger is only found if the trigger can be read.
        let (trigger_type, items) =
            table.report.vital(|| (trigger_type(table.report, name, &span), list(&table, name, &span, value)));
        let Some(items) = items else { continue };
        for item in items.iter() {
            entries.extend(entry(&table, name, trigger_type.as_ref(), item));
        }
    }
    assign_ids(&mut entries);
    name_components(entries, is_taken)
}

/// The triggers of a type.
fn list<'d, 't>(
    all: &Table<'d, 't>,
    name: &str,
    span: &Range<usize>,
    value: &'d Spanned<DeValue<'t>>,
) -> Option<&'d DeArray<'t>> {
    let items = value.get_ref().as_array();
    if items.is_none() {
        let message = format!("the triggers of type {} must be a list, not {}", quoted(name), kind(value.get_ref()));
        let help = match value.get_ref().as_str().and_then(|text| text.parse::<TriggerType>().ok()) {
            Some(trigger_type) if name == "type" => {
                format!("in version 2 the type is in the name of the table: `[[trigger.{trigger_type}]]`")
            }
            _ => format!("write `[[trigger.{}]]`, with two brackets", bare_or_quoted(name)),
        };
        all.report.problem_with_help(span, message, help);
    }
    items
}

fn entry<'d, 't>(
    all: &Table<'d, 't>,
    name: &str,
    trigger_type: Option<&TriggerType>,
    item: &'d Spanned<DeValue<'t>>,
) -> Option<Entry> {
    let table = Table::of(all.report, item.span(), item, format!("[[trigger.{}]]", bare_or_quoted(name)))?;
    let mut config = Map::new();
    for (key, _, value) in table.entries().filter(|(key, ..)| !OWN_KEYS.contains(key)) {
        if let Some(value) = json::value(table.report, key, value) {
            config.insert(key.to_owned(), value);
        }
    }
    let id = table.text("id").filter(|id| !id.value.is_empty());
    let at = all.report.position(item.span().start);
    let component = table.get("component").and_then(|value| reference(&table, value));
    let components = components(&table);
    let trigger = Trigger {
        id: id.clone().unwrap_or(Located { value: String::new(), at }),
        trigger_type: trigger_type?.clone(),
        component: None,
        components: BTreeMap::new(),
        config,
    };
    Some(Entry { id, trigger, component, components })
}

fn reference(table: &Table<'_, '_>, value: &Spanned<DeValue<'_>>) -> Option<Reference> {
    match value.get_ref() {
        DeValue::String(name) => {
            let value_at = table.report.position(value.span().start);
            let id = component::id(table.report, name, &value.span())?;
            Some(Reference::Id(Located { value: id, at: value_at }))
        }
        DeValue::Table(_) => {
            let name = format!("the component in {}", table.name());
            let table = Table::of(table.report, value.span(), value, name)?;
            Some(Reference::Inline(Box::new(component::inline(&table))))
        }
        _ => {
            let name = table.field_name("component");
            mismatch(table.report, value, &name, "the id of a component, or a table that is one");
            None
        }
    }
}

/// The field `components`: groups of one or several.
fn components(table: &Table<'_, '_>) -> Vec<(String, Vec<Reference>)> {
    let groups = table.report.vital(|| table.table("components", || table.field_name("components")));
    let Some(groups) = groups else {
        return Vec::new();
    };
    let groups = groups.entries().map(|(name, _, value)| {
        let members = match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(|item| reference(table, item)).collect(),
            _ => reference(table, value).into_iter().collect(),
        };
        (name.to_owned(), members)
    });
    groups.collect()
}

/// Gives every trigger an id. All ids that are written anywhere are taken before the first one is assigned.
fn assign_ids(entries: &mut [Entry]) {
    let mut taken: BTreeSet<String> =
        entries.iter().filter_map(|entry| entry.id.as_ref()).map(|id| id.value.clone()).collect();
    // Ids are only ever taken, so the search for a free number goes on where it ended.
    let mut numbers: BTreeMap<TriggerType, u64> = BTreeMap::new();
    for entry in entries.iter_mut().filter(|entry| entry.id.is_none()) {
        let number = numbers.entry(entry.trigger.trigger_type.clone()).or_insert(1);
        let component = match &entry.component {
            Some(Reference::Id(id)) => Some(&id.value),
            _ => None,
        };
        let id = assign_id(&entry.trigger.trigger_type, component, number, |id| !taken.contains(id));
        taken.insert(id.clone());
        entry.trigger.id.value = id;
    }
}

/// The id of a trigger that has none: named after its component if it can be, else numbered from `number` on.
pub(in super::super) fn assign_id(
    trigger_type: &TriggerType,
    component: Option<&ComponentId>,
    number: &mut u64,
    is_free: impl Fn(&str) -> bool,
) -> String {
    let named = component.map(|component| format!("{component}-{trigger_type}-trigger"));
    if let Some(id) = named.filter(|id| is_free(id)) {
        return id;
    }
    loop {
        let id = format!("{trigger_type}-trigger{number}");
        if is_free(&id) {
            return id;
        }
        *number += 1;
    }
}

/// Takes the components out of the triggers and leaves references.
fn name_components(entries: Vec<Entry>, is_taken: impl Fn(&str) -> bool) -> (Vec<Trigger>, Vec<Component>) {
    let mut found: Vec<Component> = Vec::new();
    let mut given: BTreeSet<ComponentId> = BTreeSet::new();
    let mut number = 1;
    let mut triggers = Vec::with_capacity(entries.len());
    for Entry { mut trigger, component, components, .. } in entries {
        let count = component.iter().len() + components.iter().map(|(_, group)| group.len()).sum::<usize>();
        let named = (count == 1).then(|| format!("{}-component", trigger.id.value));
        let mut refer = |reference| match reference {
            Reference::Id(id) => id,
            Reference::Inline(mut component) => {
                let is_free = |id: &ComponentId| !is_taken(id.as_str()) && !given.contains(id);
                component.id.value = inline_id(named.as_deref(), &mut number, is_free);
                given.insert(component.id.value.clone());
                let id = component.id.clone();
                found.push(*component);
                id
            }
        };
        trigger.component = component.map(&mut refer);
        trigger.components = components
            .into_iter()
            .map(|(name, members)| (name, members.into_iter().map(&mut refer).collect()))
            .collect();
        triggers.push(trigger);
    }
    (triggers, found)
}

/// The id of a component that has none: named after its trigger if it can be, else numbered from `number` on.
fn inline_id(named: Option<&str>, number: &mut u64, is_free: impl Fn(&ComponentId) -> bool) -> ComponentId {
    let named = named.filter(|name| check_kebab(name).is_ok()).and_then(|name| name.parse().ok());
    if let Some(id) = named.filter(&is_free) {
        return id;
    }
    loop {
        let id = format!("inline-component{number}").parse().expect("it is made of safe characters");
        if is_free(&id) {
            return id;
        }
        *number += 1;
    }
}
