//! The command line of `spin`: its words, its exit codes, and where it finds an app.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;
use spin_tests::{App, World, http};

/// A trigger that prints its arguments and what it was given, and ends.
const ECHO: &str = r#"#!/bin/sh
case "$1" in
  --help-args-only) echo "Echo Trigger Options:"; echo "      --own <VALUE>"; exit 0;;
  --launch-metadata-only) echo '{"all_flags": [{"long": "--own"}]}' >&2; exit 0;;
esac
for argument in "$@"; do echo "argument: $argument"; done
echo "lock: $(cat "${SPIN_LOCKED_URL#file://}" | tr -d ' \n')"
echo "local: $SPIN_LOCAL_APP_DIR"
echo "version: $SPIN_VERSION $SPIN_VERSION_MAJOR.$SPIN_VERSION_MINOR.$SPIN_VERSION_PATCH"
exit ${EXIT_WITH:-0}
"#;

const MANIFEST: &str = r#"
spin_manifest_version = 2
application = { name = "app", version = "1.0.0" }
[[trigger.echo]]
component = "probe"
[component.probe]
source = "probe-p3.wasm"
environment = { A = "manifest", B = "manifest" }
"#;

/// A world with the echo trigger as a development override, and an app for it.
fn world() -> (World, App, String) {
    let world = World::new();
    let script = world.write("trigger-echo", ECHO);
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let app = world.app("app", MANIFEST, &["probe-p3"]);
    (world, app, format!("trigger-echo={}", script.display()))
}

#[test]
fn arguments_are_split_between_spin_and_the_trigger() {
    let (world, app, plugin) = world();
    let arguments =
        ["up", "--own", "value", "-eA=flag", "--env", "C=flag", "-x", "--plugin-path", &plugin, "--", "-e", "B=no"];
    let up = world.spin(arguments).in_dir(app.dir()).run().success();
    let passed: Vec<&str> = up.stdout.lines().filter_map(|line| line.strip_prefix("argument: ")).collect();
    assert_eq!(passed, ["--own", "value", "-x", "-e", "B=no"]);
    assert!(up.stdout.contains(r#""env":{"A":"flag","B":"manifest","C":"flag"}"#), "{}", up.snapshot());
    assert!(up.stdout.contains("version: 4.0.2 4.0.2"), "{}", up.snapshot());
}

#[test]
fn the_app_is_found_where_the_user_says() {
    let (world, app, plugin) = world();
    let folder = app.dir().to_str().unwrap().to_owned();
    let file = app.manifest().to_str().unwrap().to_owned();
    let below = app.dir().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let cases: [(&[&str], &std::path::Path); 5] = [
        (&["--from", &folder], &world.home()),
        (&["-f", &file], &world.home()),
        (&[&format!("-f{file}")], &world.home()),
        (&[], app.dir()),
        // Searched upwards.
        (&[], &below),
    ];
    for (arguments, here) in cases {
        let arguments = ["up", "--plugin-path", &plugin].into_iter().chain(arguments.iter().copied());
        let up = world.spin(arguments).in_dir(here).run().success();
        assert!(up.stdout.contains(r#""name":"app""#), "{}", up.snapshot());
        let local = up.stdout.lines().find_map(|line| line.strip_prefix("local: ")).unwrap();
        assert_eq!(here.join(local).canonicalize().unwrap(), app.dir().canonicalize().unwrap(), "{}", up.snapshot());
    }
}

#[test]
fn the_exit_code_is_the_triggers() {
    let (world, app, plugin) = world();
    for code in [0, 1, 7] {
        let up =
            world.spin(["up", "--plugin-path", &plugin]).env("EXIT_WITH", code.to_string()).in_dir(app.dir()).run();
        assert_eq!(up.code, Some(code), "{}", up.snapshot());
    }
}

#[test]
fn help_holds_the_triggers_options() {
    let (world, app, plugin) = world();
    let help = world.spin(["up", "--plugin-path", &plugin, "--help"]).in_dir(app.dir()).run().success();
    assert!(help.stdout.contains("--env") && help.stdout.contains("Echo Trigger Options:"), "{}", help.snapshot());
}

#[test]
fn a_bare_component_is_served_as_an_app() {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", "", &["probe-p2"]);
    let up = world.spin(["up", "-f", "probe-p2.wasm", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let response = http::get(up.serving(), "/any/path");
    assert_eq!((response.status, response.text().as_str()), (200, "hello from a component\n"));
    up.stop().success();
    assert!(!app.dir().join(".spin").exists(), "without a manifest there is no place for state");
}

#[test]
fn the_example_of_the_readme_serves() {
    let world = World::new();
    world.install("trigger-http");
    let example = spin_tests::repository().join("examples/hello");
    let arguments = ["up", "--from", example.to_str().unwrap(), "--listen", "127.0.0.1:0", "--state-dir", ""];
    let up = world.spin(arguments).start();
    let response = http::get(up.serving(), "/");
    assert_eq!((response.status, response.text().as_str()), (200, "hello from a component\n"));
    up.stop().success();
}

#[test]
fn a_manifest_with_mistakes_starts_nothing_and_names_all_of_them() {
    let world = World::new();
    let manifest = r#"spin_manifest_version = 2
application = { name = "app", verison = "1" }
[[trigger.http]]
route = "/..."
component = "prob"
[component.probe]
source = "missing.wasm"
variables = { text = "{{ nobody }}" }
"#;
    let app = world.app("app", manifest, &[]);
    let refused = world.spin(["up"]).in_dir(app.dir()).run();
    assert_snapshot!(refused.snapshot());
}

#[test]
fn words_that_spin_does_not_know() {
    let world = World::new();
    let runs = [
        world.spin(["no-such-command"]).run(),
        world.spin(["plugin", "lsit"]).run(),
        world.spin(["upp"]).run(),
        world.spin(["new"]).run(),
        world.spin(["up", "--insecure"]).run(),
        world.spin(["up"]).run(),
        world.spin(["up", "-f", "nowhere"]).run(),
    ];
    assert_snapshot!(runs.map(|run| run.snapshot()).join("\n"));
}

#[test]
fn the_schema_of_manifests_can_be_had() {
    let world = World::new();
    let file = std::fs::read_to_string(spin_tests::repository().join("docs/spin-manifest.schema.json")).unwrap();
    let printed = world.spin(["maintenance", "generate-manifest-schema"]).run().success();
    assert_eq!((printed.stdout.as_str(), printed.stderr.as_str()), (file.as_str(), ""));

    let written = world.spin(["maintenance", "generate-manifest-schema", "-o", "s.json"]).in_dir(world.home()).run();
    assert_eq!(written.success().stdout, "");
    assert_eq!(std::fs::read_to_string(world.home().join("s.json")).unwrap(), file);
}

#[test]
fn the_schemas_of_what_is_printed_can_be_had() {
    let world = World::new();
    let written = world.spin(["maintenance", "generate-output-schemas", "-o", "."]).in_dir(world.home()).run();
    assert_eq!(written.success().stdout, "");
    let folder = spin_tests::repository().join("docs/schemas");
    // Those of messages and of reports are of other programs.
    let all = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name());
    let is_ours = |name: &str| ["cache-", "plugins-"].iter().any(|command| name.starts_with(command));
    let names: Vec<_> = all.filter(|name| is_ours(&name.to_string_lossy())).collect();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let read = |folder: &std::path::Path| std::fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(read(&world.home()), read(&folder), "{}", name.display());
    }
}

#[test]
fn what_maintenance_cannot_do() {
    let world = World::new();
    let runs = [
        world.spin(["maintenance"]).run(),
        world.spin(["maintenance", "generate-reference", "-o", "x"]).run(),
        world.spin(["maintenance", "generate-completions"]).run(),
        world.spin(["maintenance", "generate"]).run(),
        world.spin(["maintenance", "generate-manifest-schema", "-o", "no/where.json"]).run(),
        world.spin(["maintenance", "generate-output-schemas", "-o", "no/where"]).run(),
    ];
    assert_eq!(runs.each_ref().map(|run| run.code), [2, 2, 2, 2, 1, 1].map(Some));
    assert_snapshot!(runs.map(|run| run.snapshot()).join("\n"));
}

#[test]
fn a_plugin_can_be_run_by_hand() {
    let world = World::new();
    world.install("trigger-http");
    for arguments in [&["trigger-http", "--help-args-only"][..], &["trigger", "http", "--help-args-only"]] {
        let help = world.spin(arguments).run().success();
        assert!(
            help.stdout.contains("HTTP Trigger Options") && help.stdout.contains("--listen"),
            "{}",
            help.snapshot()
        );
    }
    let metadata = world.spin(["trigger-http", "--launch-metadata-only"]).run().success();
    let metadata: serde_json::Value = serde_json::from_str(&metadata.stderr).unwrap();
    let flags = metadata["all_flags"].as_array().unwrap();
    assert!(flags.iter().any(|flag| flag["short"] == "-q" && flag["long"] == "--quiet"), "{metadata}");
    assert!(flags.iter().any(|flag| flag["long"] == "--listen" && flag["takes_value"] == true), "{metadata}");
}

#[test]
fn the_private_folder_is_private() {
    let (world, app, _) = world();
    let script = world.write(
        "trigger-look",
        "#!/bin/sh\nstat -c '%a %n' \"$SPIN_WORKING_DIR\" \"$SPIN_WORKING_DIR/..\" \"${SPIN_LOCKED_URL#file://}\"\n",
    );
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let plugin = format!("trigger-echo={}", script.display());
    let kept = world.path("kept");
    for arguments in
        [&["up", "--plugin-path", &plugin][..], &["up", "--plugin-path", &plugin, "--temp", kept.to_str().unwrap()]]
    {
        let up = world.spin(arguments).in_dir(app.dir()).run().success();
        let modes: Vec<&str> = up.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(modes, ["700", "700", "600"], "{}", up.snapshot());
    }
    assert!(kept.join("spin.lock").exists(), "a folder that was named is kept");
}

/// Texts that are no names, and would be somewhere else as part of a path.
const HOSTILE: [&str; 9] = ["..", "../x", "../../bin/sh", "/abs", "a/b", "a\\\\b", "", "x.", "\\u0000x"];

#[test]
fn names_in_a_manifest_never_become_paths() {
    let long = "x".repeat(300);
    for name in HOSTILE.into_iter().chain([long.as_str()]) {
        for manifest in [
            format!(
                "spin_manifest_version = 2\napplication.name = \"app\"\ntrigger = {{}}\n[component.\"{name}\"]\nsource = \"a.wasm\"\n"
            ),
            format!("spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.\"{name}\"]]\nroute = \"/\"\n"),
            format!(
                "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.http]]\ncomponent = \"{name}\"\n"
            ),
        ] {
            let world = World::new();
            let app = world.app("app", &manifest, &[]);
            let refused = world.spin(["up", "--yes"]).in_dir(app.dir()).run();
            assert_eq!(refused.code, Some(1), "{manifest}\n{}", refused.snapshot());
            assert!(refused.stderr.contains("spin.toml:"), "{manifest}\n{}", refused.snapshot());
        }
    }
}

#[test]
fn names_in_a_lock_never_become_paths() {
    for name in HOSTILE {
        let world = World::new();
        let lock = format!(
            r#"{{"spin_lock_version":0,"metadata":{{"name":"app"}},"triggers":[{{"id":"t","trigger_type":"http",
            "trigger_config":{{"component":"{name}","route":"/"}}}}],"components":[{{"id":"{name}","source":
            {{"content_type":"application/wasm","source":"file:///nowhere.wasm"}}}}]}}"#
        );
        let path = world.write("lock.json", lock);
        let trigger = world
            .program("trigger-http")
            .args(["--listen", "127.0.0.1:0", "--log-dir", world.path("a/b/logs").to_str().unwrap()])
            .env("SPIN_LOCKED_URL", format!("file://{}", path.display()))
            .env("SPIN_WORKING_DIR", world.path(""))
            .run();
        assert_eq!(trigger.code, Some(1), "{name}\n{}", trigger.snapshot());
        assert!(!world.path("a").exists(), "{name}: nothing was made");
    }
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
