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
    let served = serve(&manifest(&["\"/headers/:userid/...\"", "\"/headers/star/*\"", "\"/headers/one/:näme\""]), &[]);
    for (path, route, component_route, path_info) in [
        ("/headers/42", "/headers/:userid/...", "/headers/:userid", ""),
        ("/headers/42/", "/headers/:userid/...", "/headers/:userid", "/"),
        ("/headers/42/headers", "/headers/:userid/...", "/headers/:userid", "/headers"),
        ("/headers/42/headers/", "/headers/:userid/...", "/headers/:userid", "/headers/"),
        ("/headers/42/a//headers", "/headers/:userid/...", "/headers/:userid", "/a//headers"),
        ("/headers/star/headers", "/headers/star/*", "/headers/star/*", "/headers"),
        ("/headers/one/headers", "/headers/one/:näme", "/headers/one/:näme", ""),
    ] {
        let response = http::get(served.address, path);
        for (name, value) in [
            ("spin-matched-route", route),
            ("spin-raw-component-route", route),
            ("spin-component-route", component_route),
            ("spin-path-info", path_info),
        ] {
            assert_eq!(header(&response, name).as_deref(), Some(value), "{path}: {name}");
        }
        let captured = header(&response, "spin-path-match-userid");
        assert_eq!(captured.as_deref(), route.contains(":userid").then_some("42"), "{path}");
        // A capture whose name no header can have is told to nobody, but to the author.
        assert!(!response.text().contains("me: headers"), "{path}: {}", response.text());
    }
    served.up.stderr().wait_for("gives no spin-path-match header");
}

#[test]
fn of_routes_that_match_alike_one_serves_and_it_is_said_which() {
    // Each answers with its number.
    let routes = [
        "/a",
        "/a/",
        "/b/:x",
        "/b/:y",
        "/users/...",
        "/users",
        "/c/:x/...",
        "/c/:x",
        "/d/:x",
        "/d/:x.json",
        "/.well-known/spin/x",
        "e/*",
        "/e/...",
        "/f/.../g",
    ];
    let entries = routes.iter().enumerate().map(|(number, route)| {
        format!("[[trigger.http]]\nroute = \"{route}\"\nstatic_response = {{ body = \"{number}\" }}\n")
    });
    let served = serve(&entries.collect::<String>(), &[]);
    for (path, status, number) in [
        ("/a", 200, "0"),
        ("/a/", 200, "0"),
        ("/b/1", 200, "2"),
        ("/b/", 404, ""),
        ("/b//", 404, ""),
        ("/users", 200, "5"),
        ("/users/", 200, "5"),
        ("/users/1", 200, "4"),
        ("/usersx", 404, ""),
        ("/c/1", 200, "7"),
        ("/c/1/2", 200, "6"),
        ("/c//2", 404, ""),
        ("/d/1.json", 200, "9"),
        ("/d/1", 200, "8"),
        ("/.well-known/spin/x", 404, ""),
        ("/e", 200, "11"),
        // Only at the end it is a wildcard.
        ("/f/x/g", 404, ""),
        ("/f/.../g", 200, "13"),
    ] {
        let response = http::get(served.address, path);
        assert_eq!((response.status, response.text().as_str()), (status, number), "{path}");
    }
    let told = served.up.stop().stderr;
    for notice in [
        "http-trigger2: /a will never be reached, /a of http-trigger1",
        "/b/:y will never be reached",
        "/e/... will never be reached",
        "/.well-known/spin/x will never be reached",
        "/f/.../g matches the text `...` as it is",
    ] {
        assert!(told.contains(notice), "{notice}: {told}");
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
[[trigger.http]]
route = "/silent"
static_response = {}
"#;
    let served = serve(manifest, &[]);
    let response = http::get(served.address, "/teapot");
    assert_eq!((response.status, response.text().as_str()), (418, "short and stout"));
    assert_eq!(response.header("x-kind"), Some("static"));
    let response = http::get(served.address, "/silent");
    assert_eq!((response.status, response.text().as_str()), (200, ""));
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
fn what_is_known_of_the_app_is_told_and_nothing_else() {
    for (metadata, info) in [
        (serde_json::json!({"name": "app"}), serde_json::json!({"name": "app"})),
        (
            serde_json::json!({"name": "app", "version": "2", "oci_image_digest": "sha256:1", "origin": "file:///x"}),
            serde_json::json!({"name": "app", "version": "2", "oci_image_digest": "sha256:1"}),
        ),
    ] {
        let world = World::new();
        let lock = serde_json::json!({
            "spin_lock_version": 0,
            "metadata": metadata,
            "triggers": [{"id": "t", "trigger_type": "http", "trigger_config": {"route": "/", "static_response": {}}}],
            "components": [],
        });
        let lock = world.write("lock.json", lock.to_string());
        let trigger = world
            .program("trigger-http")
            .args(["--listen", "127.0.0.1:0"])
            .env("SPIN_LOCKED_URL", format!("file://{}", lock.display()))
            .env("SPIN_WORKING_DIR", world.path(""))
            .start();
        let told = http::get(trigger.serving(), "/.well-known/spin/info");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&told.body).unwrap(), info);
    }
}

#[test]
fn who_tries_an_app_in_a_terminal_is_told_once_why_there_is_nothing() {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", &spin_tests::probes::manifest(&manifest(&["\"/only\""])), &["probe-p3"]);
    let port = spin_tests::free_port();
    let up = world.spin(["up", "--listen", &format!("127.0.0.1:{port}")]).in_dir(app.dir()).start_on_terminal();
    up.output().wait_for("/only");
    for path in ["/first", "/second"] {
        assert_eq!(http::get(([127, 0, 0, 1], port).into(), path).status, 404);
    }
    let advice = up.output().wait_for("no route for");
    assert!(advice.contains("/first") && advice.contains("\"/...\""), "{advice}");
    assert_eq!(up.output().text().matches("no route for").count(), 1, "{}", up.output().text());
}

#[test]
fn routes_that_can_not_be_are_refused_at_start() {
    for (route, reason) in [
        ("\"/:\"", "route `/:`"),
        ("\"/*name\"", "route `/*name`"),
        ("\"/a/:b:c\"", "route `/a/:b:c`"),
        ("\"/f/*/g\"", "route `/f/*/g`"),
        ("\"/a*/:b*\"", "route `/a*/:b*`"),
        ("{ private = false }", "private = false"),
        ("{ private = true, more = 1 }", "more"),
        ("17", "route"),
    ] {
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

    let served = serve(manifest, &["--format=json"]);
    let listing: serde_json::Value = serde_json::from_str(&served.up.stdout().text()).unwrap();
    let base = format!("http://{}", served.address);
    let routes = serde_json::json!([
        {"id": "fixed", "route": "/a/c", "wildcard": false},
        {"id": "probe", "route": "/a/:b", "wildcard": false, "description": "answers everything"},
        {"id": "probe", "route": "/", "wildcard": true, "description": "answers everything"},
    ]);
    assert_eq!(listing, serde_json::json!({"base_url": base, "routes": routes}));
}

#[test]
fn entries_without_a_name_get_one() {
    let manifest = r#"
[[trigger.http]]
route = "/a"
static_response = { body = "" }
[[trigger.http]]
route = "/b"
static_response = { body = "" }
[[trigger.http]]
route = "/c"
component = { source = "probe-p3.wasm" }
[[trigger.http]]
id = "named"
route = "/d"
component = { source = "probe-p3.wasm" }
"#;
    let served = serve(manifest, &[]);
    served.up.stdout().wait_for("named-component: ");
    let listing = served.up.stdout().text();
    let names: Vec<&str> = listing.lines().skip(3).filter_map(|line| line.trim().split(':').next()).collect();
    assert_eq!(names, ["http-trigger1", "http-trigger2", "http-trigger3-component", "named-component"], "{listing}");
}

#[test]
fn a_name_that_is_not_given_comes_from_the_component_or_is_a_number() {
    let manifest = r#"
[[trigger.http]]
route = "/a"
component = "probe"
[[trigger.http]]
route = "/b"
static_response = {}
[[trigger.http]]
route = "/c"
component = "probe"
[[trigger.http]]
id = "own"
route = "/d"
component = "probe"
[component.probe]
source = "probe-p3.wasm"
"#;
    let world = World::new();
    let folder = world.path("work");
    let served = super::serve_in(world, manifest, &["--temp", folder.to_str().unwrap()]);
    let lock: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("spin.lock")).unwrap()).unwrap();
    let ids: Vec<&str> =
        lock["triggers"].as_array().unwrap().iter().map(|trigger| trigger["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["probe-http-trigger", "http-trigger1", "http-trigger2", "own"]);
    served.up.stop().success();
}
