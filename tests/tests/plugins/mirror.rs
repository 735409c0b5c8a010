//! Mirrors: catalogues in a folder, made of what other catalogues have.

use std::collections::BTreeSet;
use std::path::PathBuf;

use insta::assert_snapshot;
use minisign::KeyPair;
use spin_tests::World;
use spin_tests::web::Web;

use super::killed::{CALLS, killed_at};
use super::{catalogue, configured, pack_stub, session, tree};

/// A world whose catalogue has what fits and what doesn't, also for another platform.
fn world() -> World {
    let world = World::new();
    let other: PathBuf = pack_stub(&world, "other", "0.1.0", ">=5").archive;
    assert!(other.is_file());
    pack_stub(&world, "stub", "1.0.0", ">=4.0");
    pack_stub(&world, "stub", "1.1.0", ">=4.0");
    let pack = "plugins pack build/stub-1.1.0 --name stub --version 1.1.0 --license MIT --description x --platform";
    let pack = format!("{pack} windows-amd64 --to catalogue");
    world.spin(pack.split(' ')).in_dir(world.path(".")).run().success();
    world
}

#[test]
fn a_mirror_has_what_would_be_installed() {
    let world = world();
    let mirror = world.path("mirror").display().to_string();
    let made = session(
        &world,
        &[
            &format!("plugins mirror --to {mirror} stub@1.0.0"),
            &format!("plugins mirror --to {mirror}"),
            &format!("plugins mirror --to {mirror} --platform windows-amd64 --platform linux-amd64 stub"),
            &format!("plugins mirror --to {mirror} stub stub --json"),
            &format!("plugins mirror --to {mirror} --json"),
        ],
    );
    let listed = world.spin(["plugins", "list", "--all"]).env("SPIN_CATALOGUES", &mirror).run().snapshot();
    let files = tree(&world.path("mirror")).join("\n");
    assert_snapshot!(without_digests(&format!("{made}\n{listed}\n--- mirror\n{files}")));
}

#[test]
fn what_cannot_be_mirrored_leaves_the_mirror_as_it_was() {
    let world = world();
    let mirror = world.path("mirror").display().to_string();
    session(&world, &[&format!("plugins mirror --to {mirror} stub@1.0.0")]);
    let index = || std::fs::read_to_string(world.path("mirror/index.json")).unwrap();
    let before = index();
    let refused = session(
        &world,
        &[
            "plugins mirror",
            &format!("plugins mirror --to {mirror} stubb"),
            &format!("plugins mirror --to {mirror} stub other"),
            &format!("plugins mirror --to {mirror} stub --platform macos-aarch64"),
            &format!("plugins mirror --to {mirror} --platform somewhere"),
        ],
    );
    // Under a version that the mirror has, the keeper publishes something else; then something that is not what he says.
    let changed = world.write("build/changed", "#!/bin/sh\necho changed\n");
    super::pack_program(&world, "stub", "1.0.0", ">=4.0", &changed, &[]);
    std::fs::write(pack_stub(&world, "stub", "1.2.0", ">=4.0").archive, "not an archive").unwrap();
    let commands = [format!("plugins mirror --to {mirror} stub@1.0.0"), format!("plugins mirror --to {mirror} stub")];
    let changed = session(&world, &commands.each_ref().map(String::as_str));
    assert_snapshot!(without_digests(&format!("{refused}\n{changed}")));
    assert_eq!(index(), before);
    let installed = world.spin(["plugins", "install", "stub", "--yes"]).env("SPIN_CATALOGUES", &mirror).run();
    installed.success();
}

#[test]
fn signatures_come_along_and_are_checked() {
    let world = World::new();
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let archive = pack_stub(&world, "stub", "1.0.0", ">=4.0").archive;
    super::signed::sign(&keys, &catalogue(&world).join("index.json"));
    super::signed::sign(&keys, &archive);
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    let (url, key) = (web.url("/c"), keys.pk.to_base64());
    let add = ["plugins", "catalogue", "add", "ours", "--url", &url, "--require-signature", "--key", &key];
    configured(&world, &add).run().success();
    let mirror = || configured(&world, &["plugins", "mirror", "--to", "there", "stub"]).run();

    let path = format!("/c/{}.minisig", archive.strip_prefix(catalogue(&world)).unwrap().display());
    web.put(&path, "nonsense");
    let refused = mirror();
    assert!(refused.stderr.contains("signature::malformed"), "{}", refused.snapshot());
    let there = tree(&world.home().join("there"));
    assert!(there.iter().all(|path| !path.contains("tar.gz")), "{there:?}");

    web.put_folder("/c", &catalogue(&world));
    mirror().success();
    // What lies in the mirror counts only with a signature of its publisher: with another's it is fetched again.
    let there = world.home().join("there");
    let held = there.join(archive.strip_prefix(catalogue(&world)).unwrap());
    let fetched = || web.asked().iter().filter(|path| path.ends_with(".tar.gz")).count();
    let before = fetched();
    mirror().success();
    assert_eq!(fetched(), before, "what is trusted is not fetched again");
    super::signed::sign(&KeyPair::generate_unencrypted_keypair().unwrap(), &held);
    mirror().success();
    assert_eq!(fetched(), before + 1);
    // The keeper of the mirror signs its index; the archives are signed already.
    super::signed::sign(&keys, &there.join("index.json"));
    let place = there.display().to_string();
    let add = ["plugins", "catalogue", "add", "mirror", "--path", &place, "--require-signature", "--key", &key];
    configured(&world, &["plugins", "catalogue", "remove", "ours"]).run().success();
    configured(&world, &add).run().success();
    configured(&world, &["plugins", "install", "stub", "--yes", "--offline"]).run().success();
}

/// The text with digests replaced, which depend on the platform.
fn without_digests(text: &str) -> String {
    let is_digest = |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest = |word: &str| if is_digest(word) { "[SHA256]".to_owned() } else { word.to_owned() };
    text.split_inclusive(|c: char| !c.is_ascii_alphanumeric())
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            digest(bare) + &word[bare.len()..]
        })
        .collect()
}

/// Killed at every system call that changes something, the mirror is the old catalogue or the new one.
#[test]
fn a_mirror_is_the_old_one_or_the_new_one() {
    let world = World::new();
    pack_stub(&world, "stub", "1.0.0", ">=4.0");
    let (mirror, prepared) = (world.home().join("mirror"), world.home().join("prepared"));
    session(&world, &["plugins mirror --to prepared stub"]);
    pack_stub(&world, "stub", "1.1.0", ">=4.0");
    let command = "plugins mirror --to mirror stub";
    let here = |words: &str| world.spin(words.split(' ')).env("SPIN_CATALOGUES", &mirror).run();
    let mut states = BTreeSet::new();
    for call in CALLS {
        for number in 1.. {
            _ = std::fs::remove_dir_all(&mirror);
            world.command("/bin/cp").args(["-a".as_ref(), prepared.as_path(), mirror.as_path()]).run().success();
            let killed = killed_at(&world, call, number, command);
            let listed = here("plugins list --all").success();
            assert_eq!(listed.stderr, "", "killed at {call} {number}");
            states.insert(listed.stdout);
            if killed.code == Some(0) {
                break;
            }
            assert_eq!(killed.code, None, "killed at {call} {number}\n{}", killed.snapshot());
            assert!(session(&world, &[command]).contains("\nexit 0\n"), "killed at {call} {number} and done again");
            here("plugins install stub@1.0.0 stub@1.1.0 --yes").success();
            here("plugins uninstall stub").success();
            let left = tree(&mirror);
            assert!(left.iter().all(|path| !path.contains(".new")), "killed at {call} {number}: {left:?}");
            assert!(number < 1000, "{call} has no end");
        }
    }
    assert_eq!(Vec::from_iter(states), ["stub 1.0.0\n", "stub 1.0.0\nstub 1.1.0\n"]);
}
