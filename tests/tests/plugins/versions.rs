//! Going to other versions: upgrade, downgrade, outdated, uninstall.

use std::time::Duration;

use insta::assert_snapshot;
use spin_tests::World;

use super::{app_of, catalogue, pack_stub, session};

const SOON: Duration = Duration::from_secs(30);

fn world() -> World {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    pack_stub(&world, "other", "0.1.0", ">=4.0");
    world.spin(["plugins", "install", "trigger-stub", "other", "-y"]).env("SPIN_CATALOGUES", catalogue(&world)).run();
    pack_stub(&world, "trigger-stub", "1.1.0", ">=4.0");
    pack_stub(&world, "trigger-stub", "2.0.0", ">=5");
    world
}

#[test]
fn upgrade_and_back() {
    let world = world();
    assert_snapshot!(session(
        &world,
        &[
            "plugins outdated",
            "plugins outdated --json",
            "plugins upgrade",
            "plugins upgrade trigger-stub",
            "plugins upgrade trigger-stub --yes",
            "plugins upgrade trigger-stub --yes",
            "plugins outdated",
            "plugins list --installed",
            "plugins upgrade trigger-stub -v 1.0.0",
            "plugins upgrade trigger-stub -v 1.0.0 --downgrade",
            "plugins list --installed",
            "plugins list --installed --json",
            // Whoever installs the newest gets the newest.
            "plugins install trigger-stub",
            "plugins list --installed",
            "plugins upgrade trigger-stub@1.0 -d",
            "plugins upgrade trigger-stub@2.0.0 --yes",
            "plugins upgrade trigger-stub@2.0.0 --yes --override-compatibility-check",
            "plugins list --installed",
            "plugins upgrade trigger-stbu",
            "plugins upgrade trigger-stub other -v 1.0.0",
        ],
    ));
}

#[test]
fn upgrading_everything() {
    let empty = World::new();
    let nothing = session(&empty, &["plugins upgrade --all", "plugins upgrade", "plugins outdated"]);
    let world = world();
    // Nothing is known of this one any more, which keeps nobody from upgrading the other.
    std::fs::remove_dir_all(catalogue(&world).join("manifests/other")).unwrap();
    std::fs::remove_file(catalogue(&world).join("index.json")).unwrap();
    let commands = ["plugins upgrade --all --yes", "plugins upgrade --all --yes", "plugins list --installed"];
    assert_snapshot!([nothing, session(&world, &commands)].join("\n"));
}

#[test]
fn a_version_that_is_installed_needs_no_catalogue_to_go_back_to() {
    let world = world();
    session(&world, &["plugins upgrade trigger-stub -y"]);
    let spin = |arguments: &[&str]| world.spin(arguments).env("SPIN_CATALOGUES", "").run();
    let back = spin(&["plugins", "upgrade", "trigger-stub@1.0.0", "--downgrade"]).success();
    assert_eq!(back.stdout, "Plugin 'trigger-stub' was downgraded from 1.1.0 to 1.0.0\n");
    let forth = spin(&["plugins", "upgrade", "trigger-stub@1.1.0"]).success();
    assert_eq!(forth.stdout, "Plugin 'trigger-stub' was upgraded from 1.0.0 to 1.1.0\n");
}

#[test]
fn the_version_that_was_chosen_is_the_one_that_runs() {
    let world = World::new();
    let executable = |version: &str| {
        let said = format!("version {version} runs");
        world.write(format!("build/trigger-stub-{version}"), super::STUB.replace("stub runs", &said));
    };
    for version in ["1.0.0", "1.1.0"] {
        pack_stub(&world, "trigger-stub", version, ">=4.0");
        executable(version);
        let path = world.path(format!("build/trigger-stub-{version}"));
        let (path, to) = (path.to_str().unwrap(), catalogue(&world));
        let pack = ["plugins", "pack", path, "--name", "trigger-stub", "--version", version, "--license", "MIT"];
        world.spin(pack).args(["--description", "a stub", "--to", to.to_str().unwrap()]).run().success();
    }
    let app = app_of(&world, "stub");
    let up = || world.spin(["up"]).env("SPIN_CATALOGUES", "").in_dir(app.dir()).run().success().stdout;
    session(&world, &["plugins install trigger-stub@1.0.0 -y", "plugins install trigger-stub -y"]);
    assert!(up().contains("version 1.1.0 runs"));
    session(&world, &["plugins upgrade trigger-stub@1.0.0 -d"]);
    assert!(up().contains("version 1.0.0 runs"));
    session(&world, &["plugins uninstall trigger-stub@1.0.0"]);
    assert!(up().contains("version 1.1.0 runs"));
}

#[test]
fn on_a_terminal_one_is_asked_which_to_upgrade() {
    let world = world();
    pack_stub(&world, "other", "0.2.0", ">=4.0");
    let upgrade = || {
        let spin = world.spin(["plugins", "upgrade", "--yes"]).env("SPIN_CATALOGUES", catalogue(&world));
        let terminal = spin.start_on_terminal();
        terminal.output().wait_for_text("or nothing:");
        terminal
    };
    let mut none = upgrade();
    none.type_text("\n");
    none.output().wait_for("No plugins selected");
    assert!(none.finish_within(SOON).success());

    let mut one = upgrade();
    assert!(one.output().text().contains("  1  other 0.1.0 -> 0.2.0\r\n  2  trigger-stub 1.0.0 -> 1.1.0"));
    one.type_text("7\n");
    one.output().wait_for_text("or nothing:");
    one.type_text("2\n");
    one.output().wait_for("Plugin 'trigger-stub' was upgraded from 1.0.0 to 1.1.0");
    assert!(one.finish_within(SOON).success() && !one.output().text().contains("'other'"), "{}", one.snapshot());

    let mut all = upgrade();
    all.type_text("all\n");
    all.output().wait_for("Plugin 'other' was upgraded from 0.1.0 to 0.2.0");
    assert!(all.finish_within(SOON).success());
    let mut done = world.spin(["plugins", "upgrade"]).env("SPIN_CATALOGUES", catalogue(&world)).start_on_terminal();
    done.output().wait_for("All plugins are up to date");
    assert!(done.finish_within(SOON).success());
}

#[test]
fn uninstall() {
    let world = world();
    assert_snapshot!(session(
        &world,
        &[
            "plugins upgrade trigger-stub -y",
            "plugins uninstall trigger-stub@1.1.0",
            "plugins uninstall trigger-stub@1.1.0",
            "plugins uninstall trigger-stub other",
            "plugins rm trigger-stub",
            "plugins list --installed",
            "plugins uninstall",
            "plugins uninstall ../trigger-stub",
        ],
    ));
    let store = world.data().join("plugin-store/v1");
    for folder in ["store", "installed", "started"] {
        assert_eq!(super::tree(&store.join(folder)), [""; 0], "{folder}");
    }
}

#[test]
fn a_version_can_be_given_by_a_flag_and_several_plugins_at_once() {
    let world = world();
    pack_stub(&world, "trigger-stub", "1.0.5", ">=4.0");
    assert_snapshot!(session(
        &world,
        &[
            "plugins install trigger-stub -v 1.0.5 -y",
            "plugins install trigger-stub -v 1.2 -y",
            "plugins install trigger-stub@1.0.0 -v 1.0.0 -y",
            "plugins install trigger-stub other -v 1.0.0 -y",
            "plugins install trigger-stub -v one -y",
            "plugins install trigger-stub@=1.0.0 other trigger-stub@1.1 -y",
            "plugins install other trigger-nothing -y",
            "plugins list --installed",
        ],
    ));
}
