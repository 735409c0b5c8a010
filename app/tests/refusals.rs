//! What is wrong with a manifest, word for word with line and column: one block for each rule of the format.
//!
//! `SPIN_BLESS=1` writes what is found into the file instead of comparing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::path::Path;

use spin_app_model::manifest::Draft;

#[path = "refusals/blocks.rs"]
mod blocks;

use blocks::Block;

fn answer(block: &Block<'_>, folder: &Path) -> String {
    let profile = (block.kind() == "debug").then_some("debug");
    let read = Draft::parse(&block.document(), Path::new("t"), profile).and_then(|mut draft| {
        if block.kind() == "disk" {
            draft.problems.add_further(draft.manifest.missing_files(folder));
        }
        draft.finished()
    });
    let error = match (block.kind(), read) {
        ("warn", Ok(manifest)) => {
            let mut found = String::new();
            for warning in &*manifest.warnings {
                writeln!(found, "{}", warning.located(Path::new("t"))).unwrap();
            }
            return found;
        }
        (_, Ok(_)) => None,
        (_, Err(error)) => Some(error),
    };
    error.map_or("fine\n".to_owned(), |error| {
        assert_eq!(error.code(), "manifest::invalid");
        format!("{error}\n")
    })
}

#[test]
fn every_rule_has_its_message() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dir")).unwrap();
    for name in ["here.wasm", "note.txt"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let golden = blocks::read();
    let mut found = String::new();
    for block in blocks::of(&golden) {
        let answer = answer(&block, folder.path());
        write!(found, "=== {}\n{}---\n{answer}\n", block.title, block.text).unwrap();
    }
    if std::env::var_os("SPIN_BLESS").is_some() {
        return std::fs::write(blocks::path(), &found).unwrap();
    }
    for (found, golden) in found.split("=== ").zip(golden.split("=== ")) {
        assert_eq!(found.trim_end(), golden.trim_end());
    }
}
