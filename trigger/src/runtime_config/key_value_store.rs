//! `[key_value_store.LABEL]`: where the values of key-value stores are.

use std::collections::BTreeMap;
use std::path::Path;

use spin_app_model::document::Table;
use spin_component_runtime::KeyValueStore;

use super::labelled::{self, Kinds, address};

const KINDS: Kinds = Kinds { known: &["spin", "redis"], later: &["azure_cosmos", "aws_dynamo"] };

/// Reads all stores; `folder` is where their paths are seen from.
pub(super) fn read(document: &Table<'_, '_>, key: &str, folder: &Path) -> BTreeMap<String, KeyValueStore> {
    labelled::read(document, key, &KINDS, |kind, table| match kind {
        "spin" => {
            table.expect_only(&["type", "path"], &[]);
            Some(KeyValueStore::Sqlite { path: table.plain_text("path").map(|path| folder.join(path)) })
        }
        _ => {
            table.expect_only(&["type", "url"], &[]);
            let url = address(table, "url", &["redis", "rediss"])?;
            Some(KeyValueStore::Redis { url })
        }
    })
}

/// The type, as the file names it.
pub(super) fn kind(store: &KeyValueStore) -> &'static str {
    match store {
        KeyValueStore::Redis { .. } => "redis",
        _ => "spin",
    }
}
