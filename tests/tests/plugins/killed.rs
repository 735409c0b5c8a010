//! Killing `spin` at every system call that changes something: the old state or the new holds, nothing is damaged, and
//! doing it again finishes the work and leaves nothing over.

use std::collections::BTreeSet;
use std::path::Path;

use spin_tests::{Finished, World};

use super::{catalogue, pack_stub, session};

/// The calls that installing, upgrading and uninstalling change something by.
pub(super) const CALLS: [&str; 13] = [
    "openat",
    "mkdir",
    "rename",
    "unlink",
    "unlinkat",
    "rmdir",
    "fsync",
    "chmod",
    "fchmod",
    "ftruncate",
    "utimensat",
    "flock",
    "write",
];

/// What is listed after an upgrade.
const BOTH: &str = "stub 1.0.0 [installed]\nstub 1.1.0 [installed] [active]\n";

pub(super) const STRACE: &str = "/usr/bin/strace";

/// Runs `command` once for every call of every kind, killed there, each time from the state that `prepare` makes.
/// Gives the states that were found afterwards.
fn kill_everywhere(prepare: impl Fn(&World), command: &str) -> BTreeSet<String> {
    assert!(Path::new(STRACE).is_file(), "this test needs {STRACE} (package strace)");
    let world = World::new();
    prepare(&world);
    let (data, prepared) = (world.data(), world.path("prepared"));
    std::fs::create_dir_all(&data).unwrap();
    std::fs::rename(&data, &prepared).unwrap();
    let copy = || {
        _ = std::fs::remove_dir_all(&data);
        world.command("/bin/cp").args(["-a".as_ref(), prepared.as_path(), data.as_path()]).run().success();
    };
    let spin = |words: &str| world.spin(words.split(' ')).env("SPIN_CATALOGUES", catalogue(&world)).run();
    let mut states = BTreeSet::new();
    for call in CALLS {
        for number in 1.. {
            copy();
            let killed = killed_at(&world, call, number, command);
            let at = format!("`{command}` killed at {call} {number}");
            let verified = spin("plugins verify");
            assert_eq!(verified.code, Some(0), "{at}\n{}", verified.snapshot());
            states.insert(spin("plugins list --installed").success().stdout);
            if killed.code == Some(0) {
                break;
            }
            assert_eq!(killed.code, None, "{at}: it ended otherwise\n{}", killed.snapshot());
            spin(command).success();
            let left = spin("plugins gc").success().stdout;
            assert_eq!(left, "Nothing to remove\n", "{at} and done again");
            assert!(number < 1000, "{call} has no end");
        }
    }
    states
}

pub(super) fn killed_at(world: &World, call: &str, number: u32, command: &str) -> Finished {
    let inject = format!("inject={call}:signal=KILL:when={number}");
    let trace = format!("trace={call}");
    let strace = world.command(STRACE).args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
    let spin = strace.args([world.dist().bin("spin")]).args(command.split(' '));
    spin.env("SPIN_CATALOGUES", catalogue(world)).run()
}

fn outdated(world: &World) {
    pack_stub(world, "stub", "1.0.0", ">=4.0");
    session(world, &["plugins install stub --yes"]);
    pack_stub(world, "stub", "1.1.0", ">=4.0");
}

fn upgraded(world: &World) {
    outdated(world);
    session(world, &["plugins upgrade stub --yes"]);
}

#[test]
fn an_installation_is_there_or_not() {
    let nothing = |world: &World| drop(pack_stub(world, "stub", "1.0.0", ">=4.0"));
    let states = kill_everywhere(nothing, "plugins install stub --yes");
    assert_eq!(Vec::from_iter(states), ["No plugins found\n", "stub 1.0.0 [installed]\n"]);
}

#[test]
fn an_upgrade_is_done_or_not() {
    let states = kill_everywhere(outdated, "plugins upgrade stub --yes");
    assert_eq!(Vec::from_iter(states), ["stub 1.0.0 [installed]\n", BOTH]);
}

#[test]
fn a_downgrade_is_done_or_not() {
    let states = kill_everywhere(upgraded, "plugins upgrade stub@1.0.0 --downgrade");
    let after = "stub 1.0.0 [installed] [active]\nstub 1.1.0 [installed]\n";
    assert_eq!(Vec::from_iter(states), [BOTH, after]);
}

#[test]
fn a_plugin_is_uninstalled_or_not() {
    let states = kill_everywhere(upgraded, "plugins uninstall stub");
    assert_eq!(Vec::from_iter(states), ["No plugins found\n", BOTH]);
}
