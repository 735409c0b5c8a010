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
