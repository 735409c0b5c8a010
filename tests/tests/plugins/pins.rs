//! Pins: an app and the releases of its plugins that it is tied to.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use insta::assert_snapshot;
use spin_plugin_manager::pack::Packed;
use spin_tests::web::Web;
use spin_tests::{App, Finished, World, http, probes};

use super::{app_of, catalogue, pack_stub};

/// A world with a stub in two versions, the lower one of which is installed, and an app that needs it.
struct Pinned {
    world: World,
    app: App,
    low: Packed,
}

impl Pinned {
    fn new() -> Self {
        let world = World::new();
        let low = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
        pack_stub(&world, "trigger-stub", "2.0.0", ">=4.0");
        let app = app_of(&world, "stub");
        let this = Self { world, app, low };
        this.spin(&["plugins", "install", "--yes", "trigger-stub@1.0.0"]).success();
        this.spin(&["plugins", "lock"]).success();
        this
    }

    fn spin(&self, words: &[&str]) -> Finished {
        let spin = self.world.spin(words).env("SPIN_CATALOGUES", catalogue(&self.world));
        spin.in_dir(self.app.dir()).run()
    }

    fn file(&self) -> PathBuf {
        self.app.dir().join("spin-plugins.lock")
    }

    /// Replaces a part of the file of pins, which must be there.
    fn edit(&self, part: &str, by: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(part), "{text}");
        std::fs::write(self.file(), text.replace(part, by)).unwrap();
    }

    fn executable(&self) -> PathBuf {
        let folder = format!("plugin-store/v1/store/trigger-stub/1.0.0-{}/trigger-stub", self.low.sha256);
        self.world.data().join(folder)
    }
}

#[test]
fn what_would_run_is_pinned_and_runs_although_there_is_a_higher_one() {
    let pinned = Pinned::new();
    assert!(pinned.spin(&["plugins", "lock"]).success().stdout.contains("is up to date"));
    pinned.spin(&["plugins", "install", "--yes", "trigger-stub@2.0.0"]).success();
    pinned.spin(&["up"]).success();
    pinned.spin(&["up", "--locked"]).success();
    let text = std::fs::read_to_string(pinned.file()).unwrap();
    assert!(text.contains("version = \"1.0.0\"") && text.contains(&pinned.low.sha256.to_string()), "{text}");

    std::fs::write(pinned.executable(), "#!/bin/sh\necho the one that is pinned\n").unwrap();
    let up = pinned.spin(&["up"]);
    assert!(up.stderr.contains("plugin::tampered"), "version 2 is not run instead\n{}", up.snapshot());

    let relocked = pinned.spin(&["plugins", "uninstall", "trigger-stub@1.0.0"]).success();
    assert!(relocked.stdout.contains("uninstalled"), "{}", relocked.snapshot());
    assert!(pinned.spin(&["plugins", "lock"]).success().stdout.contains("trigger-stub 2.0.0"));
    pinned.spin(&["up", "--locked"]).success();
}

#[test]
fn locking_says_what_is_pinned_and_where_it_is_written() {
    let pinned = Pinned::new();
    std::fs::remove_file(pinned.file()).unwrap();
    let lock = || pinned.spin(&["plugins", "lock"]).snapshot();
    assert_snapshot!("locking", [lock(), lock()].join("\n"));
}

#[test]
fn what_is_pinned_is_installed_from_its_catalogue_if_it_is_missing() {
    let pinned = Pinned::new();
    pinned.spin(&["plugins", "uninstall", "trigger-stub"]).success();
    let missing = pinned.spin(&["up"]);
    assert_snapshot!("missing", missing.snapshot());
    let up = pinned.spin(&["up", "--yes"]).success();
    assert!(up.stderr.contains("Installed trigger-stub 1.0.0"), "{}", up.snapshot());
    assert!(pinned.executable().is_file());
}

#[test]
fn a_pin_brings_no_catalogue_with_it() {
    let pinned = Pinned::new();
    pinned.spin(&["plugins", "uninstall", "trigger-stub"]).success();
    let text = std::fs::read_to_string(pinned.file()).unwrap();
    let line = text.lines().find(|line| line.starts_with("catalogue")).unwrap();
    pinned.edit(line, "catalogue = \"https://evil.example\"");
    let before = super::tree(&pinned.world.data());
    for words in [&["up", "--yes"][..], &["up", "--yes", "--locked"], &["up"]] {
        let up = pinned.spin(words);
        assert_eq!(up.code, Some(1), "{}", up.snapshot());
        assert_eq!(super::tree(&pinned.world.data()), before, "nothing is installed");
    }
    assert_snapshot!("catalogue-not-configured", pinned.spin(&["up", "--yes"]).snapshot());
}

#[test]
fn with_locked_nothing_else_runs() {
    let pinned = Pinned::new();
    let other = pinned.world.write("other-stub", super::STUB);
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    let by_flag = format!("--plugin-path=trigger-stub={}", other.display());
    assert_snapshot!("locked-and-an-override", pinned.spin(&["up", "--locked", &by_flag]).snapshot());
    let by_variable = pinned.world.spin(["up", "--locked"]).env("SPIN_PLUGIN_TRIGGER_STUB", &other);
    let by_variable = by_variable.in_dir(pinned.app.dir()).run();
    assert!(by_variable.stderr.contains("pins::override"), "{}", by_variable.snapshot());
    // Without it, development goes on.
    assert!(pinned.spin(&["up", &by_flag]).success().stderr.contains("Using trigger-stub from"));

    // The same size, and times that say that nothing happened: only its content tells.
    let content = std::fs::read(pinned.executable()).unwrap();
    let changed: Vec<u8> = content.iter().map(|&byte| if byte == b's' { b'z' } else { byte }).collect();
    std::fs::write(pinned.executable(), changed).unwrap();
    assert!(pinned.spin(&["up", "--locked"]).stderr.contains("plugin::tampered"));
    std::fs::write(pinned.executable(), content).unwrap();
    pinned.spin(&["up", "--locked"]).success();

    pinned.edit(&pinned.low.sha256.to_string(), &"0".repeat(64));
    assert_snapshot!("locked-and-another-archive", pinned.spin(&["up", "--locked"]).snapshot());
    pinned.edit("version = 1\n", "version = 1\nextra = 2\n");
    let malformed = pinned.spin(&["up"]);
    assert!(
        malformed.stderr.contains("pins::malformed") && malformed.stderr.contains("line 3"),
        "{}",
        malformed.snapshot()
    );
    std::fs::remove_file(pinned.file()).unwrap();
    assert_snapshot!("locked-without-pins", pinned.spin(&["up", "--locked"]).snapshot());
}

#[test]
fn with_locked_the_files_beside_an_executable_are_compared_too() {
    let world = World::new();
    let executable = world.write("build/stub", super::STUB);
    let assets = world.write("build/assets/library", "as it was packed\n");
    let (executable, assets) = (executable.display(), assets.parent().unwrap().display());
    let to = catalogue(&world);
    let pack = format!(
        "plugins pack {executable} --name trigger-stub --version 1.0.0 --assets {assets} --to {} --license MIT --description x",
        to.display()
    );
    world.spin(pack.split(' ')).run().success();
    let app = app_of(&world, "stub");
    let spin = |words: &str| world.spin(words.split(' ')).env("SPIN_CATALOGUES", &to).in_dir(app.dir()).run();
    spin("plugins install trigger-stub --yes").success();
    spin("plugins lock").success();
    spin("up --locked").success();
    let installed = world.data().join("plugin-store/v1/store");
    let library = super::tree(&installed).into_iter().find(|path| path.ends_with("library")).unwrap();
    std::fs::write(installed.join(library), "as somebody wants it\n").unwrap();
    assert!(spin("up --locked").stderr.contains("plugin::tampered"));
}

#[test]
fn an_archive_that_was_replaced_is_not_installed() {
    let pinned = Pinned::new();
    pinned.spin(&["plugins", "uninstall", "trigger-stub"]).success();
    // The keeper of the catalogue publishes something else under the same version.
    let archive = &pinned.low.archive;
    let mut bytes = std::fs::read(archive).unwrap();
    bytes.extend_from_slice(b"more");
    std::fs::write(archive, &bytes).unwrap();
    let up = pinned.spin(&["up", "--yes", "--locked"]);
    assert!(up.stderr.contains("plugin::digest-mismatch"), "{}", up.snapshot());
    assert!(!pinned.executable().exists());
}

#[test]
fn what_nobody_else_could_install_is_not_pinned() {
    let world = World::new();
    let packed = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let app = app_of(&world, "stub");
    let manifest = packed.manifest.display().to_string();
    world.spin(["plugins", "install", "--yes", "--file", &manifest]).run().success();
    let lock = |variable: &str| {
        let spin = world.spin(["plugins", "lock"]).env("SPIN_CATALOGUES", catalogue(&world));
        spin.env(variable, &manifest).in_dir(app.dir()).run()
    };
    assert_snapshot!("pinning-a-file", lock("NOTHING").snapshot());
    assert_snapshot!("pinning-an-override", lock("SPIN_PLUGIN_TRIGGER_STUB").snapshot());
    assert!(!app.dir().join("spin-plugins.lock").exists());
}

#[test]
fn a_plugin_of_no_catalogue_is_pinned_by_its_address_and_installed_only_when_asked() {
    let world = World::new();
    let packed = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let web = Web::start([]);
    web.put_folder("/c", &catalogue(&world));
    let manifest = packed.manifest.strip_prefix(catalogue(&world)).unwrap();
    let url = web.url(&format!("/c/{}", manifest.display()));
    let app = app_of(&world, "stub");
    let spin = |words: &[&str]| world.spin(words).env("SPIN_CATALOGUES", "").in_dir(app.dir());
    let explicit = ["plugins", "install", "--url", &url, "--yes"];
    spin(&explicit).run().success();
    let locked = spin(&["plugins", "lock"]).run().success();
    let pins = std::fs::read_to_string(app.dir().join("spin-plugins.lock")).unwrap();
    assert!(pins.contains(&format!("manifest = \"{url}\"")), "{pins}\n{}", locked.snapshot());
    spin(&["up", "--locked"]).run().success();

    spin(&["plugins", "uninstall", "trigger-stub"]).run().success();
    let asked = web.asked();
    let unasked = spin(&["up", "--yes"]).run();
    assert_snapshot!("pinned-by-address-and-missing", unasked.snapshot());
    let unasked = spin(&["up"]).env("SPIN_AUTO_INSTALL", "1").run();
    assert!(unasked.code == Some(1) && web.asked() == asked, "{}", unasked.snapshot());
    let mut up = spin(&["up", "--yes"]).start_on_terminal();
    up.output().wait_for_text("Look there?");
    assert_eq!(web.asked(), asked, "nothing is asked there before somebody agrees");
    up.type_text("y\n");
    up.output().wait_for_text("Install it and go on?");
    up.type_text("y\n");
    up.output().wait_for("stub runs");
    assert!(up.finish_within(std::time::Duration::from_secs(30)).success(), "{}", up.snapshot());

    // Under the same address, something else.
    let other = world.write("build/other", "#!/bin/sh\necho another\n");
    super::pack_program(&world, "trigger-stub", "1.0.0", ">=4.0", &other, &[]);
    web.put_folder("/c", &catalogue(&world));
    spin(&["plugins", "uninstall", "trigger-stub"]).run().success();
    spin(&explicit).run().success();
    let up = spin(&["up"]).run();
    assert!(up.stderr.contains("pins::other-archive"), "{}", up.snapshot());
}

#[test]
fn installing_what_is_pinned_changes_nothing_for_other_apps() {
    let pinned = Pinned::new();
    let spin = |words: &str| pinned.spin(&words.split(' ').collect::<Vec<_>>()).success().stdout;
    spin("plugins install --yes trigger-stub@2.0.0");
    spin("plugins uninstall trigger-stub@1.0.0");
    spin("plugins lock");
    spin("plugins uninstall trigger-stub");
    spin("plugins install --yes trigger-stub@1.0.0");
    spin("up --yes --locked");
    let installed = "trigger-stub 1.0.0 [installed] [active]\ntrigger-stub 2.0.0 [installed]\n";
    assert_eq!(spin("plugins list --installed"), installed);
}

#[test]
fn two_apps_run_two_versions_of_one_trigger_at_once() {
    let world = World::new();
    let pack = |version: &str| {
        super::pack_program(&world, "trigger-http", version, ">=4.0", &world.dist().bin("trigger-http"), &[1]);
        let app = world.app(&format!("app-{version}"), &probes::manifest(probes::BOTH), &probes::GENERATIONS);
        let spin = |words: &[&str]| world.spin(words).env("SPIN_CATALOGUES", catalogue(&world)).in_dir(app.dir());
        spin(&["plugins", "install", "--yes", &format!("trigger-http@{version}")]).run().success();
        spin(&["plugins", "lock"]).run().success();
        spin(&["up", "--locked", "--listen", "127.0.0.1:0"]).start()
    };
    // The lower one first: the higher is not installed when it is pinned.
    let running = [pack("0.0.1"), pack("0.0.2")];
    for (up, version) in running.iter().zip(["0.0.1", "0.0.2"]) {
        assert_eq!(http::get(up.serving(), "/p3/count").status, 200);
        let executable = std::fs::read_link(format!("/proc/{}/exe", up.child())).unwrap();
        assert!(executable.display().to_string().contains(&format!("/{version}-")), "{}", executable.display());
    }
    for up in running {
        up.stop().success();
    }
}

#[test]
fn what_is_no_plain_file_is_no_file_of_pins_and_not_the_lack_of_one() {
    let pinned = Pinned::new();
    for target in ["/dev/zero", "/dev/tty", "nowhere"] {
        std::fs::remove_file(pinned.file()).unwrap();
        std::os::unix::fs::symlink(target, pinned.file()).unwrap();
        let refused = pinned.spin(&["up"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("spin-plugins.lock"), "{}", refused.snapshot());
    }
}
