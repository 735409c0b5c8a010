//! The JSON schema of the manifest: the file that editors are pointed to, and that it says what the parser says.
//!
//! `SPIN_BLESS=1` writes the schema into the file instead of comparing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use spin_app_model::Manifest;
use spin_app_model::manifest::schema_json;

#[path = "json_schema/agreement.rs"]
mod agreement;
#[path = "refusals/blocks.rs"]
mod blocks;
#[path = "json_schema/document.rs"]
mod document;
#[path = "json_schema/mutations.rs"]
mod mutations;

use agreement::{Judge, UNSEEN};
use document::Document;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of some kind in a folder and below it.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let hidden = entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if entry.is_dir() && !hidden && !entry.ends_with("target") {
            files(&entry, extension, found);
        } else if entry.extension().is_some_and(|found| found == extension) {
            found.push(entry);
        }
    }
}

/// All manifests of the repository: files, and the ones in its texts.
fn manifests() -> Vec<(String, String)> {
    let is_manifest = |text: &str| text.contains("spin_manifest_version") || text.contains("spin_version");
    let mut found = Vec::new();
    let (mut tables, mut texts) = (Vec::new(), Vec::new());
    files(&repository(), "toml", &mut tables);
    files(&repository(), "md", &mut texts);
    for path in tables {
        found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    for path in texts {
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
        found.extend(blocks.map(|block| (path.display().to_string(), block)));
    }
    found.retain(|(_, text)| is_manifest(text));
    found
}

#[test]
fn the_file_for_editors_is_the_schema() {
    let path = repository().join("docs/spin-manifest.schema.json");
    let schema = schema_json();
    if std::env::var_os("SPIN_BLESS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let advice = "write it anew: `spin maintenance generate-manifest-schema -o docs/spin-manifest.schema.json`, \
        or run this test with SPIN_BLESS=1";
    assert!(file == schema, "{} is not the schema of this version; {advice}", path.display());
}

#[test]
fn manifests_of_version_2_are_accepted_and_of_version_1_refused() {
    let judge = Judge::new();
    let manifests = manifests();
    let mut versions = [0, 0];
    for (path, text) in &manifests {
        Manifest::parse(text, Path::new(path)).unwrap();
        let document = Document::read(text).unwrap();
        let is_2 = document.value["spin_manifest_version"] == 2;
        assert_eq!(judge.accepts(&document), is_2, "{path}");
        versions[usize::from(is_2)] += 1;
    }
    assert!(versions[0] >= 2 && versions[1] >= 8, "they have been found: {versions:?}");
    let readme = repository().join("README.md").display().to_string();
    assert!(manifests.iter().any(|(path, _)| *path == readme), "and so has the one of the README");
}

#[test]
fn what_the_parser_refuses_for_its_shape_the_schema_marks() {
    let judge = Judge::new();
    let file = blocks::read();
    let mut unseen = BTreeSet::new();
    for block in blocks::of(&file) {
        let text = block.document();
        match block.kind() {
            // Version 1 is refused as a whole.
            "v1" => assert!(!judge.accepts(&Document::read(&text).unwrap()), "{text}"),
            _ if text.contains("spin_version") || text.contains("spin_manifest_version = \"1\"") => {}
            _ => unseen.extend(judge.compare(&text).unwrap_or_else(|how| panic!("{how}, in this document:\n{text}"))),
        }
    }
    for part in UNSEEN {
        assert!(unseen.iter().any(|message| message.contains(part)), "nothing is unseen because of {part:?} any more");
    }
}
