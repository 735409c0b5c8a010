//! Verifying what is installed and removing what nobody uses.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use spin_tests::World;

use super::{app_of, pack_stub, session, tree};

fn world() -> World {
    let world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        pack_stub(&world, "trigger-stub", version, ">=4.0");
        session(&world, &["plugins install trigger-stub --yes"]);
    }
    world
}

#[test]
fn verify() {
    let world = world();
    let good = session(&world, &["plugins verify", "plugins verify trigger-stub --json"]);
    let store = world.data().join("plugin-store/v1/store/trigger-stub");
    let executables: Vec<_> = tree(&store).into_iter().filter(|path| path.contains('/')).collect();
    fs::write(store.join(&executables[0]), "changed").unwrap();
    fs::write(store.join(&executables[1]).with_file_name("added"), "").unwrap();
    let bad = session(
        &world,
        &[
            "plugins verify",
            "plugins verify --json",
            "plugins verify other",
            "plugins install trigger-stub@1.0.0 trigger-stub@1.1.0 --yes",
            "plugins verify",
        ],
    );
    let nothing = session(&World::new(), &["plugins verify", "plugins verify --json"]);
    assert_snapshot!([nothing, good, bad].join("\n"));
}

#[test]
fn gc() {
    let world = world();
    let fresh = session(&world, &["plugins gc"]);
    let age = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
    let record = world.data().join("plugin-store/v1/installed/trigger-stub.json");
    let old = fs::read_to_string(&record).unwrap();
    let old = old.lines().map(|line| match line.trim_start().starts_with("\"installed\"") {
        true => "\"installed\": \"2020-01-01T00:00:00Z\"",
        false => line,
    });
    let old = old.collect::<Vec<_>>().join("\n");
    fs::write(&record, old).unwrap();

    // Started not long ago, as an app that is pinned to it would.
    let app = app_of(&world, "stub");
    session(&world, &["plugins upgrade trigger-stub@1.0.0 -d"]);
    world.spin(["up"]).env("SPIN_CATALOGUES", "").in_dir(app.dir()).run().success();
    session(&world, &["plugins upgrade trigger-stub@1.1.0"]);
    let marks = world.data().join("plugin-store/v1/started/trigger-stub");
    let mark = marks.join(&tree(&marks)[0]);
    let started = |when: SystemTime| File::options().write(true).open(&mark).unwrap().set_modified(when).unwrap();
    started(age(29));
    let kept = session(&world, &["plugins gc"]);
    started(age(31));
    let commands = ["plugins gc --dry-run", "plugins gc --dry-run --json", "plugins gc", "plugins gc --json"];
    let gone = session(&world, &commands);
    let left = session(&world, &["plugins list --installed", "plugins verify"]);
    assert_snapshot!([fresh, kept, gone, left].join("\n"));
}

#[test]
fn a_record_that_cannot_be_read_is_told_by_every_listing() {
    let world = world();
    fs::write(world.data().join("plugin-store/v1/installed/trigger-stub.json"), "{").unwrap();
    let commands = ["gc", "gc --json", "outdated", "outdated --json", "search", "search --json", "list --installed"];
    assert_snapshot!(session(
        &world,
        &commands.map(|command| format!("plugins {command}")).each_ref().map(String::as_str)
    ));
}
