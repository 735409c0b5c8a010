//! The locked apps that a trigger is given: one that every trigger can run, and some that none may.

use serde_json::{Map, Value, json};
use spin_app_model::lock::LockedApp;

/// A requirement that no host will ever meet.
pub(crate) const NO_SUCH_FEATURE: &str = "conformance_no_such_feature";

/// A part of the format that no version will ever know.
pub(crate) const NO_SUCH_PART: &str = "conformance_no_such_part";

/// A version of the format that is far away.
pub(crate) const NO_SUCH_VERSION: u64 = 99;

/// An app without triggers of any type: there is nothing to do, so every trigger can do it.
pub(crate) fn without_triggers() -> String {
    let mut app = LockedApp::default();
    app.metadata.insert("name".to_owned(), json!("conformance"));
    app.to_json()
}

/// No JSON at all.
pub(crate) fn not_json() -> String {
    "spin_lock_version = 0\n".to_owned()
}

/// Of a newer version than any trigger can know.
pub(crate) fn of_a_newer_version() -> String {
    empty(json!({ "spin_lock_version": NO_SUCH_VERSION }))
}

/// With a requirement of the host that is not known.
pub(crate) fn with_an_unknown_requirement() -> String {
    empty(json!({
        "spin_lock_version": 1,
        "must_understand": ["host_requirements"],
        "host_requirements": { NO_SUCH_FEATURE: "required" },
    }))
}

/// With a part that must be understood and is not known.
pub(crate) fn with_an_unknown_part() -> String {
    empty(json!({ "spin_lock_version": 1, "must_understand": [NO_SUCH_PART] }))
}

/// With an entry of a type that nobody can understand: it has a field that no trigger has, and nothing else.
pub(crate) fn with_a_bad_entry(trigger_type: &str) -> String {
    let entry = entry("conformance", trigger_type, json!({ NO_SUCH_PART: true }));
    empty(json!({ "spin_lock_version": 0, "triggers": [entry] }))
}

/// The app of `lock`, and entries of other types with a component whose code is not there.
pub(crate) fn with_entries_of_others(lock: &str) -> String {
    let config = json!({ "component": "conformance-other", NO_SUCH_PART: [1, null] });
    let source = json!({ "content_type": "application/wasm", "source": "file:///conformance/no/such/file" });
    let component = json!({ "id": "conformance-other", "source": source });
    extended(lock, |app| {
        push(app, "triggers", entry("conformance-other", "conformance-other", config));
        push(app, "components", component);
    })
}

/// The app of `lock`, with a description that makes it larger than any buffer.
pub(crate) fn huge(lock: &str) -> String {
    const LENGTH: usize = 4 * 1024 * 1024;
    extended(lock, |app| {
        if let Some(metadata) = app.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("description".to_owned(), Value::String("long ".repeat(LENGTH / 5)));
        }
    })
}

fn entry(id: &str, trigger_type: &str, config: Value) -> Value {
    json!({ "id": id, "trigger_type": trigger_type, "trigger_config": config })
}

fn push(app: &mut Map<String, Value>, list: &str, item: Value) {
    if let Some(list) = app.get_mut(list).and_then(Value::as_array_mut) {
        list.push(item);
    }
}

/// One that was given and can't be read stays as it is: the trigger says what is wrong with it.
fn extended(lock: &str, extend: impl FnOnce(&mut Map<String, Value>)) -> String {
    match serde_json::from_str(lock) {
        Ok(Value::Object(mut app)) => {
            extend(&mut app);
            Value::Object(app).to_string()
        }
        _ => lock.to_owned(),
    }
}

/// The app of `fields`, without anything to run.
fn empty(fields: Value) -> String {
    let mut app = json!({ "metadata": { "name": "conformance" }, "triggers": [], "components": [] });
    if let (Value::Object(app), Value::Object(fields)) = (&mut app, fields) {
        app.extend(fields);
    }
    app.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LockedApp, spin_app_model::LockError> {
        LockedApp::from_json(text.as_bytes())
    }

    #[test]
    fn bad_ones_are_bad_for_the_reason_that_is_meant() {
        let code = |text: String| read(&text).map(|_| "none").unwrap_or_else(|error| error.code());
        assert_eq!(code(without_triggers()), "none");
        // Only who serves a type can say what is wrong with an entry of it.
        assert_eq!(code(with_a_bad_entry("stub")), "none");
        assert_eq!(code(not_json()), "lock::not-json");
        assert_eq!(code(of_a_newer_version()), "lock::version");
        assert_eq!(code(with_an_unknown_requirement()), "lock::host-requirements");
        assert_eq!(code(with_an_unknown_part()), "lock::must-understand");
    }

    #[test]
    fn unusual_ones_are_good_and_hold_what_was_given() {
        let app = read(&with_entries_of_others(&with_a_bad_entry("stub"))).expect("a good one");
        assert_eq!((app.triggers.len(), app.components.len()), (2, 1));
        let long = huge(&with_a_bad_entry("stub"));
        assert!(long.len() > 3 * 1024 * 1024);
        assert_eq!(read(&long).expect("a good one").triggers.len(), 1);
    }
}
