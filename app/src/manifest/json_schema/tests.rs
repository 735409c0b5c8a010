//! The schema and the parser know the same keys, and the texts that are ids look the same to both.
//!
//! That they agree on whole documents is tested from outside: `tests/json_schema.rs`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::manifest::ids::{check_kebab, check_snake, is_label};
use crate::manifest::parse::known_keys;
use crate::manifest::{DependencyName, Digest, PackageName};
use crate::{ComponentId, TriggerType};

type Keys = BTreeSet<String>;

/// The keys of every table that the schema names keys of; of a part that only adds conditions to a table, none.
fn described_keys(schema: &Value, found: &mut BTreeSet<Keys>) {
    let Value::Object(fields) = schema else {
        schema.as_array().into_iter().flatten().for_each(|item| described_keys(item, found));
        return;
    };
    if let (Some(Value::Object(properties)), true) = (fields.get("properties"), fields.contains_key("type")) {
        found.insert(properties.keys().cloned().collect());
    }
    fields.values().for_each(|value| described_keys(value, found));
}

#[test]
fn schema_and_parser_know_the_same_keys() {
    let schema = serde_json::from_str(&schema_json()).unwrap();
    let mut described = BTreeSet::new();
    described_keys(&schema, &mut described);
    let known: BTreeSet<Keys> =
        known_keys().into_iter().map(|keys| keys.into_iter().map(str::to_owned).collect()).collect();
    assert_eq!(described, known, "left is the schema, right is the parser");
}

/// Whether a text looks to the schema like a `T`.
fn looks_like<T: JsonSchema>(text: &str) -> bool {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("memory:text", schema.to_value()).unwrap();
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile("memory:text", &mut schemas).unwrap();
    schemas.validate(&Value::from(text), index).is_ok()
}

proptest! {
    #[test]
    fn ids_look_the_same_to_both(text in "[aB1é._:-]{0,6}") {
        prop_assert_eq!(looks_like::<ComponentId>(&text), check_kebab(&text).is_ok());
        prop_assert_eq!(looks_like::<VariableName>(&text), check_snake(&text).is_ok());
        prop_assert_eq!(looks_like::<Label>(&text), is_label(&text));
        prop_assert_eq!(looks_like::<PackageName>(&text), text.parse::<PackageName>().is_ok());
        prop_assert_eq!(looks_like::<TriggerType>(&text), text.parse::<TriggerType>().is_ok());
    }

    #[test]
    fn versions_that_can_be_read_look_like_versions(text in "[01*x.,<>=~^ a+-]{0,7}") {
        if semver::VersionReq::parse(&text).is_ok() {
            prop_assert!(looks_like::<Requirement>(&text));
        }
        let version = format!("1.0.0{text}");
        if semver::Version::parse(&version).is_ok() {
            prop_assert!(looks_like::<ExactVersion>(&version));
            let name = format!("a:b/c@{version}");
            prop_assert!(name.parse::<DependencyName>().is_ok() && looks_like::<DependencyName>(&name));
        }
    }

    #[test]
    fn lengths_count(length in 50usize..140) {
        let text = "a".repeat(length);
        prop_assert_eq!(looks_like::<ComponentId>(&text), text.parse::<ComponentId>().is_ok());
        prop_assert_eq!(looks_like::<TriggerType>(&text), text.parse::<TriggerType>().is_ok());
        let digest = format!("sha256:{text}");
        prop_assert_eq!(looks_like::<Digest>(&digest), digest.parse::<Digest>().is_ok());
    }
}
