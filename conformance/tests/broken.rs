//! The conformance program says no: for each way of breaking the protocol that `trigger-broken` knows, exactly the checks
//! of the rule that is broken fail.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use serde_json::Value;

/// How many triggers are tried at a time: most of a check is waiting.
const AT_A_TIME: usize = 6;

/// A mode of `trigger-broken`, and the checks that fail.
#[rustfmt::skip]
const BROKEN: &[(&str, &[&str])] = &[
    ("help-with-usage", &["help"]),
    ("help-fails", &["help"]),
    ("metadata-with-log", &["launch-metadata"]),
    ("metadata-without-dashes", &["launch-metadata"]),
    ("silent", &["no-environment"]),
    ("runs-without-host", &["host-gone"]),
    ("never-connects", &["host-gone", "hello"]),
    ("ready-before-hello", &["hello"]),
    ("hello-of-other-type", &["hello"]),
    ("hello-of-other-protocol", &["hello"]),
    ("hello-without-end", &["hello"]),
    ("runs-without-lock", &["lock-missing"]),
    ("dies-of-bad-json", &["lock-not-json"]),
    ("any-version", &["lock-version"]),
    ("names-no-version", &["lock-version"]),
    ("fails-with-0", &["lock-version"]),
    ("meets-all-requirements", &["lock-requirement"]),
    ("understands-all", &["lock-must-understand"]),
    ("lenient", &["lock-entry"]),
    ("ready-before-listening", &["ready"]),
    ("ready-twice", &["ready"]),
    ("ends-when-ready", &["ready"]),
    ("waits-for-welcome", &["no-welcome"]),
    ("reads-all-entries", &["lock-of-others"]),
    ("small-buffer", &["lock-huge"]),
    ("ignores-drain", &["drain"]),
    ("drain-is-a-failure", &["drain"]),
    ("log-on-channel", &["drain"]),
    ("child-survives", &["drain", "crash"]),
    ("deaf-while-starting", &["early-drain"]),
    ("dies-of-term", &["term"]),
    ("term-is-a-failure", &["term"]),
    ("drains-at-int", &["int-and-hup"]),
    ("dies-of-hup", &["int-and-hup"]),
    ("refuses-unknown-messages", &["unknown-messages"]),
    ("refuses-unknown-fields", &["unknown-fields"]),
    ("pieces-are-lines", &["halves"]),
    ("shrugs-at-garbage", &["garbage"]),
    ("endless-buffer", &["endless-line"]),
    ("outlives-channel", &["channel-lost", "parent-killed"]),
    ("slow-without-host", &["channel-lost", "parent-killed"]),
    ("blind-while-starting", &["early-channel-lost"]),
    ("serves-ahead", &["compile-only"]),
    ("compiles-in-vain", &["compile-only"]),
    ("no-answer-to-status", &["status"]),
    ("status-of-other-id", &["status"]),
    ("never-ready-in-status", &["status"]),
    ("bad-metric", &["status"]),
    ("names-trigger", &["status"]),
    ("commits-at-once", &["reload"]),
    ("commits-another", &["reload"]),
    ("retires-first", &["reload"]),
    ("never-retires", &["reload"]),
    ("dies-of-abort", &["reload-abort", "reload-abort-early", "reload-rejected"]),
    ("prepares-anything", &["reload-rejected"]),
    ("dies-of-bad-generation", &["reload-rejected"]),
    ("rejects-without-reason", &["reload-rejected"]),
];

/// The interpreter itself: what is found in the search path may be a script that looks for it at every start.
static PYTHON: LazyLock<String> = LazyLock::new(|| {
    let run = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
});

/// The report on a mode of `trigger-broken`, and whether the program was content.
fn report(mode: &str) -> (Value, bool) {
    let trigger = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trigger-broken");
    let mut program = Command::new(env!("CARGO_BIN_EXE_spin-trigger-conformance"));
    program.arg(&*PYTHON).args(["--type", "broken", "--json", "--", "-SE"]).arg(trigger).arg(mode);
    let run = program.output().unwrap();
    let report = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{mode}: {run:?}"));
    (report, run.status.success())
}

/// The names of the checks that went that way.
fn names<'a>(report: &'a Value, result: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["result"] == result);
    checks.map(|check| check["name"].as_str().unwrap()).collect()
}

#[test]
fn each_broken_trigger_fails_the_checks_of_the_rule_that_it_breaks_and_no_other() {
    let left = Mutex::new(BROKEN.iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some((mode, expected)) = left.lock().unwrap().next() else { break };
                    let (report, content) = report(mode);
                    if names(&report, "failed") != *expected || content {
                        wrong.lock().unwrap().push(format!("{mode}: expected {expected:?}\n{report:#}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_fault_it_passes_everything() {
    let (report, content) = report("none");
    assert!(content, "{report:#}");
    assert_eq!(names(&report, "passed").len(), report["checks"].as_array().unwrap().len(), "{report:#}");
}

#[test]
fn what_is_not_offered_is_no_fault() {
    let (report, content) = report("no-features");
    assert!(content, "{report:#}");
    assert_eq!(
        names(&report, "not-offered"),
        ["compile-only", "status", "reload", "reload-abort", "reload-abort-early", "reload-rejected"]
    );
    assert!(names(&report, "not-run").is_empty());
}

#[test]
fn every_check_has_a_trigger_that_fails_it() {
    let (report, _) = report("none");
    let failed = |name: &str| BROKEN.iter().any(|(_, expected)| expected.contains(&name));
    let never: Vec<&str> = names(&report, "passed").into_iter().filter(|name| !failed(name)).collect();
    assert!(never.is_empty(), "{never:?}");
}
