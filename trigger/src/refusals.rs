//! What a trigger refuses in a locked application before it prepares anything: names, hosts and labels that could only
//! fail later, in the middle of an event.
//!
//! `spin` writes no such lock, but it is not the only one that writes locks. Components that only other triggers use may
//! be as they like. Values that templates come to are not looked at here: they may differ from start to start, and what
//! can't be read then allows nothing.

use serde_json::Value;
use spin_app_model::hosts::{AllowedHost, HostError};
use spin_app_model::lock::{LockedApp, LockedComponent};
use spin_app_model::{ComponentId, check_variable_name};

use crate::error::Error;
use crate::settings::Stores;

const HOSTS: &str = "allowed_outbound_hosts";

/// A list of labels in the lock: how a manifest calls it, the table of the runtime configuration, and what there is.
struct Labels<'a> {
    list: &'static str,
    in_manifest: &'static str,
    table: &'static str,
    known: Vec<&'a str>,
}

fn labels(stores: &Stores) -> [Labels<'_>; 2] {
    let known = stores.key_value.stores.keys().map(String::as_str).collect();
    let store = Labels { list: "key_value_stores", in_manifest: "key_value_stores", table: "key_value_store", known };
    let known = stores.sqlite.databases.keys().map(String::as_str).collect();
    [store, Labels { list: "databases", in_manifest: "sqlite_databases", table: "sqlite_database", known }]
}

/// Checks the names of the app's variables, and the components `ids`, which may open what is in `stores`.
///
/// # Errors
///
/// The first that is wrong, with its component; of labels that stand for nothing, all.
pub(crate) fn check(locked: &LockedApp, ids: &[ComponentId], stores: &Stores) -> Result<(), Error> {
    for name in locked.variables.keys() {
        check_variable_name(name).map_err(|error| {
            Error::new("trigger::variable", format!("variable {name:?} of the application: {error}"))
        })?;
    }
    let labels = labels(stores);
    let mut unknown = Vec::new();
    for component in ids.iter().filter_map(|id| locked.component(id)) {
        check_component(component)?;
        for labels in &labels {
            unknown.extend(labels.unknown(component)?);
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Error::new("trigger::unknown-label", unknown.join("\n"))) }
}

impl Labels<'_> {
    /// What there is to say about the labels of a component that stand for nothing.
    fn unknown(&self, component: &LockedComponent) -> Result<Vec<String>, Error> {
        let Self { list, in_manifest, table, known } = self;
        let labels = texts(component, list)?.into_iter().filter(|label| !known.contains(label));
        let tell = |label: &str| {
            format!(
                "unknown {in_manifest} label {label:?} for component \"{}\": add a table [{table}.{label}] to the runtime \
                 configuration (--runtime-config-file)",
                component.id
            )
        };
        Ok(labels.map(tell).collect())
    }
}

fn check_component(component: &LockedComponent) -> Result<(), Error> {
    let id = &component.id;
    for name in component.config.keys() {
        check_variable_name(name).map_err(|error| {
            Error::new("trigger::variable", format!("variable {name:?} of component \"{id}\": {error}"))
        })?;
    }
    for entry in texts(component, HOSTS)? {
        let is_template = entry.contains("{{");
        match AllowedHost::parse(entry) {
            Err(error) if !is_template && error != HostError::Empty => {
                let message = format!("{HOSTS} of component \"{id}\": {entry:?}: {error}");
                return Err(Error::new("trigger::allowed-host", message));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A list of texts in the metadata of a component, where nothing else may be.
fn texts<'a>(component: &'a LockedComponent, key: &str) -> Result<Vec<&'a str>, Error> {
    let texts = match component.metadata.get(key) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(Value::as_str).collect(),
        Some(_) => None,
    };
    texts.ok_or_else(|| {
        Error::new("trigger::metadata", format!("{key} of component \"{}\" is not a list of texts", component.id))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spin_component_runtime::KeyValueStore;

    use super::*;

    /// What a trigger says that uses the component `one`, whose parts these are.
    fn refusal(one: &Value) -> Option<(String, String)> {
        let source = json!({ "content_type": "application/wasm", "source": "file:///one.wasm" });
        let with = |id: &str, parts: &Value| {
            let mut component = json!({ "id": id, "source": source });
            let fields = component.as_object_mut().expect("an object");
            fields.extend(parts.as_object().expect("an object").clone());
            component
        };
        let odd = json!({ "config": { "NOT A NAME": "" }, "metadata": { HOSTS: ["nonsense"], "databases": ["x"] } });
        let lock =
            json!({ "spin_lock_version": 0, "triggers": [], "components": [with("other", &odd), with("one", one)] });
        let locked = LockedApp::from_json(lock.to_string().as_bytes()).expect("a lock");
        let mut stores = Stores::default();
        stores.key_value.stores.insert("default".to_owned(), KeyValueStore::Sqlite { path: None });
        let refused = check(&locked, &["one".parse().expect("an id")], &stores).err()?;
        Some((refused.code().to_owned(), refused.message()))
    }

    #[test]
    fn what_is_right_and_what_others_use_is_not_refused() {
        for right in [
            json!({}),
            json!({ "config": { "a_name2": "{{ x }}" } }),
            json!({ "metadata": { HOSTS: ["https://example.com", "https://{{ x }}", "", "*://*:*"], "databases": null } }),
            json!({ "metadata": { "key_value_stores": [], "ai_models": ["any"] } }),
            json!({ "metadata": { "key_value_stores": ["default"] } }),
        ] {
            assert_eq!(refusal(&right), None, "{right}");
        }
    }

    #[test]
    fn what_can_never_work_is_refused_with_its_component() {
        for (wrong, code, part) in [
            (json!({ "config": { "A-B": "" } }), "trigger::variable", "\"A-B\" of component \"one\""),
            (json!({ "metadata": { HOSTS: ["nonsense"] } }), "trigger::allowed-host", "\"nonsense\""),
            (json!({ "metadata": { HOSTS: ["https://a.b/path"] } }), "trigger::allowed-host", "component \"one\""),
            (json!({ "metadata": { HOSTS: "https://a.b" } }), "trigger::metadata", HOSTS),
            (json!({ "metadata": { "databases": [1] } }), "trigger::metadata", "databases"),
            (
                json!({ "metadata": { "key_value_stores": ["default", "x"] } }),
                "trigger::unknown-label",
                "unknown key_value_stores label \"x\" for component \"one\"",
            ),
            (
                json!({ "metadata": { "databases": ["d"] } }),
                "trigger::unknown-label",
                "unknown sqlite_databases label \"d\"",
            ),
            (
                json!({ "metadata": { "key_value_stores": ["x"], "databases": ["d"] } }),
                "trigger::unknown-label",
                "(--runtime-config-file)\nunknown sqlite_databases label \"d\"",
            ),
        ] {
            let (found, message) = refusal(&wrong).unwrap_or_else(|| panic!("{wrong} is not refused"));
            assert_eq!(found, code, "{message}");
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn names_of_the_apps_variables_are_checked_whoever_uses_them() {
        let lock = json!({ "spin_lock_version": 0, "variables": { "Odd": {} }, "triggers": [], "components": [] });
        let locked = LockedApp::from_json(lock.to_string().as_bytes()).expect("a lock");
        let refused = check(&locked, &[], &Stores::default()).expect_err("no name");
        assert!(refused.message().contains("\"Odd\" of the application"), "{refused}");
    }
}
