//! The bytes that manifests become: for each manifest of `data/locks`, and each of its profiles, one lock.
//!
//! `SPIN_BLESS=1` writes what is found into the files instead of comparing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spin_app_model::manifest::{LockOptions, Resolved, SourceRef};
use spin_app_model::{LockedApp, Manifest};

const MANIFEST: &str = "/app/spin.toml";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/locks")
}

/// All manifests, with their names.
fn manifests() -> Vec<(String, Manifest)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut manifests: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    manifests.sort();
    let read = manifests.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, Manifest::parse(&text, Path::new(MANIFEST)).unwrap())
    });
    read.collect()
}

/// Locks as if everything had been downloaded to `/cache` and all files copied to `/work`.
fn lock(manifest: &Manifest) -> LockedApp {
    let mut resolved = Resolved::default();
    let needs = manifest.needs();
    for source in needs.sources {
        let file = match &source.value {
            SourceRef::Download(download) => format!("/cache/{}.wasm", download.digest.hex()),
            SourceRef::Package(package) => format!("/cache/{}@{}.wasm", package.name, package.version),
            other => panic!("{other} takes no getting"),
        };
        resolved.add_source(source.value, file);
    }
    for of in needs.files {
        let host = format!("/srv/assets/{}", of.component);
        resolved.mount(of.component, host, "/");
    }
    let app = manifest.lock(&LockOptions::for_manifest(Path::new(MANIFEST)).unwrap(), &resolved).unwrap();
    // What is written is read back, and written again the same.
    let written = app.to_json();
    let read = LockedApp::from_json(written.as_bytes()).unwrap();
    assert_eq!(read, app);
    assert_eq!(read.to_json(), written);
    app
}

fn compare(name: &str, app: &LockedApp) {
    let path = folder().join(format!("{name}.lock.json"));
    let found = app.to_json() + "\n";
    if std::env::var_os("SPIN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn manifests_become_these_bytes() {
    let manifests = manifests();
    assert!(manifests.len() >= 7);
    for (name, manifest) in &manifests {
        compare(name, &lock(manifest));
        for profile in manifest.profiles() {
            compare(&format!("{name}.{profile}"), &lock(&manifest.with_profile(profile).unwrap()));
        }
    }
}

/// The sample of Spin 0.8: what its manifest becomes today says the same as what it became then.
#[test]
fn an_old_manifest_gives_a_lock_that_says_what_it_said_then() {
    let old = folder().with_file_name("lock-v0-spin-0.8.json");
    let old = LockedApp::read(&old).unwrap();
    let (_, manifest) = manifests().into_iter().find(|(name, _)| name == "v1-sample").unwrap();
    let new = lock(&manifest);
    assert_eq!((new.name(), new.version()), (old.name(), old.version()));
    assert_eq!((new.description(), new.origin()), (old.description(), old.origin()));
    assert_eq!(new.metadata["trigger"], old.metadata["trigger"]);
    assert_eq!(new.trigger_settings("http"), old.trigger_settings("http"));
    assert_eq!(new.trigger_types(), old.trigger_types());
    let config = |app: &LockedApp| {
        let mut config = app.triggers[0].trigger_config.clone();
        // Spin of that age wrote out that there is none.
        config.as_object_mut().unwrap().retain(|_, value| *value != Value::Null);
        config
    };
    assert_eq!(config(&new), config(&old));
    assert_eq!(new.components[0].id, old.components[0].id);
    assert_eq!(new.components[0].source, old.components[0].source);
    assert_eq!(new.components[0].env, old.components[0].env);
    // Databases could be reached by anyone then, so they can be still; other hosts were none, and are none.
    let hosts = json!(["redis://*:*", "mysql://*:*", "postgres://*:*"]);
    assert_eq!(new.components[0].metadata["allowed_outbound_hosts"], hosts);
    assert_eq!(old.components[0].metadata["allowed_http_hosts"], json!([]));
}

#[test]
fn an_unknown_profile_is_named_with_the_ones_there_are() {
    let (_, manifest) = manifests().into_iter().find(|(name, _)| name == "v2-profiles").unwrap();
    let error = |name: &str| manifest.with_profile(name).unwrap_err().to_string();
    assert_eq!(error("debgu"), "/app/spin.toml: no component has a profile `debgu`\n  help: did you mean `debug`?");
    assert_eq!(error("x"), "/app/spin.toml: no component has a profile `x`\n  help: the profiles are `debug`, `trace`");
}

#[test]
fn what_nobody_got_is_named_with_its_place() {
    let (_, manifest) = manifests().into_iter().find(|(name, _)| name == "v1-everything").unwrap();
    let options = LockOptions::for_manifest(Path::new(MANIFEST)).unwrap();
    let error = manifest.lock(&options, &Resolved::default()).unwrap_err();
    assert_eq!(error.code(), "manifest::unresolved");
    assert_eq!(
        error.to_string(),
        "\
/app/spin.toml:33:10: the download `https://example.com/modern.wasm` must be got before locking
/app/spin.toml:17:10: the files of component `ring-bell` must be got before locking"
    );
}
