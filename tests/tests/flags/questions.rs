//! What a trigger says of its flags, and flags that have no effect in this version.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::Value;
use spin_tests::World;

use super::Site;

/// Every flag that a trigger of the ecosystem has, and that by which a host compiles ahead: its short form, whether a value follows, and whether only one of an
/// app's triggers is to get it.
const FLAGS: &[(&str, Option<&str>, bool, bool)] = &[
    ("--log-dir", Some("-L"), true, false),
    ("--truncate-logs", None, false, true),
    ("--disable-cache", None, false, false),
    ("--cache", None, true, false),
    ("--compile-only", None, false, false),
    ("--disable-pooling", None, false, false),
    ("--debug-info", None, false, false),
    ("--follow", None, true, false),
    ("--quiet", Some("-q"), false, false),
    ("--runtime-config-file", None, true, false),
    ("--state-dir", None, true, false),
    ("--allow-transient-write", None, false, false),
    ("--experimental-wasi-otel", None, false, false),
    ("--key-value", None, true, true),
    ("--sqlite", None, true, true),
    ("--max-instance-memory", None, true, false),
    ("--variable", None, true, false),
];

#[test]
fn the_launch_metadata_has_every_flag() {
    let world = World::new();
    let said = world.program("trigger-http").args(["--launch-metadata-only"]).run().success();
    let metadata: Value = serde_json::from_str(&said.stderr).unwrap();
    assert_eq!(metadata, serde_json::from_str::<Value>(&said.stdout).unwrap(), "both streams say the same");
    let all = metadata["all_flags"].as_array().unwrap();
    let by_name: BTreeMap<&str, &Value> = all.iter().map(|flag| (flag["long"].as_str().unwrap(), flag)).collect();
    for (long, short, takes_value, of_app) in FLAGS {
        let flag = by_name.get(long).unwrap_or_else(|| panic!("{long} is missing"));
        assert_eq!(flag["short"].as_str(), *short, "{long}");
        assert_eq!(flag["takes_value"].as_bool(), Some(*takes_value), "{long}");
        assert_eq!(flag["scope"].as_str(), of_app.then_some("app"), "{long}");
    }
    assert!(all.iter().all(|flag| flag["takes_value"].is_boolean()), "{metadata}");
    assert_eq!(by_name["--quiet"]["aliases"], serde_json::json!(["--sh", "--shush"]));
}

#[test]
fn the_help_has_every_flag() {
    let world = World::new();
    let help = world.program("trigger-http").args(["--help-args-only"]).run().success();
    assert!(help.stdout.contains("HTTP Trigger Options"), "{}", help.snapshot());
    let lines: Vec<&str> = help.stdout.lines().map(str::trim_start).filter(|line| line.starts_with('-')).collect();
    for (long, short, takes_value, _) in FLAGS {
        let line = lines.iter().find(|line| line.split([' ', ',']).any(|word| word == *long));
        let line = line.unwrap_or_else(|| panic!("{long} is missing in\n{}", help.stdout));
        assert_eq!(line.contains('<'), *takes_value, "{line}");
        assert!(short.is_none_or(|short| line.starts_with(short)), "{line}");
    }
    assert!(!lines.iter().any(|line| line.contains("--help")), "the host has its own");
    for variable in [
        "SPIN_LOG_DIR",
        "DISABLE_WASMTIME_CACHE",
        "WASMTIME_CACHE_FILE",
        "RUNTIME_CONFIG_FILE",
        "SPIN_MAX_INSTANCE_MEMORY",
    ] {
        assert!(help.stdout.contains(variable), "{variable} is missing in\n{}", help.stdout);
    }
}

#[test]
fn flags_without_effect_in_this_version_end_the_start() {
    let site = Site::new();
    let rows: [&[&str]; 2] =
        [&["--experimental-wasi-otel"], &["--key-value", "a=s3cret", "--", "--experimental-wasi-otel"]];
    let runs = rows.map(|flags| {
        let refused = site.up(flags).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(!refused.stderr.contains("s3cret"), "{}", refused.snapshot());
        refused.stderr
    });
    assert_snapshot!(runs.join("\n"));
}

#[test]
fn what_stores_can_not_begin_with_ends_the_start() {
    let site = Site::new();
    site.write("broken.sql", "CREATE TABLE t (x); SELEC 's3cret'");
    for (flags, expected) in [
        (["--sqlite", "@nowhere.sql"], "--sqlite @nowhere.sql: No such file"),
        (["--sqlite", "@broken.sql:stock"], "there is no database \"stock\""),
        (["--sqlite", "@broken.sql"], "a statement for the SQLite database \"default\" fails: "),
    ] {
        let refused = site.up(&flags).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{expected}\n{}", refused.stderr);
    }
}

#[test]
fn flags_of_stores_in_a_form_that_is_none_are_usage_errors() {
    let site = Site::new();
    for (flags, expected) in [
        (["--key-value", "s3cret"], "--key-value needs the form KEY=VALUE"),
        (["--sqlite", "@"], "--sqlite needs the name of a file"),
        (["--sqlite", "@:stock"], "--sqlite needs the name of a file"),
        (["--sqlite", "@setup.sql:"], "--sqlite needs the label of a database"),
        (["--sqlite", ""], "--sqlite needs a statement"),
    ] {
        let refused = site.up(&flags).run();
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected) && !refused.stderr.contains("s3cret"), "{}", refused.stderr);
    }
}

#[test]
fn a_flag_that_no_one_knows_is_a_usage_error() {
    let site = Site::new();
    let refused = site.up(&["--max-instance-memroy=5"]).run();
    assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    assert!(refused.stderr.contains("--max-instance-memory"), "{}", refused.snapshot());
}
