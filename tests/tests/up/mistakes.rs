//! What is wrong with an app is told before anything is started, all of it, and by `spin check` as by `spin up`.

use super::super::Echo;

/// One mistake of every kind that is found before a start: in the text, between its parts, on the disk.
const BROKEN: &str = r#"spin_manifest_version = 2
application = { name = "app", verison = "1" }
variables = { greeting = { default = "hi" } }
[[trigger.echo]]
component = "oen"
[[trigger.echo]]
id = "twice"
component = "one"
[[trigger.echo]]
id = "twice"
component = "one"
[component.one]
source = "missing.wasm"
files = ["gone.txt", "../outside", { source = "nothing", destination = "/x" }]
variables = { text = "{{ greting }}" }
allowed_outbound_hosts = ["example.com"]
build.command = "touch built"
[component.two]
sorce = "two.wasm"
[component.three]
source = { url = "https://example.com/x.wasm", digest = "md5:0" }
"#;

#[test]
fn check_and_up_tell_the_same_and_nothing_is_started() {
    let echo = Echo::new();
    let app = echo.app(BROKEN, &[]);
    let check = echo.world.spin(["check"]).in_dir(app.dir()).run();
    assert_eq!(check.code, Some(1), "{}", check.snapshot());
    for flags in [&[][..], &["--build"], &["-c", "one"], &["--direct-mounts"]] {
        let up = echo.up(flags).in_dir(app.dir()).run();
        assert_eq!((up.code, up.stdout.as_str()), (Some(1), ""), "{flags:?}: {}", up.snapshot());
        if flags != ["--direct-mounts"] {
            assert_eq!(up.stderr, check.stderr, "{flags:?}");
        }
    }
    assert!(!app.dir().join("built").exists(), "no build command was started");
    insta::assert_snapshot!(check.snapshot());
}

#[test]
fn a_broken_manifest_can_be_built_and_says_what_is_wrong() {
    let echo = Echo::new();
    let app = echo.app(BROKEN, &[]);
    let build = echo.world.spin(["build"]).in_dir(app.dir()).run().success();
    assert!(app.dir().join("built").exists(), "{}", build.snapshot());
    assert!(build.stderr.contains("spin.toml:2:31: "), "{}", build.snapshot());
    // And what is run after it is refused.
    let up = echo.world.spin(["build", "--up", "--plugin-path", &echo.plugin]).in_dir(app.dir()).run();
    assert_eq!(up.code, Some(1), "{}", up.snapshot());
}

#[test]
fn nothing_is_built_that_is_not_what_the_manifest_says() {
    let echo = Echo::new();
    for (line, flags) in [
        ("build.workdir = \"/tmp\"", &[][..]),
        ("build.comand = \"true\"", &[]),
        ("profile.debug.build.command = 1", &[]),
        // The profile is misspelled, and something else is wrong.
        ("nonsense = 1", &["--profile", "debgu"]),
    ] {
        let manifest =
            BROKEN.replace("build.command = \"touch built\"", &format!("build.command = \"touch built\"\n{line}"));
        let app = echo.app(&manifest, &[]);
        let build = echo.world.spin(["build"]).args(flags).in_dir(app.dir()).run();
        assert_eq!(build.code, Some(1), "{line}: {}", build.snapshot());
        assert!(build.stderr.contains("spin.toml:2:31: "), "all that is wrong is told: {}", build.snapshot());
        assert!(!app.dir().join("built").exists(), "{line}: {}", build.snapshot());
    }
}

#[test]
fn nothing_is_built_for_an_app_that_cannot_run_afterwards() {
    let echo = Echo::new();
    let manifest = "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.echo]]\ncomponent = \"a\"\n\
        [component.a]\nsource = \"a.wasm\"\nbuild.command = \"touch built\"\n[component.idle]\nsource = \"a.wasm\"\n";
    let app = echo.app(manifest, &[]);
    for flags in [["--build", "-c", "b"], ["--build", "-c", "idle"]] {
        let up = echo.up(&flags).in_dir(app.dir()).run();
        assert_eq!(up.code, Some(1), "{}", up.snapshot());
        assert!(!app.dir().join("built").exists(), "{flags:?}: {}", up.snapshot());
    }
    let up = echo.up(&["--build"]).in_dir(app.dir()).run();
    assert!(
        app.dir().join("built").exists() && up.stderr.contains("a.wasm"),
        "what a build may make: {}",
        up.snapshot()
    );
}

#[test]
fn what_cannot_be_read_at_all_is_told_with_its_place() {
    let echo = Echo::new();
    for (manifest, place) in [
        ("spin_manifest_version = 2\napplication = \n", "spin.toml:2:"),
        ("spin_manifest_version = 3\n", "spin.toml:1:25: "),
        ("application.name = \"x\"\n", "spin.toml:1:1: "),
        ("", "spin.toml:1:1: "),
    ] {
        let app = echo.app(manifest, &[]);
        for command in ["check", "up", "build"] {
            let refused = echo.world.spin([command]).in_dir(app.dir()).run();
            assert_eq!(refused.code, Some(1), "{command} {manifest:?}: {}", refused.snapshot());
            assert!(refused.stderr.contains(place), "{command} {manifest:?}: {}", refused.snapshot());
        }
    }
}

#[test]
fn huge_and_deep_manifests_are_refused_in_time() {
    let echo = Echo::new();
    // Bounded by the harness's patience: these must not take minutes, nor the stack.
    for manifest in [
        format!("a = {}", "[".repeat(100_000)),
        format!("spin_manifest_version = 2\napplication.name = \"{}\"\n", "x".repeat(10 << 20)),
        format!("spin_manifest_version = 2\n{}", "[[trigger.echo]]\ncomponent = \"a\"\n".repeat(100_000)),
    ] {
        let app = echo.app(&manifest, &[]);
        let refused = echo.world.spin(["check"]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{}", &refused.snapshot()[..500]);
        assert!(refused.stderr.contains("spin.toml:"), "{}", &refused.snapshot()[..500]);
        assert!(refused.stderr.len() < 1 << 20, "the answer is shorter than the question");
    }
}
