//! `spin build`, and `build --up`.

use super::super::{Echo, arguments, lock};

const MANIFEST: &str = r#"spin_manifest_version = 2
application.name = "app"
[[trigger.echo]]
component = "a"
[component.a]
source = "a.wasm"
build.command = "echo a >> ../built; touch ../a.wasm"
build.workdir = "src"
[component.a.profile.debug]
build.command = "echo debug >> ../built; touch ../a.wasm"
"#;

fn built(app: &spin_tests::App) -> String {
    std::fs::read_to_string(app.dir().join("built")).unwrap_or_default()
}

#[test]
fn options_behind_up_go_to_up_and_to_the_trigger() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["src/x"]);
    let line = ["build", "--up", "--plugin-path", &echo.plugin, "--own", "value", "-e", "A=b", "--", "-x", "y"];
    let up = echo.world.spin(line).in_dir(app.dir()).run().success();
    assert_eq!(arguments(&up), ["--own", "value", "-x", "y"]);
    assert_eq!(lock(&up)["components"][0]["env"]["A"], "b");
    assert_eq!(built(&app), "a\n", "once");
}

#[test]
fn what_is_run_is_what_was_built() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["src/x"]);
    let dir = app.dir().to_str().unwrap();
    let up = ["build", "-f", dir, "--up", "--profile", "debug", "--plugin-path", &echo.plugin];
    let ran = echo.world.spin(up).run().success();
    assert_eq!(lock(&ran)["metadata"]["profile"], "debug");
    assert_eq!(built(&app), "debug\n");
    for other in [["-f", "."], ["--from-file", "x"], ["--profile", "debug"]] {
        let refused = echo.world.spin(up).args(["--"]).args(other).run();
        assert_eq!(refused.code, Some(2), "{other:?}: {}", refused.snapshot());
        assert!(refused.stderr.contains("usage::build"), "{other:?}: {}", refused.snapshot());
    }
}

#[test]
fn flags_that_have_no_effect_are_taken() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["src/x"]);
    for flag in [
        "--skip-target-checks",
        "--skip-target-check",
        "--skip-generate-wits",
        "--skip-generate-wit",
        "-ca",
        "--profile=debug",
    ] {
        echo.world.spin(["build", flag]).in_dir(app.dir()).run().success();
    }
    let stray = echo.world.spin(["build", "--own"]).in_dir(app.dir()).run();
    assert_eq!(stray.code, Some(2), "{}", stray.snapshot());
}

#[test]
fn the_manifest_is_looked_for_upwards() {
    let echo = Echo::new();
    let app = echo.app(MANIFEST, &["src/deep/er/x"]);
    let build = echo.world.spin(["build"]).in_dir(app.dir().join("src/deep/er")).run().success();
    assert!(build.stderr.contains("from great-grandparent directory"), "{}", build.snapshot());
    assert_eq!(built(&app), "a\n");
}

#[test]
fn circles_of_dependencies_are_built_in_the_order_of_the_manifest() {
    let echo = Echo::new();
    let component = |id: &str, other: &str| {
        format!(
            "[component.{id}]\nsource = \"{id}.wasm\"\nbuild.command = \"echo {id} >> built\"\n\
             dependencies = {{ \"x:y\" = {{ path = \"{other}.wasm\" }} }}\n"
        )
    };
    let head = "spin_manifest_version = 2\napplication.name = \"app\"\n[trigger]\n";
    let app = echo.app(&format!("{head}{}{}", component("b", "a"), component("a", "b")), &[]);
    echo.world.spin(["build"]).in_dir(app.dir()).run().success();
    assert_eq!(built(&app), "b\na\n");
}

#[test]
fn nothing_is_built_outside_of_the_folder_of_the_manifest() {
    let echo = Echo::new();
    let outside = echo.world.path("tmp");
    let app = echo.app(&MANIFEST.replace("\"src\"", &format!("{outside:?}")), &["src/x"]);
    let refused = echo.world.spin(["build"]).in_dir(app.dir()).run();
    assert!(refused.stderr.contains("spin.toml:8:"), "{}", refused.snapshot());
    assert_eq!(built(&app), "");
    assert!(!outside.join("../built").exists() && !outside.join("../a.wasm").exists());
}
