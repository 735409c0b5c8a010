//! Manifests with mistakes made into them: schema and parser still say the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use toml::{Table, Value};

use crate::agreement::Judge;
use crate::document::Document;

/// A manifest of version 2 that has every table and every form of each.
const EVERYTHING: &str = r#"
spin_manifest_version = 2
[application]
name = "a"
version = "1"
description = "d"
authors = ["x"]
targets = ["spin-up:3.2", "x", { url = "https://example.com/x" }, { path = "x.toml" }]
tool = { x = { y = 1 } }
trigger.http = { base = "/" }
[variables]
one = { default = "example.com", description = "d", secret = true }
two = { required = true }
[[trigger.http]]
id = "x"
route = { private = true }
component = "a"
components = { one = "a", several = ["a", { source = "b.wasm" }] }
[[trigger.redis]]
component = { source = "c.wasm", environment = { A = "x" } }
[component.a]
source = "a.wasm"
description = "d"
environment = { A = "x" }
variables = { one = "{{ one }}" }
files = ["x/*", { source = "x", destination = "/y" }]
exclude_files = ["**/*.rs"]
allowed_outbound_hosts = ["https://example.com", "redis://{{ one }}"]
allowed_http_hosts = ["example.com:80"]
key_value_stores = ["default"]
sqlite_databases = ["my_db"]
ai_models = ["m"]
targets = ["x@1"]
build = { command = ["x", "y"], workdir = "w", watch = ["*.rs"] }
tool = { x = { y = 1 } }
[component.a.dependencies]
"acme:one" = ">=1.2, <2"
"acme:two/i@1.0.0" = { version = "1", registry = "r.example", package = "acme:x", inherit_configuration = ["files"] }
"acme:three/i" = { path = "x.wasm", export = "e" }
"acme:four" = { url = "https://example.com/x", digest = "sha256:DIGEST", inherit_configuration = true }
plain = { component = "b" }
[component.a.profile.debug]
source = { url = "http://example.com/x", digest = "sha256:DIGEST" }
environment = { A = "y" }
build = { command = "z" }
dependencies = { "acme:one" = "2" }
[component.b]
source = { registry = "r.example", package = "acme:b", version = "1.2.3-rc.1+build" }
dependencies_inherit_configuration = true
build = { command = "x" }
"#;

fn everything() -> Table {
    EVERYTHING.replace("DIGEST", &"0a".repeat(32)).parse().unwrap()
}

/// Keys that are known somewhere, and one that is known nowhere.
const KEYS: &[&str] = &[
    "name",
    "tool",
    "trigger",
    "default",
    "required",
    "id",
    "component",
    "components",
    "source",
    "config",
    "build",
    "command",
    "workdir",
    "destination",
    "url",
    "digest",
    "path",
    "version",
    "package",
    "registry",
    "export",
    "profile",
    "inherit_configuration",
    "dependencies",
    "environment",
    "nonsense",
    "Not_an-Id",
    "",
    "a=b",
];

/// Something of every kind, and a text that is a path, a version, a URL or nothing.
fn values() -> Vec<Value> {
    let values = r#"x = ["x", "1.2.3", "https://x", "", 1, 1.5, true, false, 2020-01-01, [], ["x"], [1], [{}], {}, { x = "x" }]"#;
    let mut table: Table = values.parse().unwrap();
    let Some(Value::Array(values)) = table.remove("x") else { panic!("it is a list") };
    values
}

/// One mistake, at the place with some number.
#[derive(Debug, Clone)]
enum Mutation {
    Remove,
    Replace(Value),
    /// In the table that is there, or of the key that is there.
    Insert(String, Value),
    Rename(String),
}

fn all_mutations() -> Vec<Mutation> {
    let values = values();
    let replaced = values.iter().cloned().map(Mutation::Replace);
    let inserted = KEYS.iter().flat_map(|key| {
        let values =
            values.iter().filter(|value| value.as_str() == Some("x") || value.as_table().is_some_and(Table::is_empty));
        values.map(|value| Mutation::Insert((*key).to_owned(), value.clone()))
    });
    let renamed = KEYS.iter().map(|key| Mutation::Rename((*key).to_owned()));
    [Mutation::Remove].into_iter().chain(replaced).chain(inserted).chain(renamed).collect()
}

/// Makes a mistake at the place with this number, counted down from the table. False if there are fewer.
fn mutate(table: &mut Table, at: &mut usize, mutation: &Mutation) -> bool {
    for key in table.keys().cloned().collect::<Vec<_>>() {
        if *at == 0 {
            return mutate_entry(table, &key, mutation);
        }
        *at -= 1;
        if table.get_mut(&key).is_some_and(|value| mutate_below(value, at, mutation)) {
            return true;
        }
    }
    false
}

fn mutate_below(value: &mut Value, at: &mut usize, mutation: &Mutation) -> bool {
    match value {
        Value::Table(table) => mutate(table, at, mutation),
        Value::Array(items) => items.iter_mut().any(|item| {
            if *at > 0 {
                *at -= 1;
                return mutate_below(item, at, mutation);
            }
            match (mutation, item) {
                (Mutation::Replace(value), item) => *item = value.clone(),
                (Mutation::Insert(key, value), Value::Table(table)) => drop(table.insert(key.clone(), value.clone())),
                _ => {}
            }
            true
        }),
        _ => false,
    }
}

fn mutate_entry(table: &mut Table, key: &str, mutation: &Mutation) -> bool {
    match mutation {
        Mutation::Remove => drop(table.remove(key)),
        Mutation::Replace(value) => drop(table.insert(key.to_owned(), value.clone())),
        Mutation::Rename(name) => {
            if let Some(value) = table.remove(key) {
                table.insert(name.clone(), value);
            }
        }
        Mutation::Insert(name, value) => {
            let inside = table.get_mut(key).and_then(Value::as_table_mut);
            if let Some(table) = inside {
                table.insert(name.clone(), value.clone());
            }
        }
    }
    true
}

/// How many places there are.
fn places(table: &Table) -> usize {
    let mut at = usize::MAX;
    mutate(&mut table.clone(), &mut at, &Mutation::Remove);
    usize::MAX - at
}

#[test]
fn one_mistake_is_seen_by_both() {
    let judge = Judge::new();
    let everything = everything();
    let whole = toml::to_string(&everything).unwrap();
    assert!(spin_app_model::Manifest::parse(&whole, "t".as_ref()).is_ok(), "it is a manifest to begin with");
    let mut disagreements = BTreeMap::new();
    for place in 0..places(&everything) {
        for mutation in all_mutations() {
            let mut table = everything.clone();
            assert!(mutate(&mut table, &mut place.clone(), &mutation));
            if let Err(how) = judge.compare(&toml::to_string(&table).unwrap()) {
                disagreements.entry(how).or_insert(mutation);
            }
        }
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
}

fn mutation() -> impl Strategy<Value = Mutation> {
    // What texts are made of that have a form.
    let text = "[aB1:/@.*_{}~^<>=, \\[\\]-]{0,8}";
    let odd = prop_oneof![text.prop_map(Mutation::Rename), text.prop_map(|text| Mutation::Replace(Value::from(text)))];
    prop_oneof![select(all_mutations()), odd]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_the_parser_accepts_the_schema_accepts(mistakes in prop::collection::vec((any::<Index>(), mutation()), 1..4)) {
        thread_local!(static JUDGE: Judge = Judge::new());
        let mut table = everything();
        for (place, mutation) in mistakes {
            let mut place = place.index(places(&table).max(1));
            mutate(&mut table, &mut place, &mutation);
        }
        let text = toml::to_string(&table).unwrap();
        let document = Document::read(&text).unwrap();
        if spin_app_model::Manifest::parse(&text, "t".as_ref()).is_ok() {
            prop_assert!(JUDGE.with(|judge| judge.accepts(&document)), "{}", text);
        }
    }
}
