//! Files of every version of the format, and the bytes that a manifest becomes: what other programs rely on.
//!
//! `lock-v0-*.json` are locks as Spin of that age wrote them, `lock-v1.json` one with every field there is. They are
//! never changed; a new version of the format adds a file.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spin_app_model::lock::{Inherit, LOCAL_SERVICE_CHAINING};
use spin_app_model::manifest::{LockOptions, Resolved};
use spin_app_model::{LockedApp, Manifest};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(data(name)).unwrap()
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_lock_of_spin_0_8_is_read() {
    let app = LockedApp::read(&data("lock-v0-spin-0.8.json")).unwrap();
    assert_eq!(app.name(), Some("spinhttpgo"));
    assert_eq!(app.version(), Some("0.1.0"));
    assert_eq!(app.origin(), Some("file:///app/spin.toml"));
    assert_eq!(app.trigger_settings("http"), Some(json!({ "base": "/" })));
    assert_eq!(app.trigger_settings("redis"), None);
    let trigger = app.triggers_of("http").next().unwrap();
    assert_eq!(trigger.id, "trigger--spinhttpgo");
    assert_eq!(trigger.component(), Some("spinhttpgo"));
    assert_eq!(trigger.trigger_config["executor"], Value::Null);
    let component = app.components_of("http").next().unwrap();
    assert_eq!(component.source.content.source.as_deref(), Some("file:///app/main.wasm"));
    assert_eq!(component.metadata["allowed_http_hosts"], json!([]));
    assert_eq!(app.require_only("http", &[]), Ok(()));
}

#[test]
fn a_lock_with_every_field_is_read() {
    let app = LockedApp::read(&data("lock-v1.json")).unwrap();
    assert_eq!(app.trigger_types().iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), ["http", "redis"]);
    let front = app.component(&"front".parse().unwrap()).unwrap();
    assert_eq!(front.description(), Some("Greets — \"politely\""));
    assert_eq!(front.metadata_list("databases").collect::<Vec<_>>(), ["default"]);
    assert_eq!(front.host_requirements[LOCAL_SERVICE_CHAINING], "required");
    assert_eq!(front.files[1].content.inline.as_deref(), Some(&b"hi\n"[..]));
    assert_eq!(front.dependencies["acme:sum/add@1.0.0"].inherit, Inherit::Some(vec!["files".into()]));
    assert_eq!(front.dependencies["plain"].inherit, Inherit::All);
    assert!(app.variables["token"].secret && app.variables["token"].default.is_none());
    assert_eq!(app.components_of("redis").map(|c| c.id.as_str()).collect::<Vec<_>>(), ["back"]);
    assert!(app.require_only("http", &[LOCAL_SERVICE_CHAINING]).is_ok());
    assert!(app.require_only("http", &[]).is_err());
    assert!(app.require_only("redis", &[]).is_ok());
}

#[test]
fn reading_and_writing_again_loses_nothing() {
    for name in ["lock-v0-spin-0.8.json", "lock-v0-spin-2.0.json", "lock-v1.json"] {
        let before = text(name);
        let written = LockedApp::from_json(before.as_bytes()).unwrap().to_json();
        assert_eq!(as_json(&written), as_json(&before), "{name}");
        let again = LockedApp::from_json(written.as_bytes()).unwrap().to_json();
        assert_eq!(again, written, "{name}");
    }
}

#[test]
fn canonical_files_come_out_byte_for_byte() {
    for name in ["lock-v0-spin-2.0.json", "lock-v1.json"] {
        let before = text(name);
        let before = before.strip_suffix('\n').unwrap();
        assert_eq!(LockedApp::from_json(before.as_bytes()).unwrap().to_json(), before, "{name}");
    }
}

#[test]
fn a_manifest_becomes_these_bytes() {
    let path = Path::new("/srv/shop/spin.toml");
    let manifest = Manifest::parse(&text("shop.toml"), path).unwrap();
    let app = manifest.lock(&LockOptions::for_manifest(path).unwrap(), &Resolved::default()).unwrap();
    assert_eq!(app.to_json() + "\n", text("shop.lock.json"));
    assert_eq!(LockedApp::from_json(app.to_json().as_bytes()).unwrap(), app);
}
