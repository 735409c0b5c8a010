//! The three outcomes when no installed plugin fits, and the offer to install one.

use std::time::Duration;

use insta::assert_snapshot;
use spin_tests::World;

use super::{app_of, catalogue, pack_stub};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn available_but_not_installed() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let app = app_of(&world, "stub");
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
    assert_snapshot!(up.snapshot());
}

#[test]
fn there_but_not_compatible() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=2.0, <4");
    pack_stub(&world, "trigger-stub", "2.0.0", ">=5");
    let app = app_of(&world, "stub");
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
    assert_snapshot!(up.snapshot());
}

#[test]
fn unknown_with_the_nearest_name() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let app = app_of(&world, "stubb");
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
    assert_snapshot!(up.snapshot());
}

#[test]
fn unknown_without_any_catalogue() {
    let world = World::new();
    let app = app_of(&world, "stub");
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", "").in_dir(app.dir()).run();
    assert_snapshot!(up.snapshot());
}

#[test]
fn the_outcome_does_not_depend_on_the_type() {
    let outcome = |trigger_type: &str| {
        let world = World::new();
        pack_stub(&world, &format!("trigger-{trigger_type}"), "1.0.0", ">=4.0");
        let app = app_of(&world, trigger_type);
        let missing = world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
        let runs = world.spin(["up", "--yes"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
        let both = missing.snapshot() + &runs.snapshot();
        // The names differ, and the digests of archives that hold them.
        let words = both.split_whitespace().map(|word| if word.len() > 60 { "DIGEST" } else { word });
        words.collect::<Vec<_>>().join(" ").replace(trigger_type, "TYPE")
    };
    assert_eq!(outcome("http"), outcome("zzzz"));
}

#[test]
fn yes_installs_and_goes_on() {
    for how in ["flag", "environment"] {
        let world = World::new();
        pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
        let app = app_of(&world, "stub");
        let up = match how {
            "flag" => world.spin(["up", "--yes"]),
            _ => world.spin(["up"]).env("SPIN_AUTO_INSTALL", "1"),
        };
        let up = up.env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run().success();
        assert!(up.stdout.contains("stub runs"), "{how}\n{}", up.snapshot());
    }
}

#[test]
fn on_a_terminal_the_answer_yes_installs_and_goes_on() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let app = app_of(&world, "stub");
    let up = || world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).start_on_terminal();

    let mut no = up();
    no.output().wait_for_text("[Y/n]");
    no.type_text("n\n");
    let status = no.finish_within(SOON);
    assert!(!status.success() && !no.output().text().contains("stub runs"), "{}", no.snapshot());

    let mut yes = up();
    yes.output().wait_for_text("[Y/n]");
    yes.type_text("y\n");
    yes.output().wait_for("stub runs");
    assert!(yes.finish_within(SOON).success(), "{}", yes.snapshot());

    // Installed now: no question.
    let mut again = up();
    again.output().wait_for("stub runs");
    assert!(again.finish_within(SOON).success() && !again.output().text().contains("[Y/n]"), "{}", again.snapshot());
}

#[test]
fn compatibility_is_with_the_public_version() {
    for requirement in [">=2.0", ">=4.0.2", "~4.0", ">=2.2, <5"] {
        let world = World::new();
        pack_stub(&world, "trigger-stub", "1.0.0", requirement);
        let app = app_of(&world, "stub");
        let up = world.spin(["up", "--yes"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
        assert!(up.success().stdout.contains("stub runs"), "{requirement}");
    }
    for requirement in ["<4", ">=5", "^3"] {
        let world = World::new();
        pack_stub(&world, "trigger-stub", "1.0.0", requirement);
        let app = app_of(&world, "stub");
        for arguments in [&["up", "--yes"][..], &["plugins", "install", "trigger-stub", "--yes"]] {
            let refused = world.spin(arguments).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
            assert_eq!(refused.code, Some(1), "{requirement}\n{}", refused.snapshot());
            let said = &refused.stderr;
            assert!(said.contains(requirement) && said.contains("4.0.2"), "{requirement}\n{}", refused.snapshot());
        }
        assert!(!world.data().join("plugin-store/v1/installed").join("trigger-stub.json").exists());
    }
}

#[test]
fn an_installed_plugin_that_stopped_being_compatible_is_refused() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", "<4");
    let app = app_of(&world, "stub");
    let arguments = ["plugins", "install", "trigger-stub", "--yes", "--override-compatibility-check"];
    world.spin(arguments).env("SPIN_CATALOGUES", catalogue(&world)).run().success();
    let up = world.spin(["up"]).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir()).run();
    assert!(up.code == Some(1) && up.stderr.contains("<4") && up.stderr.contains("4.0.2"), "{}", up.snapshot());
}
