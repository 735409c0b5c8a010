//! Properties that hold for every application: writing and reading are each other's inverse.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn text() -> impl Strategy<Value = String> {
    "[a-z\u{e9}\"\\\\\n]{0,6}"
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(text(), json(), 0..3).prop_map(|map| map.into_iter().collect())
}

/// Fields that no version knows, recognisable by their first letter.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("X[a-z]{0,3}", json(), 0..2).prop_map(|map| map.into_iter().collect())
}

fn map<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = BTreeMap<String, T>> {
    prop::collection::btree_map(text(), value, 0..3)
}

fn requirements() -> impl Strategy<Value = BTreeMap<String, String>> {
    any::<bool>().prop_map(|any| {
        let names = any.then(|| (LOCAL_SERVICE_CHAINING.to_owned(), "required".to_owned()));
        names.into_iter().collect()
    })
}

fn content() -> impl Strategy<Value = ContentRef> {
    let inline = prop::option::of(prop::collection::vec(any::<u8>(), 0..6));
    (prop::option::of(text()), inline, prop::option::of(text())).prop_map(|(source, inline, digest)| ContentRef {
        source,
        inline,
        digest,
    })
}

fn source() -> impl Strategy<Value = LockedSource> {
    (text(), content()).prop_map(|(content_type, content)| LockedSource { content_type, content })
}

fn dependency() -> impl Strategy<Value = LockedDependency> {
    let inherit = prop_oneof![
        Just(Inherit::Nothing),
        Just(Inherit::All),
        prop::collection::vec(text(), 0..3).prop_map(Inherit::Some),
    ];
    (source(), prop::option::of(text()), inherit).prop_map(|(source, export, inherit)| LockedDependency {
        source,
        export,
        inherit,
    })
}

fn component() -> impl Strategy<Value = LockedComponent> {
    let files = (content(), text()).prop_map(|(content, path)| LockedFile { content, path });
    let first = ("[a-z]{1,8}", object(), source(), map(text()), prop::collection::vec(files, 0..2));
    let second = (map(text()), map(dependency()), requirements(), unknown());
    (first, second).prop_map(
        |((id, metadata, source, env, files), (config, dependencies, host_requirements, unknown))| {
            let id = id.parse().unwrap();
            LockedComponent { id, metadata, source, env, files, config, dependencies, host_requirements, unknown }
        },
    )
}

fn app() -> impl Strategy<Value = LockedApp> {
    let variable = (prop::option::of(text()), prop::option::of(text()), any::<bool>())
        .prop_map(|(description, default, secret)| LockedVariable { description, default, secret });
    let trigger = (text(), "[a-z]{1,5}", json(), unknown()).prop_map(|(id, kind, trigger_config, unknown)| {
        LockedTrigger { id, trigger_type: kind.parse().unwrap(), trigger_config, unknown }
    });
    let must_understand = prop::sample::subsequence(vec![HOST_REQUIREMENTS, COMPONENT_HOST_REQUIREMENTS], 0..=2);
    let parts = (
        must_understand,
        object(),
        requirements(),
        map(variable),
        prop::collection::vec(trigger, 0..3),
        prop::collection::vec(component(), 0..3),
        unknown(),
    );
    parts.prop_map(|(must_understand, metadata, host_requirements, variables, triggers, mut components, unknown)| {
        components.sort_by(|a, b| a.id.cmp(&b.id));
        components.dedup_by(|a, b| a.id == b.id);
        let must_understand = must_understand.into_iter().map(str::to_owned).collect();
        LockedApp { must_understand, metadata, host_requirements, variables, triggers, components, unknown }
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_and_written_the_same(app in app()) {
        let written = app.to_json();
        let read = LockedApp::from_json(written.as_bytes()).unwrap();
        prop_assert_eq!(&read, &app);
        prop_assert_eq!(read.to_json(), written);
    }

    /// Whoever pretty-prints or compacts a lock on the way does not change it.
    #[test]
    fn layout_does_not_matter(app in app()) {
        let written = app.to_json();
        let compact = serde_json::from_str::<Value>(&written).unwrap().to_string();
        prop_assert_eq!(LockedApp::from_json(compact.as_bytes()).unwrap().to_json(), written);
    }

    #[test]
    fn no_question_about_any_application_panics(app in app(), kind in "[a-z]{0,5}") {
        let _ = (app.name(), app.version(), app.description(), app.origin(), app.trigger_types());
        let _ = (app.trigger_settings(&kind), app.require_only(&kind, &[]), app.components_of(&kind).count());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = LockedApp::from_json(&bytes);
    }

    /// Any field replaced by any value is read or refused, never a panic.
    #[test]
    fn no_change_of_a_lock_makes_the_reader_panic(app in app(), at in any::<prop::sample::Index>(), value in json()) {
        let mut document: Value = serde_json::from_str(&app.to_json()).unwrap();
        replace_one(&mut document, at, value);
        let _ = LockedApp::from_json(document.to_string().as_bytes());
    }
}

/// Puts a value in the place of one of the values of a document, at any depth.
fn replace_one(document: &mut Value, at: prop::sample::Index, value: Value) {
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| pointers(item, &format!("{at}/{index}"), found));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(key, field)| pointers(field, &format!("{at}/{}", escape(key)), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    pointers(document, "", &mut found);
    *document.pointer_mut(&found[at.index(found.len())]).unwrap() = value;
}
