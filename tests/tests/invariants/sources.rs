//! Rules that every source file of the products keeps.

use std::path::{Path, PathBuf};

use spin_tests::repository;

use crate::source::{code_of, lines_with};

/// The folders whose `src` becomes part of a program or a library that others use.
const PRODUCTS: &[&str] = &[
    "app",
    "catalogue",
    "conformance",
    "plugin-manager",
    "runtime",
    "spin-cli",
    "trigger",
    "trigger-http",
    "trigger-redis",
];

/// Who may write to the terminal, and what: nobody else may name a standard stream.
const WRITERS: &[(&str, &str)] = &[
    ("spin-cli/src/ui", "everything that `spin` says"),
    ("trigger/src/app.rs", "the start-up listing"),
    ("trigger/src/main_loop.rs", "a trigger run by hand: its help, its metadata, why it ended"),
    ("trigger/src/stdio.rs", "what the guests say"),
    ("trigger/src/telemetry.rs", "the log"),
    ("conformance/src", "the report, which is the program's purpose"),
];

/// The files that may hold `unsafe`, with the reason written beside it.
const UNSAFE: &[&str] = &["runtime/src/aot.rs", "spin-cli/src/supervise/spawn.rs"];

/// Every source file of the products: its path from the repository's root, and its text.
fn sources() -> Vec<(String, String)> {
    let root = repository();
    let mut paths = Vec::new();
    for product in PRODUCTS {
        collect(&root.join(product).join("src"), &mut paths);
    }
    assert!(paths.len() > PRODUCTS.len(), "the sources were found");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(), text)
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

#[test]
fn only_the_user_interface_writes_to_the_terminal() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if WRITERS.iter().any(|(writer, _)| path.starts_with(writer)) {
            continue;
        }
        let code = code_of(&text);
        for word in ["print!", "println!", "eprint!", "eprintln!", "dbg!"] {
            found.extend(lines_with(&code, word).into_iter().map(|line| format!("{path}:{line}: {word}")));
        }
        for word in ["stdout(", "stderr("] {
            // Asking whether a person sits there is not writing, and a child's streams are not ours.
            let harmless = |line: &usize| {
                let line = code.lines().nth(line - 1).unwrap_or_default();
                line.contains("is_terminal()") || line.contains(&format!(".{word}"))
            };
            let lines = lines_with(&code, word).into_iter().filter(|line| !harmless(line));
            found.extend(lines.map(|line| format!("{path}:{line}: {word})")));
        }
    }
    assert!(found.is_empty(), "these write to the terminal and may not:\n{}", found.join("\n"));
}

#[test]
fn unsafe_is_in_the_named_files_only_and_explained() {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let lines = lines_with(&code_of(&text), "unsafe");
        if !UNSAFE.contains(&path.as_str()) {
            found.extend(lines.iter().map(|line| format!("{path}:{line}: unsafe is not allowed here")));
            continue;
        }
        for line in lines {
            let above: Vec<&str> = text.lines().take(line).collect();
            let near = &above[above.len().saturating_sub(12)..];
            if !near.iter().any(|line| line.contains("SAFETY")) {
                found.push(format!("{path}:{line}: no SAFETY text above"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_file_says_what_it_is_responsible_for() {
    let without: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(without.is_empty(), "these files do not begin with `//!`:\n{}", without.join("\n"));
}

#[test]
fn a_modules_root_is_named_after_it() {
    let roots: Vec<String> = sources().into_iter().map(|(path, _)| path).filter(|p| p.ends_with("/mod.rs")).collect();
    assert!(roots.is_empty(), "name these after their module instead of mod.rs:\n{}", roots.join("\n"));
}
