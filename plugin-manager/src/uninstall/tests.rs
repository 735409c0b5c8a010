//! Tests of uninstalling, killed ones among them: this test binary starts itself.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::step::Step;
use crate::testing::{self, World, name, runtime};
use crate::{PluginManager, Silent};

const FOLDER: &str = "SPIN_TEST_FOLDER";
const VERSION: &str = "SPIN_TEST_VERSION";

fn uninstall(world: &World, version: Option<&str>) -> Uninstalled {
    let version = version.map(|version| version.parse().unwrap());
    runtime().block_on(world.manager().uninstall(&name("trigger-demo"), version.as_ref(), &Silent)).unwrap()
}

/// A world with two versions, both started once.
fn world() -> World {
    let world = World::new();
    for version in ["1.0.0", "1.1.0"] {
        world.pack("trigger-demo", version, ">=4", &[]);
        world.install("trigger-demo").unwrap();
        world.manager().resolve(&name("trigger-demo")).unwrap();
    }
    world
}

fn versions(world: &World) -> Vec<String> {
    world.manager().installed().unwrap().into_iter().map(|held| held.version.to_string()).collect()
}

/// How many versions there is a mark of when they were started for.
fn marks(world: &World) -> usize {
    fs::read_dir(world.path("data/plugin-store/v1/started/trigger-demo")).into_iter().flatten().count()
}

#[test]
fn one_version_goes_or_all_of_them_and_twice_is_the_same() {
    let world = world();
    let none = uninstall(&world, Some("3.0.0"));
    assert_eq!((none.versions.len(), none.active.unwrap().as_str()), (0, "1.1.0"));
    let one = uninstall(&world, Some("1.1.0"));
    assert_eq!((one.versions[0].as_str(), one.active.unwrap().as_str()), ("1.1.0", "1.0.0"));
    assert_eq!(versions(&world), ["1.0.0"]);
    let left = world.store();
    assert_eq!((left.len(), marks(&world)), (2, 1), "{left:?}");
    assert_eq!(uninstall(&world, Some("1.1.0")).versions.len(), 0);
    assert_eq!(world.store(), left);

    let rest = uninstall(&world, None);
    assert_eq!((rest.versions.len(), rest.active), (1, None));
    assert!(world.store().is_empty() && marks(&world) == 0, "{:?}", world.store());
    assert_eq!(uninstall(&world, None).versions.len(), 0);
}

#[test]
fn uninstalling_the_chosen_version_ends_the_choice() {
    let world = world();
    runtime().block_on(world.manager().activate(&name("trigger-demo"), &"1.0.0".parse().unwrap(), &Silent)).unwrap();
    assert_eq!(uninstall(&world, Some("1.0.0")).active.unwrap().as_str(), "1.1.0");
}

#[test]
fn what_was_never_installed_leaves_no_trace() {
    let world = World::new();
    assert_eq!(uninstall(&world, None).versions.len(), 0);
    assert!(!world.path("data").exists());
}

#[test]
fn what_the_public_spin_owns_is_told_and_stays() {
    let world = world();
    let packed = world.pack("trigger-demo", "1.2.0", ">=4", &[]);
    let public = world.path("data/plugins");
    fs::create_dir_all(public.join("manifests")).unwrap();
    fs::create_dir_all(public.join("trigger-demo")).unwrap();
    fs::copy(&packed.manifest, public.join("manifests/trigger-demo.json")).unwrap();
    fs::write(public.join("trigger-demo/trigger-demo"), "#!/bin/sh\n").unwrap();
    assert_eq!(uninstall(&world, Some("1.1.0")).public, None, "another version was meant");
    let all = uninstall(&world, None);
    assert_eq!((all.versions.len(), all.active.unwrap().as_str()), (1, "1.2.0"));
    assert_eq!(all.public.unwrap(), "1.2.0");
    assert_eq!(versions(&world), ["1.2.0"]);
    assert!(public.join("trigger-demo/trigger-demo").exists());
}

/// Not a test by itself: what the processes below run.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let manager = PluginManager::new(testing::settings(Path::new(&folder)));
    let version = std::env::var(VERSION).ok().map(|version| version.parse().unwrap());
    runtime().block_on(manager.uninstall(&name("trigger-demo"), version.as_ref(), &Silent)).unwrap();
}

#[test]
fn killed_at_any_step_the_old_state_or_the_new_holds_and_the_next_change_cleans_up() {
    // The record is written only where a version is left for it.
    for (version, step) in
        [(Some("1.1.0"), Step::RecordWritten), (Some("1.1.0"), Step::Forgotten), (None, Step::Forgotten)]
    {
        let world = world();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "uninstall::tests::child", "--quiet"]).stdout(std::process::Stdio::null());
        command.env(FOLDER, world.path("")).env("SPIN_TEST_KILL_AT", format!("{step:?}"));
        let status = command.envs(version.map(|version| (VERSION, version))).status().unwrap();
        assert_eq!(status.signal(), Some(9), "{step:?} was not reached");
        let expected: &[&str] = match (step, version) {
            (Step::RecordWritten, _) => &["1.0.0", "1.1.0"],
            (_, Some(_)) => &["1.0.0"],
            (_, None) => &[],
        };
        assert_eq!(versions(&world), expected, "{step:?}");
        let intact = world.manager().verify(&[]).unwrap();
        assert!(intact.len() == expected.len() && intact.iter().all(|one| one.damage.is_none()), "{intact:?}");
        uninstall(&world, version);
        let left = if version.is_some() { (2, 1) } else { (0, 0) };
        assert_eq!((world.store().len(), marks(&world)), left, "{step:?}: {:?}", world.store());
    }
}

#[test]
fn an_installation_cleans_up_after_a_killed_uninstall() {
    let world = world();
    fs::remove_file(world.path("data/plugin-store/v1/installed/trigger-demo.json")).unwrap();
    world.pack("trigger-demo", "1.2.0", ">=4", &[]);
    world.install("trigger-demo").unwrap();
    assert_eq!(versions(&world), ["1.2.0"]);
    assert_eq!(world.store().len(), 2, "{:?}", world.store());
}
