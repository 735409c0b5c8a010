//! The flags of `spin up`, each as a user writes it.

use super::super::{Echo, arguments, lock};

const MANIFEST: &str = r#"spin_manifest_version = 2
application = { name = "app" }
[[trigger.echo]]
component = "one"
[[trigger.echo]]
component = "two"
[component.one]
source = "one.wasm"
environment = { A = "manifest" }
build.command = "echo one >> built"
[component.one.profile.debug]
source = "one-debug.wasm"
environment = { B = "debug" }
build.command = "echo debug > one-debug.wasm"
[component.two]
source = "two.wasm"
build.command = "echo two >> built"
"#;
const FILES: &[&str] = &["one.wasm", "one-debug.wasm", "two.wasm"];

#[test]
fn help_is_printed_for_both_spellings() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    for flag in ["-h", "--help"] {
        let help = echo.up(&[flag]).in_dir(app.dir()).run().success();
        assert!(help.stdout.contains("--component-id") && help.stdout.contains("Echo Trigger Options:"), "{flag}");
    }
    // Without an app there is still help.
    let help = echo.world.spin(["up", "--help"]).run().success();
    assert!(help.stdout.contains("--component-id"), "{}", help.snapshot());
}

#[test]
fn the_source_is_named_once_and_in_one_way() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let (folder, file) = (app.dir().to_str().unwrap(), app.manifest().to_str().unwrap());
    for source in [["--from-file", file], ["--file", folder], ["--from", file], ["-f", folder]] {
        assert_eq!(echo.lock(&echo.world.home(), &source)["metadata"]["name"], "app", "{source:?}");
    }
    assert_eq!(echo.lock(&echo.world.home(), &[&format!("-f{file}")])["metadata"]["name"], "app");
    for two in [["-f", file, "--from-file", file], ["--file", file, "--from", file]] {
        let refused = echo.up(&two).run();
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    }
    let missing = echo.up(&["-f", "nowhere"]).run();
    assert_eq!(missing.code, Some(1), "{}", missing.snapshot());
    for registry in
        [&["--from-registry", "ghcr.io/a/b:1"][..], &["--from-registry=ghcr.io/a/b:1"], &["-k"], &["--insecure"]]
    {
        let later = echo.up(registry).in_dir(app.dir()).run();
        assert_eq!(later.code, Some(2), "{}", later.snapshot());
        assert!(later.stderr.contains("not in this version"), "{}", later.snapshot());
    }
}

#[test]
fn a_profile_changes_what_is_run() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let usual = echo.lock(app.dir(), &[]);
    assert!(usual["components"][0]["source"]["source"].as_str().unwrap().ends_with("/one.wasm"), "{usual}");
    for flags in [&["--profile", "debug"][..], &["--profile=debug"]] {
        let debug = echo.lock(app.dir(), flags);
        assert_eq!(debug["metadata"]["profile"], "debug");
        assert!(debug["components"][0]["source"]["source"].as_str().unwrap().ends_with("/one-debug.wasm"), "{debug}");
        assert_eq!(debug["components"][0]["env"], serde_json::json!({"A": "manifest", "B": "debug"}));
    }
    let unknown = echo.up(&["--profile", "debgu"]).in_dir(app.dir()).run();
    assert_eq!(unknown.code, Some(1), "{}", unknown.snapshot());
    assert!(unknown.stderr.contains("did you mean `debug`?"), "{}", unknown.snapshot());
}

#[test]
fn environment_variables_go_to_every_component() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let lock = echo.lock(app.dir(), &["-eA=flag", "-e", "C=x=y", "--env", "D=", "--env=E=5"]);
    let flags = serde_json::json!({"A": "flag", "C": "x=y", "D": "", "E": "5"});
    assert_eq!(lock["components"][0]["env"], flags);
    assert_eq!(lock["components"][1]["env"], flags);
    for bad in [&["-e", "A"][..], &["-eA"], &["--env=A"], &["--env"]] {
        let refused = echo.up(bad).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    }
}

#[test]
fn a_working_directory_that_is_named_is_made_and_kept() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let (new, old) = (echo.world.path("a/new"), echo.world.path("old"));
    std::fs::create_dir(&old).unwrap();
    for (flag, folder) in [("--temp", &new), ("--tmp", &old)] {
        let printed = echo.lock(app.dir(), &[flag, folder.to_str().unwrap()]);
        let kept: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("spin.lock")).unwrap()).unwrap();
        assert_eq!(printed, kept);
    }
    // Relative to where the user is.
    echo.lock(app.dir(), &["--temp=here"]);
    assert!(app.dir().join("here/spin.lock").exists());
    echo.lock(app.dir(), &[]);
    let left: Vec<_> = std::fs::read_dir(echo.world.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "a folder that nobody named is gone: {left:?}");
}

#[test]
fn an_app_is_built_first_on_demand() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let built = app.dir().join("built");
    echo.lock(app.dir(), &[]);
    assert!(!built.exists());
    let up = echo.up(&["--build"]).in_dir(app.dir()).run().success();
    lock(&up);
    assert_eq!(std::fs::read_to_string(&built).unwrap(), "one\ntwo\n");
    for (value, runs) in [("true", 2), ("1", 3), ("false", 3), ("0", 3)] {
        echo.up(&[]).env("SPIN_ALWAYS_BUILD", value).in_dir(app.dir()).run().success();
        let text = std::fs::read_to_string(&built).unwrap();
        assert_eq!(text, "one\ntwo\n".repeat(runs), "SPIN_ALWAYS_BUILD={value}");
    }
    // The command of the profile, and a failing command ends it all.
    std::fs::remove_file(app.dir().join("one-debug.wasm")).unwrap();
    echo.lock(app.dir(), &["--profile", "debug", "--build"]);
    let failing = echo.app(&MANIFEST.replace("echo two >> built", "exit 9"), FILES);
    let failed = echo.up(&["--build"]).in_dir(failing.dir()).run();
    assert_eq!(failed.code, Some(1), "{}", failed.snapshot());
    assert!(failed.stderr.contains("component `two` failed with exit code 9"), "{}", failed.snapshot());
    assert!(!failed.stdout.contains("lock:"), "nothing was started: {}", failed.snapshot());
}

#[test]
fn an_app_that_was_built_with_another_profile_is_noticed() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    echo.world.spin(["build", "--profile", "debug"]).in_dir(app.dir()).run().success();
    let up = echo.up(&[]).in_dir(app.dir()).run().success();
    assert!(up.stderr.contains("the last build was with the profile `debug`"), "{}", up.snapshot());
    let same = echo.up(&["--profile", "debug"]).in_dir(app.dir()).run().success();
    assert!(!same.stderr.contains("the last build"), "{}", same.snapshot());
}

#[test]
fn components_are_selected() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["two.wasm"]);
    for flags in [&["-c", "two"][..], &["-ctwo"], &["--component-id", "two"], &["--component-id=two"]] {
        // The code of the other is not there, and need not be.
        let lock = echo.lock(app.dir(), flags);
        assert_eq!(lock["components"].as_array().unwrap().len(), 1, "{flags:?}");
        assert_eq!(lock["components"][0]["id"], "two");
        assert_eq!(lock["triggers"].as_array().unwrap().len(), 1);
    }
    echo.world.write("apps/app/one.wasm", "");
    let both = echo.lock(app.dir(), &["-c", "two", "-c", "one"]);
    assert_eq!(both["components"].as_array().unwrap().len(), 2);
    let unknown = echo.up(&["-c", "three"]).in_dir(app.dir()).run();
    assert_eq!(unknown.code, Some(1), "{}", unknown.snapshot());
    assert!(unknown.stderr.contains("`three`"), "{}", unknown.snapshot());
}

#[test]
fn what_spin_does_not_know_goes_to_the_trigger_as_it_is() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let line =
        ["-L/path", "--listen=127.0.0.1:0", "-x", "--own", "value", "-eA=b", "--quiet", "--", "-e", "-c", "--", "x"];
    let up = echo.up(&line).in_dir(app.dir()).run().success();
    let expected = ["-L/path", "--listen=127.0.0.1:0", "-x", "--own", "value", "--quiet", "-e", "-c", "--", "x"];
    assert_eq!(arguments(&up), expected);
    assert_eq!(lock(&up)["components"][1]["env"]["A"], "b");
}

#[test]
fn an_app_without_triggers_is_refused() {
    let echo = Echo::new();
    let app = echo.app("spin_manifest_version = 2\napplication.name = \"app\"\n[trigger]\n", &[]);
    let refused = echo.up(&[]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("has no triggers"), "{}", refused.snapshot());
}

#[test]
fn only_who_runs_an_app_is_told_of_a_variable_that_is_neither_yes_nor_no() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, FILES);
    let refused = echo.up(&[]).env("SPIN_ALWAYS_BUILD", "perhaps").in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    assert!(refused.stderr.contains("environment::yes-or-no"), "{}", refused.snapshot());
    for others in [&["version"][..], &["check"], &["build"]] {
        echo.world.spin(others).env("SPIN_ALWAYS_BUILD", "perhaps").in_dir(app.dir()).run().success();
    }
}

#[test]
fn a_bare_component_has_nothing_to_build() {
    let world = spin_tests::World::new();
    world.install("trigger-http");
    let app = world.app("app", "not a manifest", &["probe-p3"]);
    let line = ["up", "--build", "-f", "probe-p3.wasm", "--listen", "127.0.0.1:0"];
    let up = world.spin(line).env("SPIN_ALWAYS_BUILD", "true").in_dir(app.dir()).start();
    assert_eq!(spin_tests::http::get(up.serving(), "/").status, 200);
    up.stop().success();
}

#[test]
fn for_a_manifest_that_is_refused_nothing_is_written() {
    let echo = Echo::new();
    let app = echo.app(&MANIFEST.replace("source = \"one.wasm\"", "sorce = \"one.wasm\""), FILES);
    let before = tree(echo.world.path("").as_path());
    for flags in [&[][..], &["--build"], &["--temp", "work"], &["--cache-dir", "cache"], &["-c", "three"]] {
        let refused = echo.up(flags).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{flags:?}: {}", refused.snapshot());
        assert_eq!(tree(echo.world.path("").as_path()), before, "{flags:?}");
    }
}

/// Every path below a folder.
fn tree(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            found.push(entry.path());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn components_that_reach_each_other_are_selected_together() {
    let echo = Echo::new();
    let reaching = |host: &str| {
        MANIFEST
            .replace("source = \"one.wasm\"", &format!("source = \"one.wasm\"\nallowed_outbound_hosts = [\"{host}\"]"))
    };
    let app = echo.app(&reaching("http://two.spin.internal"), FILES);
    let refused = echo.up(&["-c", "one"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("component `one` connects to component `two`"), "{}", refused.snapshot());
    let lock = echo.lock(app.dir(), &["-c", "one", "-c", "two"]);
    assert_eq!(lock["components"][0]["metadata"]["allowed_outbound_hosts"][0], "http://two.spin.internal");
    echo.lock(app.dir(), &["-c", "two"]);
    echo.app(&reaching("https://example.com"), FILES);
    echo.lock(app.dir(), &["-c", "one"]);
}

#[test]
fn help_has_the_options_of_every_trigger_that_tells_them() {
    let echo = Echo::new();
    let other = echo.world.write("trigger-other", "#!/bin/sh\necho 'Other Trigger Options:'\nexit ${OTHER:-0}\n");
    std::fs::set_permissions(&other, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let app = echo.app(&MANIFEST.replacen("[[trigger.echo]]", "[[trigger.other]]", 1), FILES);
    let plugin = format!("trigger-other={}", other.display());
    let help = echo.up(&["--plugin-path", &plugin, "--help"]).in_dir(app.dir());
    let both = help.clone().run().success();
    for part in ["--component-id", "Echo Trigger Options:", "Other Trigger Options:"] {
        assert!(both.stdout.contains(part), "{part}: {}", both.snapshot());
    }
    let one = help.env("OTHER", "3").run().success();
    assert!(one.stdout.contains("Echo Trigger Options:"), "{}", one.snapshot());
    assert!(one.stderr.contains("trigger-other did not tell its options"), "{}", one.snapshot());
}
