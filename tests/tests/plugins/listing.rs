//! What `list`, `search` and `show` print.

use insta::assert_snapshot;
use spin_tests::World;

use super::{catalogue, pack_stub, session};

fn world() -> World {
    let world = World::new();
    pack_stub(&world, "other", "0.1.0", ">=4.0");
    pack_stub(&world, "trigger-stub", "0.9.0", ">=4.0");
    pack_stub(&world, "trigger-stub", "0.10.0", ">=4.0");
    let install = ["plugins", "install", "trigger-stub", "trigger-stub@0.9.0", "--yes"];
    world.spin(install).env("SPIN_CATALOGUES", catalogue(&world)).run().success();
    pack_stub(&world, "trigger-stub", "0.11.0", ">=4.0");
    pack_stub(&world, "trigger-stub", "1.0.0", ">=5");
    pack_stub(&world, "trigger-stub", "1.1.0-rc.1", ">=4.0");
    world
}

#[test]
fn list_and_search() {
    let world = world();
    assert_snapshot!(session(
        &world,
        &[
            "plugins list",
            "plugins list --all --filter STUB",
            "plugins list --installed",
            "plugins list --summary",
            "plugins list --summary --format json",
            "plugins list --filter other --json",
            "plugins search oth",
            "plugins search",
            "plugins search nothing-like-it",
            "plugins search nothing-like-it --json",
            "plugins list --installed --all",
            "plugins list --format yaml",
        ],
    ));
}

#[test]
fn show() {
    let world = world();
    assert_snapshot!(session(
        &world,
        &["plugins show trigger-stub", "plugins show trigger-stub --json", "plugins show other", "plugins show othr"],
    ));
}

#[test]
fn what_cannot_be_read_is_told_and_hides_nothing_else() {
    let world = world();
    std::fs::write(catalogue(&world).join("index.json"), "{").unwrap();
    let commands = ["plugins list", "plugins list --installed", "plugins show trigger-stub", "plugins outdated"];
    assert_snapshot!(session(&world, &commands));
}

#[test]
fn documents_are_those_that_their_schemas_describe() {
    let world = world();
    let read = |name: &str| -> serde_json::Value {
        let path = spin_tests::repository().join(format!("docs/schemas/plugins-{name}.schema.json"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    for (schema, command) in [
        ("list", "plugins list --json"),
        ("list", "plugins search --format json"),
        ("mirror", "plugins mirror --to there --json"),
        ("outdated", "plugins outdated --json"),
        ("show", "plugins show trigger-stub --json"),
        ("verify", "plugins verify --json"),
        ("gc", "plugins gc --dry-run --json"),
    ] {
        let printed = world.spin(command.split(' ')).env("SPIN_CATALOGUES", catalogue(&world)).run().success();
        let document: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
        let schema = read(schema);
        check(&document, &schema, &schema, command);
    }
}

/// As much of a schema's judgement as ours use: types, required fields, no field that it does not name.
#[track_caller]
fn check(value: &serde_json::Value, schema: &serde_json::Value, root: &serde_json::Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(value, root.pointer(reference.strip_prefix('#').unwrap()).unwrap(), root, at);
    }
    if let Some(forms) = schema["anyOf"].as_array().or(schema["allOf"].as_array()) {
        let form = forms.iter().find(|form| form["type"] != "null").unwrap();
        return check(value, form, root, at);
    }
    let kinds = match &schema["type"] {
        serde_json::Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let kind = match value {
        serde_json::Value::Object(_) => "object",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Null => "null",
    };
    assert!(schema["oneOf"].is_array() || kinds.iter().any(|known| known == kind), "{at}: {value} is not {kinds:?}");
    for item in value.as_array().into_iter().flatten() {
        check(item, &schema["items"], root, at);
    }
    for field in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(field.as_str().unwrap()).is_some(), "{at}: {field} is missing in {value}");
    }
    for (field, value) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][field];
        assert!(known.is_object(), "{at}: {field} is not in the schema");
        check(value, known, root, at);
    }
}
