//! Plugins that the public Spin has installed in the same data folder: seen, used, never changed.

use std::fs;

use insta::assert_snapshot;
use spin_tests::World;

use super::{pack_stub, session, tree};

#[test]
fn what_the_public_spin_owns_is_named_and_stays() {
    let world = World::new();
    let packed = pack_stub(&world, "stub", "1.0.0", ">=4.0");
    let public = world.data().join("plugins");
    fs::create_dir_all(public.join("manifests")).unwrap();
    fs::create_dir_all(public.join("stub")).unwrap();
    fs::copy(&packed.manifest, public.join("manifests/stub.json")).unwrap();
    fs::write(public.join("stub/stub"), super::STUB).unwrap();
    pack_stub(&world, "stub", "1.1.0", ">=4.0");
    let before = tree(&public);
    assert_snapshot!(session(
        &world,
        &[
            "plugins list --installed",
            "plugins show stub",
            "plugins verify",
            "plugins outdated",
            "plugins uninstall stub",
            "plugins upgrade stub --yes",
            "plugins list --installed",
            "plugins gc",
            "plugins uninstall stub",
            "plugins uninstall stub@1.1.0",
        ],
    ));
    assert_eq!(tree(&public), before);
}
