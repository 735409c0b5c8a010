//! Reading `[[trigger.TYPE]]`, and giving an id to every trigger that has none.

use std::collections::BTreeSet;

use serde_json::Map;
use toml::Spanned;
use toml::de::DeValue;

use super::super::json;
use super::super::problem::{Located, quoted};
use super::super::schema::Trigger;
use super::super::table::{Table, kind};
use super::{component, trigger_type};
use crate::names::{ComponentId, TriggerType};

/// A trigger whose id may not be known yet.
struct Entry {
    id: Option<Located<String>>,
    trigger: Trigger,
}

/// All triggers: by type in the order of first appearance, then in the order of the list.
pub(super) fn triggers(document: &Table<'_, '_>) -> Vec<Trigger> {
    let Some(table) = document.table("trigger", || "[trigger]".to_owned()) else {
        if document.get("trigger").is_none() {
            document.missing("trigger", "write for example `[[trigger.http]]`, or `[trigger]` if there is none yet");
        }
        return Vec::new();
    };
    let mut entries = Vec::new();
    for (name, span, value) in table.entries() {
        let trigger_type = trigger_type(table.report, name, &span);
        let DeValue::Array(items) = value.get_ref() else {
            let message =
                format!("the triggers of type {} must be a list, not {}", quoted(name), kind(value.get_ref()));
            let help = format!("write `[[trigger.{name}]]`, with two brackets");
            table.report.problem_with_help(&span, message, help);
            continue;
        };
        for item in items.iter() {
            entries.extend(entry(&table, name, trigger_type.as_ref(), item));
        }
    }
    with_ids(entries)
}

fn entry<'d, 't>(
    all: &Table<'d, 't>,
    name: &str,
    trigger_type: Option<&TriggerType>,
    item: &'d Spanned<DeValue<'t>>,
) -> Option<Entry> {
    let table = Table::of(all.report, item.span(), item, format!("[[trigger.{name}]]"))?;
    let mut config = Map::new();
    for (key, _, value) in table.entries().filter(|(key, ..)| !["id", "component", "components"].contains(key)) {
        if let Some(value) = json::value(table.report, key, value) {
            config.insert(key.to_owned(), value);
        }
    }
    if let Some(span) = table.key_span("components") {
        let help = "write one `[[trigger]]` entry for each component";
        table.unsupported(&span, &table.field_name("components"), help);
    }
    let id = table.text("id").filter(|id| !id.value.is_empty());
    let at = all.report.position(item.span().start);
    let component = component_reference(&table);
    let id_or_nothing = id.clone().unwrap_or(Located { value: String::new(), at });
    let trigger_type = trigger_type?.clone();
    Some(Entry { id, trigger: Trigger { id: id_or_nothing, trigger_type, component, config } })
}

fn component_reference(table: &Table<'_, '_>) -> Option<Located<ComponentId>> {
    let value = table.get("component")?;
    if let DeValue::Table(_) = value.get_ref() {
        let help = "declare it as `[component.NAME]` and write `component = \"NAME\"`";
        table.unsupported(&value.span(), &format!("a component written inside {}", table.name()), help);
        return None;
    }
    let name = table.text("component")?;
    let id = component::id(table.report, &name.value, &value.span())?;
    Some(Located { value: id, at: name.at })
}

/// Gives every trigger an id. All ids that are written anywhere are taken before the first one is assigned.
fn with_ids(entries: Vec<Entry>) -> Vec<Trigger> {
    let mut taken: BTreeSet<String> =
        entries.iter().filter_map(|entry| entry.id.as_ref()).map(|id| id.value.clone()).collect();
    let mut triggers = Vec::with_capacity(entries.len());
    for Entry { id, mut trigger } in entries {
        if id.is_none() {
            let component = trigger.component.as_ref().map(|component| &component.value);
            trigger.id.value = assign_id(&trigger.trigger_type, component, |id| !taken.contains(id));
            taken.insert(trigger.id.value.clone());
        }
        triggers.push(trigger);
    }
    triggers
}

/// The id of a trigger that has none: named after its component if it can be, else numbered.
pub(in super::super) fn assign_id(
    trigger_type: &TriggerType,
    component: Option<&ComponentId>,
    is_free: impl Fn(&str) -> bool,
) -> String {
    let named = component.map(|component| format!("{component}-{trigger_type}-trigger"));
    let numbered = (1u64..).map(|number| format!("{trigger_type}-trigger{number}"));
    named.into_iter().chain(numbered).find(|id| is_free(id)).expect("there are more numbers than triggers")
}
