//! Making packages: `spin plugins pack`.

use std::fs;

use insta::assert_snapshot;
use spin_tests::World;

use super::{session, tree};

/// Shows the page that lies beside it.
const READER: &str = "#!/bin/sh\ncat \"$(dirname \"$0\")/share/page\"\n";

#[test]
fn what_is_packed_can_be_installed_and_finds_its_assets() {
    let world = World::new();
    world.write("build/reader", READER);
    world.write("build/assets/share/page", "the page\n");
    let path = |below: &str| world.path(below).display().to_string();
    let (executable, assets, to) = (path("build/reader"), path("build/assets"), path("catalogue"));
    let pack = format!("plugins pack {executable} --assets {assets} --to {to} --license MIT --description reads");
    fs::create_dir_all(world.path("odd")).unwrap();
    std::os::unix::fs::symlink(world.path("build/reader"), world.path("odd/link")).unwrap();
    let text = session(
        &world,
        &[
            &format!("{pack} --version 1.0.0"),
            &format!("{pack} --version 1.0.0"),
            &format!("{pack} --version 1.1.0 --homepage https://example.org --protocols 1 --spin-compatibility >=9"),
            &format!("{pack} --version 1.2.0 --name reader --platform macos-aarch64"),
            "plugins install reader --yes",
            "reader",
            "plugins verify",
            "plugins list",
            &format!("{pack} --version one"),
            &format!("{pack} --version 2.0.0 --name up"),
            &format!("{pack} --version 2.0.0 --name Reader"),
            &format!("{pack} --version 2.0.0 --spin-compatibility new"),
            &format!("plugins pack {} --version 1.0.0 --to {to} --license MIT --description x", path("odd/link")),
            &format!("plugins pack {} --version 1.0.0 --to {to} --license MIT --description x", path("absent")),
            &pack.replace("build/assets", "odd").replace("pack ", "pack --version 2.0.0 "),
        ],
    );
    assert_snapshot!(text);
    assert_snapshot!("packed_catalogue", tree(&world.path("catalogue")).join("\n"));
}
