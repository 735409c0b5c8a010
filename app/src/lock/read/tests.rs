//! What reading refuses, with the exact place, and what it lets pass.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use serde_json::{Value, json};

use crate::lock::{Inherit, LockError, LockedApp};

fn read(document: &Value) -> Result<LockedApp, LockError> {
    LockedApp::from_json(document.to_string().as_bytes())
}

fn refusal(document: &Value) -> String {
    read(document).unwrap_err().to_string()
}

/// The smallest application, with fields added or replaced.
fn app(changes: Value) -> Value {
    let mut document = json!({ "spin_lock_version": 0, "triggers": [], "components": [] });
    let object = document.as_object_mut().unwrap();
    object.extend(changes.as_object().unwrap().clone());
    document
}

/// An application with one component, with fields added or replaced.
fn with_component(changes: Value) -> Value {
    let mut component = json!({ "id": "a", "source": { "content_type": "application/wasm", "source": "file:///a" } });
    component.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    app(json!({ "components": [component] }))
}

#[test]
fn what_is_not_json_says_where() {
    let error = LockedApp::from_json(b"{\n  oops }").unwrap_err();
    assert_eq!(error.code(), "lock::not-json");
    assert!(error.to_string().contains("line 2 column 3"), "{error}");
    let deep = "[".repeat(100_000);
    assert!(matches!(LockedApp::from_json(deep.as_bytes()), Err(LockError::NotJson(_))));
    assert!(matches!(LockedApp::from_json(b"\xff"), Err(LockError::NotJson(_))));
}

#[test]
fn required_fields_are_named_with_their_place() {
    let missing = |at: &str| format!("the locked application is malformed: {at}: the field is missing");
    assert_eq!(refusal(&json!({})), missing("spin_lock_version"));
    assert_eq!(refusal(&json!({ "spin_lock_version": 0 })), missing("triggers"));
    assert_eq!(refusal(&json!({ "spin_lock_version": 0, "triggers": [] })), missing("components"));
    assert_eq!(refusal(&app(json!({ "triggers": [{ "id": "t" }] }))), missing("triggers[0].trigger_type"));
    let no_config = json!([{ "id": "t", "trigger_type": "http" }]);
    assert_eq!(refusal(&app(json!({ "triggers": no_config }))), missing("triggers[0].trigger_config"));
    assert_eq!(refusal(&app(json!({ "components": [{ "id": "a" }] }))), missing("components[0].source"));
    let no_type = with_component(json!({ "source": {} }));
    assert_eq!(refusal(&no_type), missing("components[0].source.content_type"));
    assert_eq!(refusal(&with_component(json!({ "files": [{}] }))), missing("components[0].files[0].path"));
}

#[test]
fn a_wrong_kind_says_what_was_expected() {
    let malformed = |text: &str| format!("the locked application is malformed: {text}");
    assert_eq!(refusal(&json!([])), malformed("the document: expected an object, found a list"));
    assert_eq!(refusal(&app(json!({ "triggers": {} }))), malformed("triggers: expected a list, found an object"));
    let env = with_component(json!({ "env": { "A": 1 } }));
    assert_eq!(refusal(&env), malformed("components[0].env.A: expected a text, found a number"));
    let secret = app(json!({ "variables": { "v": { "secret": "yes" } } }));
    assert_eq!(refusal(&secret), malformed("variables.v.secret: expected true or false, found a text"));
    let id = with_component(json!({ "id": "../a" }));
    assert!(refusal(&id).contains(r#"components[0].id: "../a" is not a component id"#), "{}", refusal(&id));
    let inline = with_component(json!({ "source": { "content_type": "x", "inline": "*" } }));
    assert!(refusal(&inline).contains("components[0].source.inline: not base64"), "{}", refusal(&inline));
}

#[test]
fn newer_versions_are_refused_by_number() {
    assert!(read(&app(json!({ "spin_lock_version": 1 }))).is_ok());
    let newer = app(json!({ "spin_lock_version": 2 }));
    assert!(refusal(&newer).starts_with("invalid spin_lock_version 2: this version reads 0 to 1"));
    assert_eq!(read(&newer).unwrap_err().code(), "lock::version");
    for odd in [json!("1"), json!(-1), json!(0.5), Value::Null] {
        let error = read(&app(json!({ "spin_lock_version": odd }))).unwrap_err();
        assert_eq!(error.code(), "lock::malformed", "{odd}");
    }
}

#[test]
fn what_must_be_understood_and_is_not_is_named_before_anything_else() {
    let document = json!({ "spin_lock_version": 1, "must_understand": ["teleportation"], "triggers": "odd" });
    let error = read(&document).unwrap_err();
    assert_eq!(error.code(), "lock::must-understand");
    assert!(error.to_string().contains("\"teleportation\""), "{error}");
    let known = app(json!({ "must_understand": ["host_requirements", "component_host_requirements"] }));
    assert_eq!(read(&known).unwrap().must_understand.len(), 2);
}

#[test]
fn unknown_requirements_are_all_named_and_optional_ones_dropped() {
    let requirements = json!({ "b": "required", "a": true, "c": "optional", "local_service_chaining": "required" });
    let message = "this version of Spin does not support the following features required by this application: a, b";
    assert_eq!(refusal(&app(json!({ "host_requirements": requirements }))), message);
    assert_eq!(refusal(&with_component(json!({ "host_requirements": requirements }))), message);
    let fine = json!({ "c": "optional", "local_service_chaining": "required" });
    let app = read(&app(json!({ "host_requirements": fine }))).unwrap();
    assert_eq!(app.host_requirements.into_keys().collect::<Vec<_>>(), ["local_service_chaining"]);
}

#[test]
fn two_components_of_one_id_are_refused() {
    let component = json!({ "id": "a", "source": { "content_type": "x", "source": "file:///a" } });
    let error = read(&app(json!({ "components": [component, component] }))).unwrap_err();
    assert_eq!(error.to_string(), r#"the locked application has two components with the id "a""#);
}

#[test]
fn unknown_fields_are_kept() {
    let document = with_component(json!({ "trigger_dependencies": { "x": [] }, "later": 1 }));
    let app = read(&document).unwrap();
    assert_eq!(app.components[0].unknown.len(), 2);
    let again: Value = serde_json::from_str(&app.to_json()).unwrap();
    assert_eq!(again["components"][0]["trigger_dependencies"], json!({ "x": [] }));
}

#[test]
fn base64_may_be_padded() {
    for inline in ["aGk", "aGk="] {
        let document = with_component(json!({ "source": { "content_type": "x", "inline": inline } }));
        assert_eq!(read(&document).unwrap().components[0].source.content.inline.as_deref(), Some(&b"hi"[..]));
    }
}

#[test]
fn inheritance_has_three_forms() {
    let with = |inherit: Value| {
        let dependency = json!({ "source": { "content_type": "x" }, "export": null, "inherit": inherit });
        read(&with_component(json!({ "dependencies": { "a:b/c": dependency } })))
            .map(|app| app.components[0].dependencies["a:b/c"].inherit.clone())
    };
    assert_eq!(with(Value::Null).unwrap(), Inherit::Nothing);
    assert_eq!(with(json!("All")).unwrap(), Inherit::All);
    assert_eq!(with(json!({ "Some": ["files"] })).unwrap(), Inherit::Some(vec!["files".into()]));
    for odd in [json!("all"), json!({ "Some": 1 }), json!({ "None": [] }), json!([])] {
        assert_eq!(with(odd).unwrap_err().code(), "lock::malformed");
    }
}
