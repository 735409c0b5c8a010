//! The word that a person gets when modules take long to prepare.

use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use spin_tests::{Running, Signal, World, http};

/// Starts a trigger whose component comes out of a pipe, so that preparing it takes as long as the test wants; gives the
/// trigger and the pipe.
fn start(world: &World) -> (Running, PathBuf) {
    let code = world.path("code.wasm");
    mkfifoat(CWD, &code, Mode::from(0o600)).unwrap();
    let lock = serde_json::json!({
        "spin_lock_version": 0,
        "metadata": {"name": "slow"},
        "triggers": [{"id": "t", "trigger_type": "http", "trigger_config": {"component": "slow", "route": "/..."}}],
        "components": [{"id": "slow", "source": {
            "content_type": "application/wasm",
            "source": format!("file://{}", code.display()),
        }}],
    });
    let lock = world.write("lock.json", lock.to_string());
    let trigger = world
        .program("trigger-http")
        .args(["--listen", "127.0.0.1:0", "--quiet"])
        .env("SPIN_LOCKED_URL", format!("file://{}", lock.display()))
        .env("SPIN_WORKING_DIR", world.path(""))
        .start();
    (trigger, code)
}

#[test]
fn a_long_preparation_is_told_of_once() {
    let world = World::new();
    let (trigger, code) = start(&world);
    trigger.stderr().wait_for("Preparing Wasm modules is taking a few seconds...");
    std::fs::write(&code, std::fs::read(spin_tests::guest("probe-p3")).unwrap()).unwrap();
    assert_eq!(http::get(trigger.serving(), "/").status, 200);
    let ended = trigger.stop().success();
    assert_eq!(ended.stderr.matches("Preparing").count(), 1, "{}", ended.snapshot());
}

#[test]
fn the_end_does_not_wait_for_a_preparation() {
    let world = World::new();
    let (trigger, _code) = start(&world);
    trigger.stderr().wait_for("Preparing");
    trigger.signal(Signal::TERM);
    trigger.finish_within(Duration::from_secs(20)).success();
}
