//! Installing, listing, and what is verified before a start.

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use spin_tests::World;

use super::{app_of, catalogue, pack_stub, tree};

#[test]
fn install_and_list() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let spin = |arguments: &[&str]| world.spin(arguments).env("SPIN_CATALOGUES", catalogue(&world)).run();
    let steps = [
        spin(&["plugins", "list"]),
        spin(&["plugins", "install", "trigger-stub", "--yes"]),
        spin(&["plugins", "install", "trigger-stub", "--yes"]),
        spin(&["plugins", "list"]),
        spin(&["plugins", "install", "trigger-stbu", "--yes"]),
        spin(&["plugins", "install", "../trigger-stub", "--yes"]),
        spin(&["plugins", "install", "trigger-stub@9.0.0", "--yes"]),
    ];
    assert_snapshot!(steps.map(|step| step.snapshot()).join("\n"));
}

#[test]
fn a_manifest_file_installs_too() {
    let world = World::new();
    let packed = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let manifest = packed.manifest.to_str().unwrap();
    world.spin(["plugins", "install", "--file", manifest, "--yes"]).env("SPIN_CATALOGUES", "").run().success();
    let app = app_of(&world, "stub");
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", "").in_dir(app.dir()).run().success();
    assert!(up.stdout.contains("stub runs"));
}

#[test]
fn the_highest_installed_version_runs_and_both_stay() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.9.0", ">=4.0");
    let install = |name: &str| {
        world.spin(["plugins", "install", name, "--yes"]).env("SPIN_CATALOGUES", catalogue(&world)).run().success()
    };
    install("trigger-stub");
    pack_stub(&world, "trigger-stub", "1.10.0", ">=4.0");
    install("trigger-stub");
    let store = tree(&world.data().join("plugin-store/v1/store/trigger-stub"));
    let versions = store.iter().filter(|path| !path.contains('/')).count();
    assert_eq!(versions, 2, "{store:?}");
}

#[test]
fn an_executable_that_was_changed_is_not_started() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let app = app_of(&world, "stub");
    let up = || world.spin(["up", "--yes"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
    assert!(up().success().stdout.contains("stub runs"));
    let store = world.data().join("plugin-store/v1/store/trigger-stub");
    let version = std::fs::read_dir(&store).unwrap().next().unwrap().unwrap().path();
    let executable = version.join("trigger-stub");
    std::fs::set_permissions(&version, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&executable, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(&executable, "#!/bin/sh\necho tampered\n").unwrap();
    let refused = up();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(!refused.stdout.contains("tampered"), "{}", refused.snapshot());
    assert!(refused.stderr.contains("trigger-stub") && refused.stderr.contains("install"), "{}", refused.snapshot());
    // A file that was only touched is hashed again and started.
    std::fs::write(&executable, super::STUB).unwrap();
    assert!(up().success().stdout.contains("stub runs"));
}

#[test]
fn development_overrides_are_used_and_announced() {
    let world = World::new();
    let script = world.write("trigger-stub", super::STUB.replace("stub runs", "the override runs"));
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let app = app_of(&world, "stub");
    let flag = format!("trigger-stub={}", script.display());
    let up = world.spin(["up", "--plugin-path", &flag]).env("SPIN_CATALOGUES", "").in_dir(app.dir()).run().success();
    assert!(up.stdout.contains("the override runs") && up.stderr.contains("trigger-stub"), "{}", up.snapshot());
    let up = world.spin(["up"]).env("SPIN_PLUGIN_TRIGGER_STUB", &script).in_dir(app.dir()).run().success();
    assert!(up.stdout.contains("the override runs") && up.stderr.contains("trigger-stub"), "{}", up.snapshot());
}
