//! Which component serves a path: every rule of the route patterns, against the real executable.

use spin_tests::{World, http};

use super::serve;

/// An app whose component says which route served it.
fn manifest(routes: &[&str]) -> String {
    let mut manifest = String::from("[component.probe]\nsource = \"probe-p3.wasm\"\n");
    for route in routes {
        manifest += &format!("[[trigger.http]]\nroute = {route}\ncomponent = \"probe\"\n");
    }
    manifest
}

/// The value of a header that the component got, asked with `/headers` as the last part where the route lets it.
fn header(response: &http::Response, name: &str) -> Option<String> {
    let prefix = format!("{name}: ");
    response.text().lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
}

#[test]
fn every_rule_of_the_table() {
    // Routes end in `headers`, or in a wildcard that catches it, so that the probe answers with what it was told.
    let routes = [
        "\"/exact/headers\"",
        "\"no-slash/headers\"",
        "\"/slash/headers/\"",
        "\"/users/42/headers\"",
        "\"/users/:id/headers\"",
        "\"/users/...\"",
        "\"/star/*\"",
        "\"/files/:name.json/headers\"",
        "\"/two/:first/:second/headers\"",
        "\"/mixed/:first/...\"",
        "\"/...\"",
    ];
    let served = serve(&manifest(&routes), &[]);
    // (request, the route that serves it, what the wildcard caught)
    let table = [
        ("/exact/headers", "/exact/headers", ""),
        ("/exact/headers/", "/exact/headers", ""),
        ("/exact/headers?query=1", "/exact/headers", ""),
        ("/no-slash/headers", "/no-slash/headers", ""),
        ("/slash/headers", "/slash/headers", ""),
        // An exact segment before a capture, a capture before a wildcard, a wildcard before a shorter one.
        ("/users/42/headers", "/users/42/headers", ""),
        ("/users/43/headers", "/users/:id/headers", ""),
        ("/users/43/deep/headers", "/users/...", "/43/deep/headers"),
        ("/other/headers", "/...", "/other/headers"),
        ("/star/a/headers", "/star/*", "/a/headers"),
        ("/files/data.json/headers", "/files/:name.json/headers", ""),
        ("/files/data.xml/headers", "/...", "/files/data.xml/headers"),
        ("/two/a/b/headers", "/two/:first/:second/headers", ""),
        ("/two/a/headers", "/...", "/two/a/headers"),
        ("/mixed/a/b/headers", "/mixed/:first/...", "/b/headers"),
        // Neither decoded nor folded; empty segments count.
        ("/EXACT/headers", "/...", "/EXACT/headers"),
        ("/%65xact/headers", "/...", "/%65xact/headers"),
        ("/exact//headers", "/...", "/exact//headers"),
    ];
    for (path, route, path_info) in table {
        let response = http::get(served.address, path);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(header(&response, "spin-matched-route").as_deref(), Some(route), "{path}");
        assert_eq!(header(&response, "spin-path-info").as_deref(), Some(path_info), "{path}");
    }
}

#[test]
fn what_the_wildcard_caught() {
    let served = serve(&manifest(&["\"/users/:userid/...\""]), &[]);
    for (path, path_info) in [("/users/42", ""), ("/users/42/", "/")] {
        // The probe can't be asked for headers here, but it echoes what it is told nothing about.
        let response = http::get(served.address, path);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "hello from a component\n"),
            "{path} {path_info}"
        );
    }
    for (path, path_info) in [("/users/42/headers", "/headers"), ("/users/42/x/headers", "/x/headers")] {
        let response = http::get(served.address, path);
        assert_eq!(header(&response, "spin-path-info").as_deref(), Some(path_info), "{path}");
        assert_eq!(header(&response, "spin-path-match-userid").as_deref(), Some("42"), "{path}");
    }
}

#[test]
fn no_route_is_404_with_an_empty_body() {
    let served = serve(&manifest(&["\"/only\""]), &[]);
    let response = http::get(served.address, "/other");
    assert_eq!((response.status, response.text().as_str()), (404, ""));
}

#[test]
fn of_two_equal_routes_the_later_serves_and_the_earlier_is_named() {
    let manifest = r#"
[[trigger.http]]
route = "/same"
component = "first"
[[trigger.http]]
route = "/same"
static_response = { status_code = 202 }
[component.first]
source = "probe-p3.wasm"
"#;
    let served = serve(manifest, &[]);
    assert_eq!(http::get(served.address, "/same").status, 202);
    served.up.stderr().wait_for("duplicate of");
}

#[test]
fn private_routes_are_not_reachable_from_outside() {
    let served = serve(&manifest(&["{ private = true }", "\"/public\""]), &[]);
    assert_eq!(http::get(served.address, "/private").status, 404);
    assert_eq!(http::get(served.address, "/public").status, 200);
}

#[test]
fn a_static_response_needs_no_component() {
    let manifest = r#"
[[trigger.http]]
route = "/teapot"
static_response = { status_code = 418, headers = { "x-kind" = "static" }, body = "short and stout" }
"#;
    let served = serve(manifest, &[]);
    let response = http::get(served.address, "/teapot");
    assert_eq!((response.status, response.text().as_str()), (418, "short and stout"));
    assert_eq!(response.header("x-kind"), Some("static"));
}

#[test]
fn reserved_paths_are_answered_for_any_method() {
    let served = serve(&manifest(&["\"/...\""]), &[]);
    for method in ["GET", "POST", "DELETE"] {
        let health = http::request(served.address, method, "/.well-known/spin/health", &[], b"");
        assert_eq!((health.status, health.text().as_str()), (200, "OK"), "{method}");
    }
    let info = http::get(served.address, "/.well-known/spin/info");
    assert_eq!(info.header("content-type"), Some("application/json"));
    let info: serde_json::Value = serde_json::from_slice(&info.body).unwrap();
    assert_eq!(info, serde_json::json!({"name": "app", "version": "1.2.3"}));
    assert_eq!(http::get(served.address, "/.well-known/spin/other").status, 404);
    // Only what lies below the prefix is reserved.
    assert_eq!(http::get(served.address, "/.well-known/other").status, 200);
}

#[test]
fn routes_that_can_not_be_are_refused_at_start() {
    for (route, reason) in
        [("\"/:\"", "route"), ("\"/*name\"", "route"), ("{ private = false }", "private"), ("17", "route")]
    {
        let world = World::new();
        world.install("trigger-http");
        let manifest = format!("spin_manifest_version = 2\napplication.name = \"app\"\n{}", manifest(&[route]));
        let app = world.app("app", &manifest, &["probe-p3"]);
        let refused = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(reason) && refused.stderr.contains("trigger-http"), "{}", refused.snapshot());
    }
}

#[test]
fn the_listing_names_every_route_in_its_rank() {
    let manifest = r#"
[[trigger.http]]
route = "/..."
component = "probe"
[[trigger.http]]
route = "/a/:b"
component = "probe"
[[trigger.http]]
id = "fixed"
route = "/a/c"
static_response = { body = "" }
[component.probe]
source = "probe-p3.wasm"
description = "answers everything"
"#;
    let served = serve(manifest, &[]);
    served.up.stdout().wait_for("probe: ");
    let base = format!("http://{}", served.address);
    served.up.stdout().wait_for("answers everything");
    let listing = served.up.stdout().text();
    let expected = format!(
        "\nServing {base}\nAvailable Routes:\n  fixed: {base}/a/c\n  probe: {base}/a/:b\n    answers everything\n  \
         probe: {base} (wildcard)\n    answers everything\n"
    );
    assert_eq!(listing, expected);
}
