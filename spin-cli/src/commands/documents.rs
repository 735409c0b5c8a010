//! What `--json` prints, and the JSON schemas of it in `docs/schemas/`: what is the same for all commands.
//!
//! A document is an object with the number of its schema, which grows when a field changes its meaning or goes. New
//! fields may come at any time.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{cache, plugins};

/// The number of all schemas so far.
pub(crate) const SCHEMA: u32 = 1;

/// The text of a document.
pub(crate) fn print(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("documents are plain data")
}

/// The schemas of all commands, each with the name of its file.
pub(crate) fn schemas() -> impl Iterator<Item = (&'static str, String)> {
    plugins::documents::schemas().into_iter().chain(cache::documents::schemas())
}

/// The schema of a document, as text.
pub(crate) fn schema<T: JsonSchema>() -> String {
    let schema = SchemaSettings::draft07().for_serialize().into_generator().into_root_schema_for::<T>();
    print(&tidy(schema.as_value())) + "\n"
}

/// The schema without `null`, for what may be absent is never null, and with its keys in order: whether the library
/// keeps them in another depends on features that any dependency may turn on.
fn tidy(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), tidy(value))).collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => {
            let is_null = |item: &Value| *item == json!("null") || *item == json!({ "type": "null" });
            let mut left: Vec<_> = items.iter().filter(|item| !is_null(item)).map(tidy).collect();
            // Of several types one is left; of several forms too, and a list of one form is a list all the same.
            match left.len() == 1 && left.len() < items.len() && left[0].is_string() {
                true => left.remove(0),
                false => Value::Array(left),
            }
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::path::Path;

    use super::*;

    #[test]
    fn the_files_are_the_schemas() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        for (name, schema) in schemas() {
            if std::env::var_os("SPIN_BLESS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), &schema).unwrap();
            }
            let file = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            let advice = "write it anew with `spin maintenance generate-output-schemas -o docs/schemas`";
            assert!(file == schema, "docs/schemas/{name} is not the schema of this version; {advice}");
        }
    }
}
