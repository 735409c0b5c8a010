//! Which tests show which rule of the HTTP trigger: `tests/data/http_rules.txt`.
//!
//! Each test binary that the file names has a test that [`check`]s its part.

use std::collections::BTreeSet;
use std::process::Command;

const FILE: &str = include_str!("../data/http_rules.txt");

/// The test binaries that check their part.
pub const BINARIES: [&str; 7] = ["cli", "executors", "flags", "hosts", "http", "signals", "up"];

/// A rule, and what shows it.
#[derive(Debug)]
pub struct Rule {
    /// The line of the file.
    pub line: usize,
    /// What holds.
    pub text: &'static str,
    /// The tests that show it, each as `BINARY::PATH`; or why there are none.
    pub shown: Result<Vec<&'static str>, &'static str>,
}

/// All rules.
///
/// # Panics
///
/// If a line is neither a rule nor a heading.
pub fn all() -> Vec<Rule> {
    let lines = FILE.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '[']));
    lines
        .map(|(index, line)| {
            let line_number = index + 1;
            let (text, tests) = line.split_once(" | ").unwrap_or_else(|| panic!("line {line_number}: no ` | `"));
            let shown = match tests.strip_prefix("none: ") {
                Some(reason) => Err(reason),
                None => Ok(tests.split(", ").map(str::trim).collect()),
            };
            Rule { line: line_number, text, shown }
        })
        .collect()
}

/// Compares the tests that the file names in this binary, which is called `binary`, with those that it has.
///
/// # Panics
///
/// If one is not there.
#[track_caller]
pub fn check(binary: &str) {
    assert!(BINARIES.contains(&binary), "{binary} is missing in `BINARIES`");
    let own = std::env::current_exe().expect("a running program has a file");
    let listed = Command::new(own).args(["--list", "--format", "terse"]).output().expect("a test binary can be run");
    let listed = String::from_utf8_lossy(&listed.stdout);
    let tests: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let mut missing = Vec::new();
    for rule in all() {
        for named in rule.shown.unwrap_or_default() {
            let own = named.split_once("::").filter(|(of, _)| *of == binary);
            if own.is_some_and(|(_, test)| !tests.contains(test)) {
                missing.push(format!("line {}: {named}", rule.line));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "tests that tests/data/http_rules.txt names and {binary} doesn't have:\n{}",
        missing.join("\n")
    );
}
