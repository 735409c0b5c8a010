//! The lock, between `spin` and a trigger: what a trigger refuses, and what is written for an app behind a link.

use serde_json::{Value, json};
use spin_tests::{Finished, Invocation, World};

use super::super::Echo;

/// A lock that the HTTP trigger takes: one component, one route.
fn good() -> Value {
    json!({
        "spin_lock_version": 1,
        "metadata": { "name": "app" },
        "triggers": [
            { "id": "t", "trigger_type": "http", "trigger_config": { "component": "one", "route": "/..." } },
        ],
        "components": [
            { "id": "one", "source": { "content_type": "application/wasm",
              "source": format!("file://{}", spin_tests::guest("probe-p3").display()) } },
        ],
    })
}

/// The same with other values at some places (JSON pointers); parents must be there.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut lock = good();
    for (place, value) in changes {
        let (parent, key) = place.rsplit_once('/').unwrap();
        lock.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    lock
}

/// A trigger with this text as its lock.
fn trigger(world: &World, name: &str, lock: &str) -> Invocation {
    let lock = world.write("lock.json", lock);
    let arguments: &[&str] = if name == "trigger-http" { &["--listen", "127.0.0.1:0"] } else { &[] };
    world
        .program(name)
        .args(arguments)
        .env("SPIN_LOCKED_URL", format!("file://{}", lock.display()))
        .env("SPIN_WORKING_DIR", world.path(""))
}

#[track_caller]
fn assert_refused(refused: &Finished, parts: &[&str]) {
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{}", refused.snapshot());
    for part in parts {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.snapshot());
    }
}

#[test]
fn what_is_no_lock_is_refused() {
    let world = World::new();
    let without = |field: &str| {
        let mut lock = good();
        lock.as_object_mut().unwrap().remove(field);
        lock
    };
    let rows: &[(Value, &[&str])] = &[
        (without("spin_lock_version"), &["spin_lock_version", "missing", "lock::malformed"]),
        (without("triggers"), &["triggers", "missing"]),
        (without("components"), &["components", "missing"]),
        (with(&[("/spin_lock_version", json!(2))]), &["invalid spin_lock_version 2", "lock::version"]),
        (with(&[("/must_understand", json!(["teleportation"]))]), &["\"teleportation\"", "lock::must-understand"]),
        (with(&[("/host_requirements", json!({ "b": "required" }))]), &["following features", ": b"]),
        (with(&[("/components/0/host_requirements", json!({ "c": true }))]), &["following features", ": c"]),
    ];
    for (lock, parts) in rows {
        assert_refused(&trigger(&world, "trigger-http", &lock.to_string()).run(), parts);
    }
    assert_refused(&trigger(&world, "trigger-http", "{").run(), &["not JSON", "lock::not-json"]);
}

#[test]
fn what_the_host_does_not_say_is_asked_for_by_name() {
    let world = World::new();
    let lock = good().to_string();
    for variable in ["SPIN_LOCKED_URL", "SPIN_WORKING_DIR"] {
        let refused = trigger(&world, "trigger-http", &lock).env_remove(variable).run();
        assert_refused(&refused, &[&format!("environment variable {variable} not found"), "trigger::environment"]);
    }
    for (url, part) in [
        ("nonsense", "is not a file URL"),
        ("https://example.com/spin.lock", "is not a file URL"),
        ("file:///no/where/spin.lock", "lock::read"),
    ] {
        assert_refused(&trigger(&world, "trigger-http", &lock).env("SPIN_LOCKED_URL", url).run(), &[part]);
    }
}

#[test]
fn what_could_only_fail_later_is_refused_with_its_component() {
    let world = World::new();
    world.write("code.wasm", "no code");
    world.write("a-file", "");
    let at = |path: &str| json!(format!("file://{}", world.path(path).display()));
    let (config, source) = ("/triggers/0/trigger_config", "/components/0/source");
    let rows: &[(Value, &[&str])] = &[
        (with(&[(config, json!({ "component": "one", "route": "/...", "odd": 1 }))]), &["odd", "trigger::config"]),
        (with(&[(config, json!({ "component": "one" }))]), &["route", "trigger::config"]),
        (with(&[(config, json!({ "component": 1, "route": "/..." }))]), &["trigger::config"]),
        (with(&[(config, json!({ "component": "two", "route": "/..." }))]), &["two"]),
        (with(&[(source, json!({ "content_type": "application/wasm" }))]), &["\"one\"", "(none)"]),
        (with(&[("/components/0/source/source", at("gone.wasm"))]), &["\"one\"", "gone.wasm"]),
        (with(&[("/components/0/source/source", at("code.wasm"))]), &["\"one\"", "code.wasm"]),
        (
            with(&[("/components/0/files", json!([{ "source": at("a-file"), "path": "/" }]))]),
            &["\"one\"", "only folders"],
        ),
        (with(&[("/variables", json!({ "ODD": { "default": "" } }))]), &["\"ODD\"", "trigger::variable"]),
        (with(&[("/components/0/config", json!({ "A-B": "" }))]), &["\"A-B\"", "\"one\"", "trigger::variable"]),
        (with(&[("/components/0/config", json!({ "a": "{{ nobody }}" }))]), &["\"nobody\"", "\"one\""]),
        (with(&[("/components/0/config", json!({ "a": "{{ a" }))]), &["\"one\"", "trigger::"]),
        (with(&[("/variables", json!({ "needed": {} }))]), &["needed", "trigger::variable"]),
        (
            with(&[("/components/0/metadata", json!({ "allowed_outbound_hosts": ["nonsense"] }))]),
            &["\"nonsense\"", "\"one\"", "trigger::allowed-host"],
        ),
        (
            with(&[("/components/0/metadata", json!({ "key_value_stores": ["x"] }))]),
            &["unknown key_value_stores label \"x\" for component \"one\""],
        ),
        (
            with(&[("/components/0/metadata", json!({ "databases": ["x"] }))]),
            &["unknown sqlite_databases label \"x\" for component \"one\""],
        ),
    ];
    for (lock, parts) in rows {
        assert_refused(&trigger(&world, "trigger-http", &lock.to_string()).run(), parts);
    }
}

#[test]
fn what_belongs_to_other_triggers_may_be_as_it_likes() {
    let world = World::new();
    let mut lock = good();
    let odd = json!({ "id": "odd", "source": { "content_type": "x" }, "config": { "A-B": "{{" },
        "metadata": { "allowed_outbound_hosts": ["nonsense"], "databases": ["x"] } });
    lock["components"].as_array_mut().unwrap().push(odd);
    let other = json!({ "id": "o", "trigger_type": "other", "trigger_config": { "component": "odd", "any": 1 } });
    lock["triggers"].as_array_mut().unwrap().push(other);
    let trigger = trigger(&world, "trigger-http", &lock.to_string()).start();
    assert_eq!(spin_tests::http::get(trigger.serving(), "/").status, 200);
    trigger.stop().success();
}

#[test]
fn the_redis_trigger_refuses_components_that_reach_others() {
    let echo = Echo::new();
    echo.world.install("trigger-redis");
    let manifest = "spin_manifest_version = 2\napplication.name = \"app\"\n\
        application.trigger.redis.address = \"redis://127.0.0.1:1\"\n\
        [[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"\n\
        [component.one]\nsource = \"one.wasm\"\nallowed_outbound_hosts = [\"http://two.spin.internal\"]\n\
        [component.two]\nsource = \"two.wasm\"\n";
    let app = echo.app(manifest, &["one.wasm", "two.wasm"]);
    let refused = echo.world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(
        refused.stderr.contains("this application requires the following features that are not available")
            && refused.stderr.contains("'redis' trigger: local_service_chaining"),
        "{}",
        refused.snapshot()
    );
}

#[test]
fn an_app_behind_a_link_is_called_by_the_link() {
    let echo = Echo::new();
    let manifest = "spin_manifest_version = 2\napplication.name = \"app\"\n[[trigger.echo]]\ncomponent = \"a\"\n\
        [component.a]\nsource = \"a.wasm\"\nfiles = [\"d\"]\n";
    let app = echo.app(manifest, &["a.wasm", "d/x"]);
    let link = echo.world.path("link to it");
    std::os::unix::fs::symlink(app.dir(), &link).unwrap();
    for flags in [&["-f"][..], &["--direct-mounts", "-f"]] {
        let lock = echo.lock(&echo.world.home(), &[flags, &[link.to_str().unwrap()]].concat());
        let url = |file: &str| format!("file://{}/{file}", link.display()).replace(' ', "%20");
        assert_eq!(lock["metadata"]["origin"], url("spin.toml"));
        assert_eq!(lock["components"][0]["source"]["source"], url("a.wasm"));
        if flags.len() > 1 {
            assert_eq!(lock["components"][0]["files"][0]["source"], url("d"));
        }
    }
}
