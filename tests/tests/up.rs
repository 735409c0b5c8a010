//! `spin up` and what belongs to it, flag by flag: which app is run, what of it, and what the triggers get.
//!
//! The trigger is mostly a script that says what it was given: what components make of it is the business of others.

#![allow(clippy::unwrap_used, reason = "tests")]

mod up {
    mod build;
    mod code;
    mod files;
    mod flags;
    mod locks;
    mod lookup;
    mod mistakes;
    mod samples;
    mod stop;
}

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;
use spin_tests::{App, Finished, Invocation, World};

/// A trigger that prints its arguments and the lock, and ends.
const ECHO: &str = r#"#!/bin/sh
case "$1" in
  --help-args-only) echo "Echo Trigger Options:"; echo "      --own <VALUE>"; exit 0;;
esac
for argument in "$@"; do echo "argument: $argument"; done
echo "lock:"
cat "${SPIN_LOCKED_URL#file://}"
"#;

/// A world with that trigger as a development override.
struct Echo {
    world: World,
    plugin: String,
}

impl Echo {
    fn new() -> Self {
        let world = World::new();
        let script = world.write("trigger-echo", ECHO);
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let plugin = format!("trigger-echo={}", script.display());
        Self { world, plugin }
    }

    /// An app in a folder of its own, with a file for each of `files`.
    fn app(&self, manifest: &str, files: &[&str]) -> App {
        let app = self.world.app("app", manifest, &[]);
        for file in files {
            self.world.write(Path::new("apps/app").join(file), *file);
        }
        app
    }

    /// `spin up` with the trigger and these arguments.
    fn up(&self, arguments: &[&str]) -> Invocation {
        self.world.spin(["up", "--plugin-path", &self.plugin]).args(arguments)
    }

    /// The lock that `spin up` with these arguments makes of an app in `folder`.
    #[track_caller]
    fn lock(&self, folder: &Path, arguments: &[&str]) -> Value {
        lock(&self.up(arguments).in_dir(folder).run().success())
    }
}

/// The lock that the trigger printed.
#[track_caller]
fn lock(up: &Finished) -> Value {
    let (_, lock) = up.stdout.split_once("lock:\n").unwrap_or_else(|| panic!("no lock: {}", up.snapshot()));
    serde_json::from_str(lock).unwrap()
}

/// The arguments that the trigger printed.
fn arguments(up: &Finished) -> Vec<&str> {
    up.stdout.lines().filter_map(|line| line.strip_prefix("argument: ")).collect()
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
