//! Our triggers keep to the protocol, as the conformance program says; and it can say no.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;

use spin_tests::{World, guest, repository};

#[test]
fn our_triggers_keep_to_the_protocol() {
    for trigger in ["trigger-http", "trigger-redis", "trigger-cron", "trigger-mqtt"] {
        let world = World::new();
        let executable = world.dist().bin(trigger);
        let run = world.program("spin-trigger-conformance").args([executable]).run();
        assert_eq!(run.code, Some(0), "{trigger}\n{}", run.snapshot());
    }
}

/// It needs something to run, which goes on for long enough to be looked at.
#[test]
fn the_command_trigger_keeps_to_the_protocol_while_its_component_runs() {
    let world = World::new();
    let lock = serde_json::json!({
        "spin_lock_version": 0,
        "metadata": { "name": "app", "trigger": { "type": "command" } },
        "triggers": [{ "id": "one", "trigger_type": "command", "trigger_config": { "component": "one" } }],
        "components": [{
            "id": "one",
            "source": {
                "content_type": "application/wasm",
                "source": format!("file://{}", guest("command-probe").display()),
            },
        }],
    });
    let lock = world.write("spin.lock", lock.to_string());
    let kit = world.program("spin-trigger-conformance").args([world.dist().bin("trigger-command")]);
    let run = kit.args(["--lock"]).args([lock]).args(["--", "--", "sleep=2500"]).run();
    assert_eq!(run.code, Some(0), "{}", run.snapshot());
}

#[test]
fn a_trigger_that_was_written_from_the_document_passes_everything_and_has_nothing_to_compile() {
    let world = World::new();
    let executable = repository().join("examples/triggers/python/trigger-heartbeat");
    let run = world.program("spin-trigger-conformance").args([executable.to_str().unwrap(), "--json"]).run();
    assert_eq!(run.code, Some(0), "{}", run.snapshot());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let left: Vec<_> = checks.iter().filter(|check| check["result"] != "passed").collect();
    assert!(left.len() == 1 && left[0]["name"] == "compile-only" && left[0]["result"] == "not-offered", "{report:#}");
}

#[test]
fn a_program_that_knows_nothing_of_it_fails() {
    let world = World::new();
    let script = world.write("trigger-none", "#!/bin/sh\nexit 0\n");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let run = world.program("spin-trigger-conformance").args([script.to_str().unwrap(), "--json"]).run();
    assert_eq!(run.code, Some(1), "{}", run.snapshot());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(report.to_string().contains("hello"), "{report}");
}
