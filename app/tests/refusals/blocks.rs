//! The blocks of `data/refusals.txt`: manifests that are wrong, each with what is said about it.
//!
//! A block of `data/refusals.txt` is a title that says which kind of document it is, the document, and the error.
//!
//! * `raw`: the whole document;
//! * `v2`: what stands between a first line with the version and a last part with what must be there;
//! * `debug`: as `v2`, read in the profile `debug`;
//! * `v1`: what follows the first three lines;
//! * `disk`: as `v2`, read in a folder that has `here.wasm`, `dir/` and `note.txt`, and checked against it;
//! * `warn`: as `v2`; it is fine, and what is expected are the warnings.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

/// One manifest.
pub(crate) struct Block<'t> {
    /// Its kind, the section of the specification, and what is wrong with it.
    pub(crate) title: &'t str,
    /// What is written.
    pub(crate) text: &'t str,
}

pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/refusals.txt")
}

pub(crate) fn read() -> String {
    std::fs::read_to_string(path()).unwrap()
}

/// All blocks of a file.
pub(crate) fn of(file: &str) -> impl Iterator<Item = Block<'_>> {
    file.split("=== ").skip(1).map(|block| {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, _) = rest.split_once("---\n").unwrap();
        Block { title, text }
    })
}

impl Block<'_> {
    /// The first word of the title.
    pub(crate) fn kind(&self) -> &str {
        self.title.split(' ').next().unwrap()
    }

    /// The whole document.
    pub(crate) fn document(&self) -> String {
        let text = self.text;
        let has = |table: &str| text.lines().any(|line| line.starts_with(table));
        match self.kind() {
            "raw" => text.to_owned(),
            "v1" => format!("spin_manifest_version = '1'\nname = 'a'\ntrigger = {{ type = 'http' }}\n{text}"),
            _ => {
                let application = if has("[application]") { "" } else { "[application]\nname = 'a'\n" };
                let trigger = if has("[trigger") || has("[[trigger") { "" } else { "[trigger]\n" };
                format!("spin_manifest_version = 2\n{text}{application}{trigger}")
            }
        }
    }
}
