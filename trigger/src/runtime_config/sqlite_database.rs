//! `[sqlite_database.LABEL]`: where SQLite databases are.

use std::collections::BTreeMap;
use std::path::Path;

use spin_app_model::document::Table;
use spin_component_runtime::SqliteDatabase;

use super::labelled::{self, Kinds, http_address};

const KINDS: Kinds = Kinds { known: &["spin", "libsql"], later: &[] };

/// Reads all databases; `folder` is where their paths are seen from.
pub(super) fn read(document: &Table<'_, '_>, key: &str, folder: &Path) -> BTreeMap<String, SqliteDatabase> {
    labelled::read(document, key, &KINDS, |kind, table| match kind {
        "spin" => {
            table.expect_only(&["type", "path", "allow_attach_file"], &[]);
            Some(SqliteDatabase::Local {
                path: table.plain_text("path").map(|path| folder.join(path)),
                allow_attach_file: table.flag("allow_attach_file").unwrap_or_default(),
            })
        }
        _ => {
            table.expect_only(&["type", "url", "token"], &[]);
            if table.get("token").is_none() {
                table.missing("token", "write `token = \"\"` for a server that asks for none");
            }
            let url = http_address(table, "url");
            Some(SqliteDatabase::Libsql { url: url?, token: table.plain_text("token")? })
        }
    })
}

/// The type, as the file names it.
pub(super) fn kind(database: &SqliteDatabase) -> &'static str {
    match database {
        SqliteDatabase::Libsql { .. } => "libsql",
        _ => "spin",
    }
}
