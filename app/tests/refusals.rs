//! What is wrong with a manifest, word for word with line and column: one block for each rule of the format.
//!
//! A block of `data/refusals.txt` is a title that says which kind of document it is, the document, and the error.
//!
//! * `raw`: the whole document;
//! * `v2`: what stands between a first line with the version and a last part with what must be there;
//! * `v1`: what follows the first three lines;
//! * `disk`: as `v2`, read in a folder that has `here.wasm`, `dir/` and `note.txt`, and checked against it;
//! * `warn`: as `v2`; it is fine, and what is expected are the warnings.
//!
//! `SPIN_BLESS=1` writes what is found into the file instead of comparing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fmt::Write as _;
use std::path::Path;

use spin_app_model::manifest::Draft;

const FILE: &str = "tests/data/refusals.txt";

fn document(kind: &str, text: &str) -> String {
    let has = |table: &str| text.lines().any(|line| line.starts_with(table));
    match kind {
        "raw" => text.to_owned(),
        "v1" => format!("spin_manifest_version = '1'\nname = 'a'\ntrigger = {{ type = 'http' }}\n{text}"),
        _ => {
            let application = if has("[application]") { "" } else { "[application]\nname = 'a'\n" };
            let trigger = if has("[trigger") || has("[[trigger") { "" } else { "[trigger]\n" };
            format!("spin_manifest_version = 2\n{text}{application}{trigger}")
        }
    }
}

fn answer(kind: &str, text: &str, folder: &Path) -> String {
    let text = document(kind, text);
    let read = Draft::parse(&text, Path::new("t")).and_then(|mut draft| {
        if kind == "disk" {
            draft.problems.extend(draft.manifest.missing_files(folder));
        }
        draft.finished()
    });
    let error = match (kind, read) {
        ("warn", Ok(manifest)) => {
            let mut found = String::new();
            for warning in manifest.warnings {
                let help = warning.help.unwrap_or_default();
                writeln!(found, "t:{}:{}: {}\n  help: {help}", warning.line, warning.column, warning.message).unwrap();
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let golden = std::fs::read_to_string(&path).unwrap();
    let mut found = String::new();
    for block in golden.split("=== ").skip(1) {
        let (title, rest) = block.split_once('\n').unwrap();
        let (text, _) = rest.split_once("---\n").unwrap();
        let kind = title.split(' ').next().unwrap();
        let answer = answer(kind, text, folder.path());
        write!(found, "=== {title}\n{text}---\n{answer}\n").unwrap();
    }
    if std::env::var_os("SPIN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    for (found, golden) in found.split("=== ").zip(golden.split("=== ")) {
        assert_eq!(found.trim_end(), golden.trim_end());
    }
}
