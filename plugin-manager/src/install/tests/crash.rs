//! Killed and concurrent installations, in processes of their own: this test binary starts itself.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::Barrier;

use super::*;
use crate::testing;

const FOLDER: &str = "SPIN_TEST_FOLDER";

/// Not a test by itself: what the processes below run.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let manager = crate::PluginManager::new(testing::settings(Path::new(&folder)));
    install(&manager, &InstallRequest::by_name(name("trigger-demo"))).unwrap();
}

fn start(world: &World, kill_at: Option<Step>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "install::tests::crash::child", "--quiet"]).env(FOLDER, world.path(""));
    if let Some(step) = kill_at {
        command.env("SPIN_TEST_KILL_AT", format!("{step:?}"));
    }
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

fn version(world: &World) -> Option<String> {
    match world.manager().resolve(&name("trigger-demo")) {
        Ok(executable) => {
            let text = fs::read_to_string(&executable.path).unwrap();
            assert_eq!(text, format!("#!/bin/sh\necho trigger-demo {}\n", executable.version), "a mixture");
            Some(executable.version.to_string())
        }
        Err(ResolveError::Available { .. }) => None,
        Err(error) => panic!("neither the old state nor the new: {error}"),
    }
}

const STEPS: [Step; 9] = [
    Step::Locked,
    Step::Swept,
    Step::Fetching,
    Step::Fetched,
    Step::Unpacking,
    Step::Unpacked,
    Step::Renamed,
    Step::RecordWritten,
    Step::Recorded,
];

#[test]
fn killed_at_any_step_the_old_state_or_the_new_holds_and_the_next_install_cleans_up() {
    for upgrade in [false, true] {
        for step in STEPS {
            let world = World::new();
            let old = upgrade.then(|| {
                world.pack("trigger-demo", "1.0.0", "*", &[]);
                world.install("trigger-demo").unwrap();
                "1.0.0".to_owned()
            });
            world.pack("trigger-demo", "2.0.0", "*", &[]);
            let status = start(&world, Some(step)).wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{step:?} was not reached");
            let expected = if step == Step::Recorded { Some("2.0.0".to_owned()) } else { old };
            assert_eq!(version(&world), expected, "killed at {step:?}");

            world.install("trigger-demo").unwrap();
            assert_eq!(version(&world).as_deref(), Some("2.0.0"));
            if step != Step::Recorded {
                let hidden: Vec<_> = world.store().into_iter().filter(|path| path.contains("/.")).collect();
                assert!(hidden.is_empty(), "left by {step:?}: {hidden:?}");
            }
            let releases = world.store().iter().filter(|path| path.starts_with("store/")).count();
            assert_eq!(releases, if upgrade { 2 } else { 1 }, "after {step:?}: {:?}", world.store());
        }
    }
}

#[test]
fn killed_while_repairing_the_next_install_repairs() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    let path = world.install("trigger-demo").unwrap().executable;
    fs::write(&path, "damaged").unwrap();
    assert_eq!(start(&world, Some(Step::MovedAway)).wait().unwrap().signal(), Some(9));
    let code = world.manager().resolve(&name("trigger-demo")).unwrap_err().code();
    assert_eq!(code, "plugin::executable-missing", "never the damaged one");
    world.install("trigger-demo").unwrap();
    assert_eq!(version(&world).as_deref(), Some("1.0.0"));
    assert_eq!(world.store().len(), 2);
}

#[test]
fn sixteen_processes_install_one_plugin() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    let mut children: Vec<_> = (0..16).map(|_| start(&world, None)).collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(version(&world).as_deref(), Some("1.0.0"));
    assert_eq!(world.store().len(), 2, "{:?}", world.store());
}

#[test]
fn threads_install_different_versions_of_one_plugin_at_once() {
    let world = World::new();
    let versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
    for version in versions {
        world.pack("trigger-demo", version, "*", &[]);
    }
    let barrier = Barrier::new(versions.len() * 2);
    std::thread::scope(|scope| {
        for version in versions.iter().chain(&versions) {
            let (world, barrier) = (&world, &barrier);
            scope.spawn(move || {
                barrier.wait();
                world.carry_out(&request("trigger-demo", &format!("={version}"))).unwrap();
            });
        }
    });
    let installed: Vec<_> = world.manager().installed().unwrap().iter().map(|held| held.version.to_string()).collect();
    assert_eq!(installed, versions);
    assert_eq!(version(&world).as_deref(), Some("1.3.0"));
}

#[test]
fn an_install_that_is_given_up_leaves_nothing_and_frees_the_lock() {
    let world = World::new();
    world.pack("trigger-demo", "1.0.0", "*", &[]);
    let manager = world.manager();
    let plan = crate::testing::plan(&manager, &InstallRequest::by_name(name("trigger-demo"))).unwrap();
    for polls in 0..8 {
        let runtime = testing::runtime();
        runtime.block_on(async {
            let mut install = Box::pin(manager.install(&plan, &crate::Silent));
            let mut left = polls;
            std::future::poll_fn(|context| {
                if left == 0 {
                    return std::task::Poll::Ready(());
                }
                left -= 1;
                install.as_mut().poll(context).map(|_| ())
            })
            .await;
        });
        // Waits for the task that unpacks, should it have begun.
        drop(runtime);
        let left: Vec<_> = world.store().into_iter().filter(|path| path.contains("/.")).collect();
        assert!(left.is_empty(), "given up after {polls}: {left:?}");
    }
    world.install("trigger-demo").unwrap();
    assert_eq!(version(&world).as_deref(), Some("1.0.0"));
}
