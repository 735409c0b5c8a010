//! The cache of compiled code, as it lies on disk: triggers fill it, `spin cache` lists and clears it.
//!
//! ```text
//! <cache>/aot/<engine>/<key>.cwasm    machine code of a component
//! <cache>/aot/<engine>/<key>.json     what it was made of: a [`Note`]
//! <cache>/aot/<engine>/.new-*         being written, or left by one who was killed
//! <cache>/aot/sources/<file>.json     what is known of a large file that code was made of, so that it need not be read
//! <cache>/aot/sources/.new-*          as above
//! ```
//!
//! `<engine>` are 32 hexadecimal digits that stand for an engine and its settings, `<key>` are 64 that stand for everything
//! that the code was made of, `<file>` are 64 that stand for a path. Nothing of it is ever changed: files are written beside
//! their place and renamed, and removed by their names alone, so that whoever has one mapped keeps it. The time at which a
//! code file, or what is known of a file, was modified is when it was last used, up to [`PRECISION`] too early. A code file
//! without a note is as good as one with it. What is known of a file is for triggers alone, and its form is theirs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The folder below a user's cache folder.
pub const FOLDER: &str = "aot";

/// The folder below that of all compiled code with what is known of files. The triggers alone read it.
pub const SOURCES: &str = "sources";

/// What the name of a file begins with that is being written.
pub const UNFINISHED: &str = ".new-";

/// How much later than its time says a file may have been used: a start changes the time only after so long.
pub const PRECISION: Duration = Duration::from_secs(24 * 60 * 60);

/// The most bytes of a note. A longer file is none.
pub const MOST_BYTES: u64 = 64 * 1024;

/// The number of the form of notes.
const SCHEMA: u32 = 1;

const CODE: &str = "cwasm";
const NOTE: &str = "json";
const ENGINE_DIGITS: usize = 32;
const KEY_DIGITS: usize = 64;

/// What compiled code was made of, for people: nothing is decided by it.
///
/// ```
/// use spin_app_model::compiled::Note;
///
/// let note = Note::new("wasmtime 48.0.8", Some("shop"), "cart");
/// assert_eq!(Note::decode(note.encode().as_bytes()), Some(note));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Note {
    schema: u32,
    /// The engine that can run it, with its version.
    pub engine: String,
    /// The app that it was compiled for first, if that has a name. Others with the same component use it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The component's id in that app.
    pub component: String,
}

impl Note {
    /// A note about code for an engine, which a component of an app was compiled to.
    pub fn new(engine: impl Into<String>, app: Option<&str>, component: impl Into<String>) -> Self {
        Self { schema: SCHEMA, engine: engine.into(), app: app.map(str::to_owned), component: component.into() }
    }

    /// The content of the file.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and a number have a JSON form") + "\n"
    }

    /// What a file says; nothing if it is of a form that this version doesn't know.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|note: &Self| note.schema == SCHEMA)
    }
}

/// What a file or a folder in the cache is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// Machine code, with its key.
    Code(&'a str),
    /// The note about code, with its key; in the folder of what is known of files, that.
    Note(&'a str),
    /// Being written, or left by one who was killed.
    Unfinished,
}

impl<'a> Kind<'a> {
    /// What a file in the folder of an engine, or of what is known of files, is; nothing if it isn't the cache's.
    #[must_use]
    pub fn of(name: &'a OsStr) -> Option<Self> {
        let name = name.to_str()?;
        match name.split_once('.') {
            _ if name.starts_with(UNFINISHED) => Some(Self::Unfinished),
            Some((key, CODE)) if is_hex(key, KEY_DIGITS) => Some(Self::Code(key)),
            Some((key, NOTE)) if is_hex(key, KEY_DIGITS) => Some(Self::Note(key)),
            _ => None,
        }
    }
}

/// Whether a folder of this name is that of an engine.
#[must_use]
pub fn is_engine(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| is_hex(name, ENGINE_DIGITS))
}

/// The file of the code that has this key, in the folder of its engine.
#[must_use]
pub fn code_file(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.{CODE}"))
}

/// The file of the note about that code.
#[must_use]
pub fn note_file(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{key}.{NOTE}"))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of these bytes lie on users' disks: a change of them is another number of the form.
    #[test]
    fn the_form_on_disk_is_this_one() {
        let note = Note::new("wasmtime 48.0.8", Some("shop"), "cart");
        let text = "{\"schema\":1,\"engine\":\"wasmtime 48.0.8\",\"app\":\"shop\",\"component\":\"cart\"}\n";
        assert_eq!(note.encode(), text);
        assert_eq!(Note::decode(text.as_bytes()), Some(note));
        let nameless = Note::new("e", None, "c");
        assert_eq!(nameless.encode(), "{\"schema\":1,\"engine\":\"e\",\"component\":\"c\"}\n");
        let key = "0123456789abcdef".repeat(4);
        assert_eq!(code_file(Path::new("/e"), &key), Path::new("/e").join(format!("{key}.cwasm")));
        assert_eq!(note_file(Path::new("/e"), &key), Path::new("/e").join(format!("{key}.json")));
        assert_eq!((FOLDER, UNFINISHED), ("aot", ".new-"));
    }

    #[test]
    fn fields_of_later_versions_are_ignored_and_other_forms_are_not_known() {
        let later = r#"{"schema":1,"engine":"e","component":"c","made":"today"}"#;
        assert_eq!(Note::decode(later.as_bytes()), Some(Note::new("e", None, "c")));
        for none in ["", "{}", "[]", r#"{"schema":2,"engine":"e","component":"c"}"#, r#"{"schema":1,"engine":"e"}"#] {
            assert_eq!(Note::decode(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn only_the_caches_own_files_have_a_kind() {
        let key = "0123456789abcdef".repeat(4);
        let kind = |name: &str| format!("{:?}", Kind::of(OsStr::new(name)));
        assert_eq!(kind(&format!("{key}.cwasm")), format!("Some(Code({key:?}))"));
        assert_eq!(kind(&format!("{key}.json")), format!("Some(Note({key:?}))"));
        assert_eq!(kind(".new-x7"), "Some(Unfinished)");
        let others = [format!("{key}0.cwasm"), key.to_uppercase() + ".cwasm", format!("{key}.cwasm.old"), key.clone()];
        for other in others.iter().map(String::as_str).chain(["x.cwasm", ".json", ".cwasm", "new-x", ""]) {
            assert_eq!(kind(other), "None", "{other}");
        }
        assert!(is_engine(OsStr::new(&key[..32])));
        assert!(!["", "..", &key, &key[..31]].iter().any(|name| is_engine(OsStr::new(name))));
    }
}
