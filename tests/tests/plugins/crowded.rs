//! Sixteen commands at once, a full disk and a store that cannot be written: what is installed stays whole.

use spin_tests::{Finished, World};

use super::{catalogue, pack_stub, tree};

/// A world with a plugin in two versions in its catalogue, of which `installed` are installed.
fn world(installed: &[&str]) -> World {
    let world = World::new();
    for version in ["1.0.0", "2.0.0"] {
        pack_stub(&world, "trigger-stub", version, ">=4.0");
    }
    for version in installed {
        spin(&world, &["plugins", "install", "--yes", &format!("trigger-stub@{version}")]).success();
    }
    world
}

fn spin(world: &World, words: &[&str]) -> Finished {
    world.spin(words).env("SPIN_CATALOGUES", catalogue(world)).run()
}

/// The store, without what is only there to be locked.
fn store(world: &World) -> Vec<String> {
    let mut store = tree(&world.data().join("plugin-store/v1"));
    store.retain(|path| !path.starts_with("locks") && !path.starts_with("started"));
    store
}

#[test]
fn sixteen_at_once_leave_a_store_that_is_whole() {
    let world = world(&["1.0.0"]);
    let commands: [&[&str]; 4] = [
        &["plugins", "install", "--yes", "trigger-stub@1.0.0"],
        &["plugins", "install", "--yes", "trigger-stub@2.0.0"],
        &["plugins", "upgrade", "--yes", "trigger-stub"],
        &["plugins", "uninstall", "trigger-stub"],
    ];
    let running: Vec<_> = (0..16)
        .map(|number| world.spin(commands[number % 4]).env("SPIN_CATALOGUES", catalogue(&world)).start())
        .collect();
    for one in running {
        let ended = one.finish_within(std::time::Duration::from_secs(60));
        // Another one may have uninstalled what this one upgrades.
        assert!(ended.code == Some(0) || ended.stderr.contains("plugin::not-installed"), "{}", ended.snapshot());
    }
    spin(&world, &["plugins", "verify"]).success();
    spin(&world, &["plugins", "install", "--yes", "trigger-stub@1.0.0"]).success();
    spin(&world, &["plugins", "uninstall", "trigger-stub"]).success();
    assert!(store(&world).iter().all(|path| !path.contains("trigger-stub")), "{:?}", store(&world));
}

/// Runs a shell script in which `spin` is the program and mounts are its own.
fn with_mounts(world: &World, script: &str) -> Finished {
    let namespace = ["--user", "--map-root-user", "--mount", "/bin/sh", "-ec", script];
    let bin = world.dist().bin("spin");
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let unshare = world.command("/usr/bin/unshare").args(namespace).env("PATH", path).env("DATA", world.data());
    unshare.env("SPIN_CATALOGUES", catalogue(world)).run()
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let world = world(&[]);
    // Larger than the disk, and of bytes that do not pack.
    let noise: Vec<u8> = (0..2_000_000_u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u8).collect();
    let large = world.write("build/large", noise);
    super::pack_program(&world, "trigger-stub", "3.0.0", ">=4.0", &large, &[]);
    let run = with_mounts(
        &world,
        "mkdir -p $DATA; mount -t tmpfs -o size=1m none $DATA
         spin plugins install --yes trigger-stub@1.0.0
         spin plugins install --yes trigger-stub@3.0.0 && exit 9
         spin plugins verify; spin plugins list --installed; find $DATA -name '*incoming*'",
    );
    let run = run.success();
    assert!(run.stderr.contains("store::io") && run.stderr.contains("No space left"), "{}", run.snapshot());
    assert!(run.stdout.contains("trigger-stub 1.0.0: intact"), "{}", run.snapshot());
    assert!(!run.stdout.contains("incoming") && !run.stdout.contains("3.0.0"), "{}", run.snapshot());
}

#[test]
fn a_store_that_cannot_be_written_serves_what_it_has() {
    let world = world(&["1.0.0"]);
    let run = with_mounts(
        &world,
        "mount --bind $DATA $DATA; mount -o remount,bind,ro $DATA
         spin plugins install --yes trigger-stub@1.0.0
         spin plugins install --yes trigger-stub@2.0.0 && exit 9
         spin plugins upgrade --yes trigger-stub && exit 9
         spin plugins uninstall trigger-stub && exit 9
         spin plugins verify; spin trigger-stub",
    );
    let run = run.success();
    assert_eq!(run.stderr.matches("store::io").count(), 3, "{}", run.snapshot());
    assert!(
        run.stdout.contains("trigger-stub 1.0.0: intact") && run.stdout.contains("stub runs"),
        "{}",
        run.snapshot()
    );
}
