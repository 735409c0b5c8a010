//! What `spin` costs in front of an external command, and what listing many plugins costs, in processor time and as ratios
//! to what cannot be had for less: starting the plugin itself, and reading the manifests.
//!
//! `cargo xtask bench commands`

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spin_tests::World;

/// How often a command is started: enough for a clock that ticks a hundred times a second.
const STARTS: u32 = 500;
/// How often everything is listed, and read.
const LISTINGS: u32 = 10;
const PLUGINS: u32 = 1000;
const VERSIONS: u32 = 10;

fn main() {
    let world = World::new();
    starting(&world);
    listing(&world);
}

fn starting(world: &World) {
    let plugin = world.write("build/nothing", "#!/bin/sh\n");
    std::fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    let pack = ["plugins", "pack", "build/nothing", "--version", "1.0.0", "--license", "MIT", "--description", "x"];
    let catalogue = world.path("catalogue");
    world.spin(pack).args(["--to", "catalogue"]).in_dir(world.path(".")).run().success();
    let install = world.spin(["plugins", "install", "nothing", "--yes"]).env("SPIN_CATALOGUES", &catalogue);
    install.run().success();
    let alone = each(STARTS, || run(&mut Command::new(&plugin)));
    let through = each(STARTS, || run(spin(world, &catalogue).arg("nothing")));
    let ours = through.saturating_sub(alone);
    println!("a plugin by itself: {alone:?}; spin in front of it: {ours:?}; ratio {:.2}", ratio(ours, alone));
}

fn listing(world: &World) {
    for number in 0..PLUGINS {
        for version in 0..VERSIONS {
            let (name, version) = (format!("plugin-{number}"), format!("0.{version}.0"));
            world.write(format!("many/manifests/{name}/{name}@{version}.json"), manifest(&name, &version));
        }
    }
    let many = world.path("many");
    let list = || run(spin(world, &many).args(["plugins", "list"]));
    let reading = each(LISTINGS, || read(&many));
    let scanned = each(LISTINGS, list);
    println!("10 000 manifests: read in {reading:?}, listed in {scanned:?}; ratio {:.2}", ratio(scanned, reading));

    // The first package gives the catalogue an index of everything.
    let pack = ["plugins", "pack", "build/nothing", "--version", "1.0.0", "--license", "MIT", "--description", "x"];
    world.spin(pack).args(["--to", "many"]).in_dir(world.path(".")).run().success();
    let listed = each(LISTINGS, list);
    println!("with an index: listed in {listed:?}; ratio {:.2}", ratio(listed, reading));
}

fn manifest(name: &str, version: &str) -> String {
    format!(
        r#"{{"name":"{name}","version":"{version}","description":"a plugin","spinCompatibility":">=2.2","license":"MIT",
"packages":[{{"os":"linux","arch":"amd64","url":"https://example.org/{name}.tar.gz","sha256":"{0}"}}]}}"#,
        "0".repeat(64)
    )
}

/// `spin` in the world, without anything around it that would cost something.
fn spin(world: &World, catalogues: &Path) -> Command {
    let mut spin = Command::new(world.dist().bin("spin"));
    spin.env_clear().env("HOME", world.home()).env("SPIN_DATA_DIR", world.data());
    spin.env("SPIN_CATALOGUES", catalogues);
    spin
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("it can be started");
    assert!(status.success(), "{status}");
}

fn read(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => read(&path),
            false => assert!(!std::fs::read(&path).expect("a file").is_empty()),
        }
    }
}

/// The processor time that doing it once takes, of this process and of those that it waits for.
fn each(times: u32, work: impl Fn()) -> Duration {
    let before = processor_time();
    (0..times).for_each(|_| work());
    (processor_time() - before) / times
}

fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the kernel tells it");
    let (_, behind) = stat.rsplit_once(')').expect("the name of the program is in brackets");
    // utime, stime, cutime and cstime, in hundredths of a second.
    let ticks = behind.split_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<u64>().expect("a number"));
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

fn ratio(this: Duration, to: Duration) -> f64 {
    this.as_secs_f64() / to.as_secs_f64()
}
