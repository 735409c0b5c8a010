//! An app of the first days of the ecosystem: its lock of version 0 runs, and so does its manifest of version 1.

use spin_tests::{World, http};

/// As public Spin 0.8 wrote it, but for the path of the code.
const LOCK: &str = r#"{"spin_lock_version":0,
 "metadata":{"description":"a spin http handler in go for wasm","name":"spinhttpgo","origin":"file:///app/spin.toml","trigger":{"base":"/","type":"http"},"version":"0.1.0"},
 "triggers":[{"id":"trigger--spinhttpgo","trigger_type":"http","trigger_config":{"component":"spinhttpgo","executor":null,"route":"/hello"}}],
 "components":[{"id":"spinhttpgo","metadata":{"allowed_http_hosts":[]},"source":{"content_type":"application/wasm","source":"CODE"}}]}"#;

const MANIFEST: &str = r#"spin_version = "1"
name = "spinhttpgo"
version = "0.1.0"
description = "a spin http handler in go for wasm"
trigger = { type = "http", base = "/" }
[[component]]
id = "spinhttpgo"
source = "probe-p2.wasm"
[component.trigger]
route = "/hello"
[component.build]
command = "tinygo build"
"#;

#[test]
fn the_lock_of_version_0_runs() {
    let world = World::new();
    let code = format!("file://{}", spin_tests::guest("probe-p2").display());
    let lock = world.write("spin.lock", LOCK.replace("CODE", &code));
    let trigger = world
        .program("trigger-http")
        .args(["--listen", "127.0.0.1:0"])
        .env("SPIN_LOCKED_URL", format!("file://{}", lock.display()))
        .env("SPIN_WORKING_DIR", world.path(""))
        .start();
    let address = trigger.serving();
    assert_eq!(http::get(address, "/hello").status, 200);
    assert_eq!(http::get(address, "/other").status, 404);
    trigger.stop().success();
}

#[test]
fn the_manifest_of_version_1_runs_under_both_names_of_its_version() {
    for key in ["spin_version", "spin_manifest_version"] {
        let world = World::new();
        world.install("trigger-http");
        let app = world.app("app", &MANIFEST.replace("spin_version", key), &["probe-p2"]);
        let up = world.spin(["up", "--listen=127.0.0.1:0"]).in_dir(app.dir()).start();
        let address = up.serving();
        assert_eq!(http::get(address, "/hello").status, 200);
        assert_eq!(http::get(address, "/other").status, 404);
        up.stop().success();
    }
}
