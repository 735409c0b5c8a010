//! Environment and variables, as components see them.

use spin_tests::{World, http, probes};

use super::serve;

/// Both probes with the same lines, and what the lines are about.
fn manifest() -> String {
    let lines = r#"
environment = { KIND = "from the manifest" }
variables = { text = "{{ greeting }}, {{ token }}!", fixed = "as it is" }
"#;
    let variables = r#"
[variables]
greeting = { default = "hi" }
token = { required = true, secret = true }
"#;
    format!("{variables}{}", probes::both_with(lines, lines))
}

#[test]
fn components_see_their_own_variables() {
    let served = serve(&manifest(), &["--variable", "token=t0p"]);
    for generation in ["p2", "p3"] {
        let get = |name: &str| http::get(served.address, &format!("/{generation}/variable/{name}"));
        assert_eq!(get("text").text(), "hi, t0p!", "{generation}");
        assert_eq!(get("fixed").text(), "as it is", "{generation}");
        // The app's own are the component's only through its entry.
        for (name, error) in [("greeting", "error: undefined"), ("No-Name", "error: invalid-name")] {
            let missing = get(name);
            assert_eq!(missing.status, 404, "{generation}: {name}");
            assert!(missing.text().starts_with(error), "{generation}: {}", missing.text());
        }
    }
}

#[test]
fn the_environment_gives_values_and_the_command_line_wins() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, &manifest());
    let up = world
        .spin(["up", "--listen", "127.0.0.1:0", "--variable", "greeting=flag"])
        .env("SPIN_VARIABLE_TOKEN", "env")
        .env("SPIN_VARIABLE_GREETING", "env")
        .in_dir(app.dir())
        .start();
    assert_eq!(http::get(up.serving(), "/p3/variable/text").text(), "flag, env!");
}

#[test]
fn a_required_variable_without_a_value_is_named_before_anything_runs() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, &manifest());
    let refused = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("token") && refused.stderr.contains("--variable"), "{}", refused.snapshot());
}

#[test]
fn the_environment_is_the_manifests_and_the_flags() {
    let served = serve(&manifest(), &["--variable", "token=t", "-e", "KIND=flag", "--env=OTHER=a=b"]);
    for generation in ["p2", "p3"] {
        let get = |name: &str| http::get(served.address, &format!("/{generation}/env/{name}"));
        assert_eq!(get("KIND").text(), "flag", "{generation}");
        assert_eq!(get("OTHER").text(), "a=b", "{generation}");
        assert_eq!(get("HOME").status, 404, "{generation}: nothing is inherited");
    }
}
