//! What is said to people who write triggers is true: the timer on the kit's front page and every step of the tutorial.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use spin_tests::{Finished, World, repository};

/// The lines that the kit's front page may show.
const FRONT_PAGE: usize = 40;

/// Cargo's own folders, which a world has no others for; what is built goes where the programs under test were built.
fn cargo_environment(world: &World) -> Vec<(&'static str, PathBuf)> {
    let home = |name: &str| PathBuf::from(std::env::var_os("HOME").unwrap()).join(name);
    let folder = |variable: &str, usual: PathBuf| std::env::var_os(variable).map_or(usual, PathBuf::from);
    vec![
        ("CARGO_HOME", folder("CARGO_HOME", home(".cargo"))),
        ("RUSTUP_HOME", folder("RUSTUP_HOME", home(".rustup"))),
        ("CARGO_TARGET_DIR", world.dist().root().parent().unwrap().to_path_buf()),
        ("CARGO_NET_OFFLINE", "true".into()),
    ]
}

fn cargo(world: &World, folder: &Path, arguments: &[&str]) -> Finished {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut invocation = world.command(cargo).args(arguments).in_dir(folder);
    for (name, value) in cargo_environment(world) {
        invocation = invocation.env(name, value);
    }
    invocation.start().finish_within(std::time::Duration::from_secs(1800))
}

#[test]
fn the_timer_is_short_and_the_one_on_the_front_page() {
    let timer = std::fs::read_to_string(repository().join("examples/triggers/timer/src/main.rs")).unwrap();
    assert!(timer.lines().count() <= FRONT_PAGE, "{} lines", timer.lines().count());
    let page = std::fs::read_to_string(repository().join("trigger/src/lib.rs")).unwrap();
    let shown: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "//! ```no_run")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//! ").unwrap_or(""))
        .collect();
    assert_eq!(shown, timer.lines().collect::<Vec<_>>());
}

#[test]
fn the_timer_builds_outside_the_workspace_and_runs() {
    let world = World::new();
    let crate_folder = repository().join("examples/triggers/timer");
    cargo(&world, &crate_folder, &["build", "--quiet", "--locked", "--release"]).success();
    let built = world.dist().root().parent().unwrap().join("release/trigger-timer");
    let app = world.app(
        "app",
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.timer]]\ncomponent = \"one\"\n\
         interval_secs = 1\n[component.one]\nsource = \"trigger-probe.wasm\"\n",
        &["trigger-probe"],
    );
    let path = format!("trigger-timer={}", built.display());
    let up = world.spin(["up", "--plugin-path", &path]).in_dir(app.dir()).start();
    up.stderr().wait_for("tick");
    up.stop().success();
}

/// A fenced block of the tutorial: what follows the language, and the text.
struct Block {
    language: String,
    rest: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
        let text: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        blocks.push(Block { language: language.to_owned(), rest: rest.to_owned(), text });
    }
    blocks
}

#[test]
fn every_step_of_the_tutorial_works_as_it_is_written() {
    let world = World::new();
    let folder = world.path("apps");
    let document = std::fs::read_to_string(repository().join("docs/authoring-triggers.md")).unwrap();
    let path = std::env::join_paths(
        std::iter::once(world.dist().root().join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let path = path.unwrap();
    let mut steps = 0;
    for Block { language, rest, text } in blocks(&document) {
        if language != "sh" {
            let file = folder.join(&rest);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
            if rest == "pulse/src/main.rs" {
                // The versions that the workspace has: nothing is downloaded, and the engine isn't built a second time.
                let lock = std::fs::read_to_string(repository().join("examples/triggers/timer/Cargo.lock")).unwrap();
                let lock = lock.replace(
                    "name = \"trigger-timer\"\nversion = \"1.0.0\"",
                    "name = \"trigger-pulse\"\nversion = \"0.1.0\"",
                );
                std::fs::write(folder.join("pulse/Cargo.lock"), lock).unwrap();
            }
            continue;
        }
        steps += 1;
        let text = if rest.is_empty() { text } else { text.replace("\nspin up", "\nexec spin up") };
        let mut shell = world.command("/bin/sh").args(["-e", "-c", &text]).in_dir(&folder);
        for (name, value) in cargo_environment(&world) {
            shell = shell.env(name, value);
        }
        let shell = shell.env("PATH", &path).env("SPIN_SOURCE", repository()).env_remove("SPIN_CATALOGUES");
        match rest.strip_prefix("until ") {
            Some(line) => {
                let running = shell.start();
                running.stdout().wait_for(line);
                running.stop().success();
            }
            None => drop(shell.start().finish_within(std::time::Duration::from_secs(1800)).success()),
        }
    }
    assert_eq!(steps, 7, "the tutorial has other steps than this test knows of");
}

#[test]
fn what_the_kit_is_published_as_holds_its_interfaces() {
    for (package, file) in
        [("spin-component-runtime", "wit/"), ("spin-trigger-kit", "src/lib.rs"), ("spin-app-model", "src/lib.rs")]
    {
        let listed = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["package", "--list", "--allow-dirty", "--offline", "--locked", "--package", package])
            .current_dir(repository())
            .output()
            .unwrap();
        let files = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        assert!(files.lines().any(|line| line.starts_with(file)), "{package} is published without {file}:\n{files}");
        if package == "spin-component-runtime" {
            assert!(files.contains(".wit"), "{files}");
        }
    }
}
