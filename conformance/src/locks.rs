//! The locked apps that a trigger is given: one that every trigger can run, and some that none may.

use serde_json::{Value, json};
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
        assert_eq!(code(not_json()), "lock::not-json");
        assert_eq!(code(of_a_newer_version()), "lock::version");
        assert_eq!(code(with_an_unknown_requirement()), "lock::host-requirements");
        assert_eq!(code(with_an_unknown_part()), "lock::must-understand");
    }
}
