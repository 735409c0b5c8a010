//! Plugins that are no triggers: `spin NAME …`.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use insta::assert_snapshot;
use spin_tests::{Signal, World};

use super::{catalogue, session};

/// Packs a shell script as a plugin, and installs it.
fn plugin(world: &World, name: &str, script: &str) {
    let path = world.write(format!("build/{name}"), format!("#!/bin/sh\n{script}\n"));
    let (path, to) = (path.to_str().unwrap(), catalogue(world));
    let pack = ["plugins", "pack", path, "--version", "1.0.0", "--license", "MIT", "--description", "a script", "--to"];
    world.spin(pack).args([&to]).run().success();
    session(world, &[&format!("plugins install {name} --yes")]);
}

#[test]
fn a_plugin_knows_who_runs_it() {
    let world = World::new();
    plugin(&world, "tell", "env | grep ^SPIN_ | sort; pwd; echo \"args: $@\"");
    let run = world.spin(["tell", "a b", "--", "--override-compatibility-check", "-y"]).run().success();
    let value = |name: &str| {
        let prefix = format!("{name}=");
        run.stdout.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let version = value("SPIN_VERSION").unwrap();
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| value(&format!("SPIN_VERSION_{part}")).unwrap());
    assert_eq!((parts.join("."), value("SPIN_VERSION_PRE").as_deref()), (version, Some("")));
    for name in ["COMMIT_SHA", "COMMIT_DATE", "BRANCH", "BUILD_DATE", "TARGET_TRIPLE", "HOST_VERSION"] {
        assert!(value(&format!("SPIN_{name}")).is_some_and(|value| !value.is_empty()), "{name}\n{}", run.stdout);
    }
    assert_eq!(value("SPIN_DEBUG").as_deref(), Some("false"));
    assert_eq!(value("SPIN_BIN_PATH").unwrap(), world.dist().bin("spin").display().to_string());
    let end: Vec<_> = run.stdout.lines().rev().take(2).collect();
    assert_eq!(end, ["args: a b -- -y", &world.home().display().to_string()]);
}

#[test]
fn exit_codes_pass_and_signals_reach_the_plugin() {
    let world = World::new();
    plugin(&world, "ends", "exit \"$1\"");
    for code in [0, 1, 7, 255] {
        assert_eq!(world.spin(["ends", &code.to_string()]).run().code, Some(code));
    }
    plugin(&world, "killed", "kill -9 $$");
    assert_eq!(world.spin(["killed"]).run().code, Some(1), "a signal is no code");
    plugin(&world, "waits", "trap 'echo stopped; exit 3' TERM\necho ready\nwhile :; do sleep 1; done");
    for signal in [Signal::TERM, Signal::INT] {
        let waits = world.spin(["waits"]).start();
        waits.stdout().wait_for("ready");
        waits.signal(signal);
        let finished = waits.finish_within(Duration::from_secs(30));
        assert_eq!((finished.code, finished.stdout.contains("stopped")), (Some(3), true), "{}", finished.snapshot());
    }
}

#[test]
fn an_override_runs_instead_of_the_plugin() {
    let world = World::new();
    plugin(&world, "tell", "echo installed");
    let script = world.write("mine/tell", "#!/bin/sh\necho mine \"$@\"\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let flag = format!("tell={}", script.display());
    let runs = [
        world.spin(["tell"]).run(),
        world.spin(["--plugin-path", &flag, "tell", "a", "--plugin-path", "b"]).run(),
        world.spin(["tell", "a"]).env("SPIN_PLUGIN_TELL", &script).run(),
        world.spin(["--plugin-path", "tell=nowhere", "tell"]).run(),
        world.spin(["--plugin-path", &flag, "plugins", "list"]).run(),
    ];
    assert_snapshot!(runs.map(|run| run.snapshot()).join("\n"));
}

#[test]
fn a_mistyped_name_is_answered_with_the_nearest_installed_or_not() {
    let world = World::new();
    plugin(&world, "kube", "echo kube");
    plugin(&world, "verman", "echo verman");
    plugin(&world, "trigger-stub", "echo stub");
    assert_snapshot!(session(
        &world,
        &[
            "plugins uninstall verman",
            "kub",
            "vermn",
            "verman",
            "trigger-stb",
            "plguins",
            "something-else",
            "plugins upgrade kube@9.0.0 -y",
            "plugins install kube@9 -y",
        ],
    ));
}
