//! What a start of an app does before its trigger runs, and what it doesn't, by its system calls.

use std::path::Path;

use super::killed::STRACE;
use super::{app_of, catalogue, pack_stub, session};
use spin_tests::World;

/// Calls that look into folders, wait for a disk, or go to a network.
const CALLS: &str = "trace=execve,open,openat,getdents64,fsync,fdatasync,socket,connect";

#[test]
fn nothing_is_searched_and_nothing_is_waited_for() {
    let world = World::new();
    for number in 0..3 {
        pack_stub(&world, &format!("trigger-other{number}"), "1.0.0", ">=4.0");
    }
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    session(&world, &["plugins install trigger-stub trigger-other1 --yes"]);
    let app = app_of(&world, "stub");
    let trace = world.path("trace");
    assert!(Path::new(STRACE).is_file(), "this test needs {STRACE} (package strace)");
    let strace = world.command(STRACE).args(["-f", "-y", "-qq", "-e", CALLS, "-o", trace.to_str().unwrap()]);
    let spin = strace.args([world.dist().bin("spin")]).args(["up"]).in_dir(app.dir());
    let run = spin.env("SPIN_CATALOGUES", catalogue(&world)).run().success();
    assert_eq!(run.stdout, "stub runs\n", "{}", run.snapshot());

    let text = std::fs::read_to_string(trace).unwrap();
    let is_trigger = |line: &&str| line.contains("execve(") && line.contains("/trigger-stub\"");
    let before: Vec<&str> = text.lines().take_while(|line| !is_trigger(line)).collect();
    assert!(before.len() > 10 && before.len() < text.lines().count(), "{text}");
    let (catalogue, data) = (catalogue(&world), world.data());
    for line in before {
        for call in ["fsync(", "fdatasync(", "AF_INET", "connect("] {
            assert!(!line.contains(call), "{line}");
        }
        assert!(!line.contains(catalogue.to_str().unwrap()), "no catalogue is read: {line}");
        assert!(!line.contains("other1"), "no other plugin is looked at: {line}");
        // Folders that a killed spin may have left are looked for beside its own, and nowhere else.
        if line.contains("getdents64(") {
            let place = |name: &str| line.contains(&format!("<{}", world.path(name).display()));
            assert!(place("tmp") || place("run"), "{line}");
            assert!(!line.contains(data.to_str().unwrap()), "{line}");
        }
    }
}
