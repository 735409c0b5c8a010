//! A catalogue that is configured with `require_signature`: nothing that is not signed gets in.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use minisign::KeyPair;
use spin_tests::World;

use super::{catalogue, configured, pack_stub, tree};

/// Signs a file as its keeper would.
pub(super) fn sign(keys: &KeyPair, path: &Path) {
    let content = std::fs::read(path).unwrap();
    let signature = minisign::sign(None, &keys.sk, content.as_slice(), Some("timestamp:1"), None).unwrap();
    std::fs::write(beside(path), signature.into_string()).unwrap();
}

fn beside(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.minisig", path.display()))
}

#[test]
fn what_is_not_signed_leaves_nothing() {
    let world = World::new();
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let archive = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0").archive;
    let index = catalogue(&world).join("index.json");
    let key = keys.pk.to_base64();
    let path = catalogue(&world);
    let add = ["plugins", "catalogue", "add", "ours", "--require-signature", "--key", &key, "--path"];
    configured(&world, &[&add[..], &[path.to_str().unwrap()]].concat()).run().success();
    let id =
        String::from_utf8(keys.pk.keynum().iter().rev().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect())
            .unwrap();

    let mut said = Vec::new();
    let mut install = || {
        let finished = configured(&world, &["plugins", "install", "trigger-stub", "--yes"]).run();
        said.push(finished.snapshot().replace(&id, "KEY"));
        let store = tree(&world.data().join("plugin-store/v1"));
        store.into_iter().filter(|path| path.contains("trigger-stub") && !path.starts_with("locks")).count()
    };
    assert_eq!(install(), 0, "no signature");
    sign(&keys, &index);
    assert_eq!(install(), 0, "none of the archive");
    std::fs::copy(beside(&index), beside(&archive)).unwrap();
    assert_eq!(install(), 0, "that of another file");
    sign(&KeyPair::generate_unencrypted_keypair().unwrap(), &archive);
    install();
    // Numbers of keys are random.
    said.pop();
    sign(&keys, &archive);
    let mut install = || {
        let finished = configured(&world, &["plugins", "install", "trigger-stub", "--yes"]).run();
        said.push(finished.snapshot().replace(&id, "KEY"));
    };
    install();
    said.push(configured(&world, &["plugins", "catalogue", "list"]).run().snapshot().replace(&id, "KEY"));
    assert_snapshot!(said.join("\n"));
    let record = std::fs::read_to_string(world.data().join("plugin-store/v1/installed/trigger-stub.json")).unwrap();
    assert!(record.contains(&format!("\"signedBy\": \"{id}\"")), "{record}");
}
