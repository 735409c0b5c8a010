//! Archives that are not what a plugin may be: refused, and nothing is left.

use std::io::Write;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use spin_tests::World;
use tar::{Builder, EntryType, Header};

use super::tree;

type Spoil = fn(&mut Builder<GzEncoder<Vec<u8>>>);

fn file(archive: &mut Builder<GzEncoder<Vec<u8>>>, name: &str, kind: EntryType, link: &str, mode: u32) {
    let content = b"#!/bin/sh\necho stub runs\n";
    let mut header = Header::new_ustar();
    // Written by hand: the library refuses to make what we must refuse to read.
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_ustar_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    let size = if kind == EntryType::Regular { content.len() } else { 0 };
    header.set_size(size as u64);
    header.set_cksum();
    archive.append(&header, &content[..size]).unwrap();
}

/// A manifest and its archive, made by `spoil` before the good executable is added.
fn manifest(world: &World, spoil: Spoil, digest: Option<&str>) -> std::path::PathBuf {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    spoil(&mut archive);
    file(&mut archive, "trigger-stub", EntryType::Regular, "", 0o755);
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    let sha256 = Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    world.write("made/stub.tar.gz", &bytes);
    let arch = if cfg!(target_arch = "aarch64") { "aarch64" } else { "amd64" };
    let manifest = serde_json::json!({
        "name": "trigger-stub", "version": "1.0.0", "spinCompatibility": ">=2.0", "license": "MIT", "description": "a stub",
        "packages": [{"os": "linux", "arch": arch, "url": "stub.tar.gz", "sha256": digest.unwrap_or(&sha256)}],
    });
    world.write("made/trigger-stub.json", manifest.to_string())
}

fn install(world: &World, manifest: &Path) -> spin_tests::Finished {
    world.spin(["plugins", "install", "--file", manifest.to_str().unwrap(), "--yes"]).run()
}

/// What the data folder holds apart from locks, which are never deleted.
fn left(world: &World) -> Vec<String> {
    tree(&world.data()).into_iter().filter(|path| !path.contains("locks") && path.contains("trigger-stub")).collect()
}

#[test]
fn the_good_one_installs() {
    let world = World::new();
    let manifest = manifest(&world, |_| {}, None);
    install(&world, &manifest).success();
    assert!(!left(&world).is_empty());
}

#[test]
fn bad_ones_are_refused_and_leave_nothing() {
    let cases: [(&str, Spoil); 9] = [
        ("a parent folder", |archive| file(archive, "../outside", EntryType::Regular, "", 0o644)),
        ("a parent folder within", |archive| file(archive, "a/../../outside", EntryType::Regular, "", 0o644)),
        ("an absolute path", |archive| file(archive, "/tmp/outside", EntryType::Regular, "", 0o644)),
        ("a symbolic link", |archive| file(archive, "link", EntryType::Symlink, "/etc/passwd", 0o777)),
        ("a hard link", |archive| file(archive, "link", EntryType::Link, "trigger-stub", 0o755)),
        ("a device", |archive| file(archive, "device", EntryType::Char, "", 0o666)),
        ("a named pipe", |archive| file(archive, "pipe", EntryType::Fifo, "", 0o666)),
        ("a set-user-id file", |archive| file(archive, "root", EntryType::Regular, "", 0o4755)),
        ("a name twice", |archive| file(archive, "trigger-stub", EntryType::Regular, "", 0o755)),
    ];
    for (what, spoil) in cases {
        let world = World::new();
        let refused = install(&world, &manifest(&world, spoil, None));
        assert_eq!(refused.code, Some(1), "{what}\n{}", refused.snapshot());
        assert!(refused.stderr.contains("trigger-stub"), "{what}\n{}", refused.snapshot());
        assert_eq!(left(&world), [""; 0], "{what}");
        assert!(!world.path("outside").exists() && !Path::new("/tmp/outside").exists(), "{what}");
    }
}

#[test]
fn a_wrong_digest_is_refused_and_leaves_nothing() {
    let world = World::new();
    let refused = install(&world, &manifest(&world, |_| {}, Some(&"0".repeat(64))));
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains(&"0".repeat(64)), "both digests are named\n{}", refused.snapshot());
    assert_eq!(left(&world), [""; 0]);
}

#[test]
fn what_is_no_archive_is_refused() {
    for bytes in [&b""[..], b"not gzip at all", &truncated()] {
        let world = World::new();
        let manifest = manifest(&world, |_| {}, None);
        let archive = world.path("made/stub.tar.gz");
        std::fs::File::create(&archive).unwrap().write_all(bytes).unwrap();
        let sha256 = Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let text = std::fs::read_to_string(&manifest).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["packages"][0]["sha256"] = sha256.into();
        std::fs::write(&manifest, json.to_string()).unwrap();
        let refused = install(&world, &manifest);
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert_eq!(left(&world), [""; 0]);
    }
}

fn truncated() -> Vec<u8> {
    let world = World::new();
    manifest(&world, |_| {}, None);
    let bytes = std::fs::read(world.path("made/stub.tar.gz")).unwrap();
    bytes[..bytes.len() - 20].to_vec()
}
