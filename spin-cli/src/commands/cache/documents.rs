//! What the commands about compiled code print with `--json`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::commands::documents::schema;
use crate::compiled_code::Code;

/// What `spin cache list --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CodeList {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// The folder of all compiled code.
    pub(crate) folder: String,
    /// The components whose code is there.
    pub(crate) components: Vec<CompiledComponent>,
    /// The bytes of all of it.
    pub(crate) bytes: u64,
}

/// The compiled code of a component.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompiledComponent {
    /// Stands for everything that the code was made of: 64 hexadecimal digits.
    pub(crate) key: String,
    /// The component's id. Not there if nothing is noted about the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) component: Option<String>,
    /// The app that it was compiled for first. Only there if it is known and has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    /// The engine that it is for, with its version. Not there if nothing is noted about the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine: Option<String>,
    /// Stands for the engine and its settings: 32 hexadecimal digits.
    pub(crate) settings: String,
    /// When it was last used, by RFC 3339, up to a day too early.
    pub(crate) last_used: String,
    /// The bytes of its files.
    pub(crate) bytes: u64,
}

impl CompiledComponent {
    pub(crate) fn of(code: &Code) -> Self {
        let note = code.note.as_ref();
        Self {
            key: code.key.clone(),
            component: note.map(|note| note.component.clone()),
            app: note.and_then(|note| note.app.clone()),
            engine: note.map(|note| note.engine.clone()),
            settings: code.engine.clone(),
            last_used: code.last_used.to_string(),
            bytes: code.bytes,
        }
    }
}

/// What `spin cache clear --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cleared {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// Whether nothing was removed and this is only what would have been.
    pub(crate) dry_run: bool,
    /// The components whose code was removed.
    pub(crate) components: Vec<CompiledComponent>,
    /// Files that unfinished work had left.
    pub(crate) leftovers: Vec<String>,
    /// Of how many large files it was forgotten what is known of them.
    pub(crate) forgotten_files: usize,
    /// The bytes of all of it.
    pub(crate) bytes: u64,
}

/// The schemas, each with the name of its file.
pub(crate) fn schemas() -> [(&'static str, String); 2] {
    [("cache-list.schema.json", schema::<CodeList>()), ("cache-clear.schema.json", schema::<Cleared>())]
}
