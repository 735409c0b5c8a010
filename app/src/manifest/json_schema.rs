//! The JSON schema of `spin.toml`, version 2, derived from the types that a manifest is read into.
//!
//! Editors use it to complete keys, to show what they mean and to mark mistakes. The parser (`parse.rs` and below) is
//! written by hand, so the two could drift apart; tests hold them together: what the parser accepts the schema accepts,
//! and what the parser refuses for its shape the schema refuses in the same place.
//!
//! * here: how the types come to one document, and the tables that are written otherwise than they are kept;
//! * `json_schema/texts.rs`: the forms of texts: ids, digests, versions, paths.

mod texts;

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::parse::{Reference, VERSION_KEY};
use super::schema::{BuildCommand, Manifest};
use crate::document::Located;
use crate::lock::Inherit;
use crate::lock::canonical::Node;

pub(super) use texts::{
    CommandLine, Destination, EnvironmentName, EnvironmentValue, ExactVersion, FilePath, FilePattern, Glob,
    HostTemplate, HttpHost, Label, Registry, Requirement, SourcePath, TargetName, VariableName, WebAddress, Workdir,
};

/// The JSON schema of version 2 of the manifest, as text: the same bytes with every build.
///
/// It is of draft 7, which is what editors of TOML know. Tables that only triggers or other programs understand may
/// hold anything.
///
/// ```
/// let schema = spin_app_model::manifest::schema_json();
/// assert!(schema.contains("http://json-schema.org/draft-07/schema#"));
/// ```
#[must_use]
pub fn schema_json() -> String {
    let mut settings = SchemaSettings::draft07();
    // First, because what is left of a field without its `null` may be a mere reference.
    settings.transforms.insert(0, Box::new(RecursiveTransform(remove_null)));
    let schema = settings.into_generator().into_root_schema_for::<Manifest>();
    Node::Free(schema.as_value()).print() + "\n"
}

/// Nothing in TOML is `null`: a field that may be absent is not there.
fn remove_null(schema: &mut Schema) {
    let null = json!({ "type": "null" });
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(forms)) = schema.get_mut("anyOf") else {
        return;
    };
    forms.retain(|form| *form != null);
    if let [Value::Object(only)] = forms.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.ensure_object().entry(key).or_insert(value);
        }
    }
}

/// The version is read before anything else and not kept.
pub(super) fn add_version(schema: &mut Schema) {
    let version = json!({ "description": "The version of the format.", "type": "integer", "const": 2 });
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(VERSION_KEY.to_owned(), version);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.insert(0, VERSION_KEY.into());
    }
}

/// A variable has a default, or it is required.
pub(super) fn required_or_default() -> Value {
    json!([
        { "required": ["default"], "properties": { "required": { "const": false } } },
        { "required": ["required"], "properties": { "required": { "const": true }, "default": false } },
    ])
}

/// Of a table with several forms: puts the keys that all have into each, so that each refuses what it does not know.
pub(super) fn close_forms(schema: &mut Schema) {
    let shared = schema.remove("properties");
    schema.remove("type");
    let forms = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    for form in forms.into_iter().flatten().filter_map(Value::as_object_mut) {
        let Some(properties) = form.get_mut("properties").and_then(Value::as_object_mut) else {
            continue;
        };
        if let Some(Value::Object(shared)) = &shared {
            properties.extend(shared.clone());
        }
        form.insert("additionalProperties".to_owned(), false.into());
    }
}

/// The field `components` of a trigger: one or several in each group.
pub(super) fn groups(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<Reference>();
    json_schema!({
        "type": "object",
        "additionalProperties": { "anyOf": [one, { "type": "array", "items": one }] },
    })
}

/// The field `build` of a profile, which only changes the command.
pub(super) fn command_alone(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": { "command": generator.subschema_for::<BuildCommand>() },
        "additionalProperties": false,
    })
}

impl JsonSchema for Inherit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Inherit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [bool::json_schema(generator), Vec::<String>::json_schema(generator)] })
    }
}

/// A place is not written.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
