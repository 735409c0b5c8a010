//! A git repository that looks like the public one: 19 plugins, 133 manifests, no index, versions that are not semantic,
//! a platform of a later time.

use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use spin_tests::{Signal, World};

use super::{STUB, app_of, catalogue, configured, pack_stub};

const PLUGINS: [&str; 19] = [
    "aka",
    "azure",
    "blueprint",
    "check-for-update",
    "cloud",
    "cloud-gpu",
    "gh",
    "js2wasm",
    "kube",
    "otel",
    "pluginify",
    "py2wasm",
    "stackit",
    "trigger-command",
    "trigger-cron",
    "trigger-kinesis",
    "trigger-mqtt",
    "trigger-sqs",
    "verman",
];

/// A manifest for every platform, one of which nobody knows yet; its packages are on the web.
fn manifest(name: &str, version: &str) -> String {
    let package = |os: &str, arch: &str| {
        let digest = "ab".repeat(32);
        format!(r#"{{"os":"{os}","arch":"{arch}","url":"http://127.0.0.1:9/{name}.tar.gz","sha256":"{digest}"}}"#)
    };
    let mut packages = vec![package("linux", "amd64"), package("linux", "aarch64"), package("macos", "aarch64")];
    if name == "otel" {
        packages.insert(0, package("plan9", "mips"));
    }
    format!(
        r#"{{"name":"{name}","description":"a look-alike","homepage":"https://example.org","version":"{version}",
            "spinCompatibility":">=2.0","license":"Apache-2.0","packages":[{}]}}"#,
        packages.join(",")
    )
}

/// Writes the manifests into the world's catalogue folder: seven releases of each plugin, the newest without a version
/// in its file's name. `trigger-cron` is a real package, so that it can be installed.
fn look_alike(world: &World) -> usize {
    pack_stub(world, "trigger-cron", "0.6.0", ">=3.0");
    let root = catalogue(world);
    std::fs::remove_file(root.join("index.json")).unwrap();
    std::fs::remove_file(root.join("manifests/trigger-cron/trigger-cron@0.6.0.json")).unwrap();
    for name in PLUGINS {
        let folder = format!("catalogue/manifests/{name}");
        for minor in 0..6 {
            // Two files of the public repository hold versions of two numbers.
            let version = match (name, minor) {
                ("trigger-kinesis" | "verman", 1) => "0.1".to_owned(),
                _ => format!("0.{minor}.0"),
            };
            world.write(format!("{folder}/{name}@0.{minor}.0.json"), manifest(name, &version));
        }
        if name != "trigger-cron" {
            world.write(format!("{folder}/{name}.json"), manifest(name, "0.6.0"));
        }
    }
    let folders = std::fs::read_dir(root.join("manifests")).unwrap();
    let is_manifest = |path: &Path| path.extension().is_some_and(|ending| ending == "json");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    files.filter(|file| is_manifest(&file.as_ref().unwrap().path())).count()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgSign=false"]);
    let status = git.args(arguments).current_dir(folder).status().expect("git (package git) can be started");
    assert!(status.success(), "git {arguments:?}");
}

#[test]
fn a_look_alike_of_the_public_repository_resolves_and_installs() {
    let world = World::new();
    assert_eq!(look_alike(&world), 133);
    let root = catalogue(&world);
    git(&root, &["init", "--quiet", "--initial-branch=main"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--quiet", "--message=x"]);
    // Hooks that the user's own configuration would put into every clone do not run in ours.
    let hook = world.write("hooks/post-checkout", format!("#!/bin/sh\ntouch {}\n", world.path("hooked").display()));
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.write("home/.gitconfig", format!("[core]\n\thooksPath = {}\n", world.path("hooks").display()));

    let spin = |arguments: &[&str]| configured(&world, arguments).run().snapshot();
    let said = [
        spin(&["plugins", "catalogue", "add", "spin", "--git", &format!("file://{}", root.display())]),
        spin(&["plugins", "update"]),
        spin(&["plugins", "update"]),
        spin(&["plugins", "install", "trigger-cron", "--yes"]),
        spin(&["plugins", "install", "trigger-corn", "--yes"]),
        spin(&["plugins", "install", "trigger-kinesis@0.1.0", "--yes"]),
        spin(&["plugins", "install", "otel"]),
        spin(&["plugins", "list", "--summary"]),
        spin(&["plugins", "search", "kinesis"]),
        spin(&["plugins", "outdated"]),
    ];
    assert_snapshot!(said.join("\n"));
    let all = configured(&world, &["plugins", "list", "--json"]).run().success().stdout;
    assert_eq!(all.matches("\"name\"").count(), 133, "each version once\n{all}");
    assert!(!world.path("hooked").exists());
    let app = app_of(&world, "cron");
    let up = configured(&world, &["up"]).in_dir(app.dir()).run().success();
    assert!(up.stdout.contains("stub runs") && STUB.contains("stub runs"), "{}", up.snapshot());
}

/// A `git` that never answers ends with the `spin` that has started it, also when that one is killed.
#[test]
fn git_does_not_outlive_spin() {
    let world = World::new();
    let started = world.path("started");
    world.command("/usr/bin/mkfifo").args([&started]).run().success();
    let stub = world.write("stubs/git", format!("#!/bin/sh\necho $$ >{}\nexec sleep 600\n", started.display()));
    std::fs::set_permissions(&stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    configured(&world, &["plugins", "catalogue", "add", "x", "--git", "https://example.org/x"]).run().success();
    let path = format!("{}:{}", world.path("stubs").display(), std::env::var("PATH").unwrap());
    let update = configured(&world, &["plugins", "update"]).env("PATH", path).start();
    let pid = std::fs::read_to_string(&started).unwrap().trim().parse().unwrap();
    let git = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()).unwrap();
    update.signal(Signal::KILL);
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(&git, PollFlags::IN)], Some(&patience)), Ok(1), "git is still there");
}
