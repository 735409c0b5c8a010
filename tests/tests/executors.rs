//! The executors of the HTTP trigger: every kind of guest, run by the real `spin` with the real plugin.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "executors/craft.rs"]
mod craft;
#[path = "executors/entries.rs"]
mod entries;
#[path = "executors/first_generation.rs"]
mod first_generation;
#[path = "executors/generations.rs"]
mod generations;
#[path = "executors/hostile.rs"]
mod hostile;
#[macro_use]
#[path = "../src/hostile/named.rs"]
mod named;
#[path = "executors/hostile_cases.rs"]
mod hostile_cases;
#[path = "executors/inbound.rs"]
mod inbound;
#[path = "executors/reuse.rs"]
mod reuse;
#[path = "executors/snapshots.rs"]
mod snapshots;
#[path = "executors/wagi.rs"]
mod wagi;

use std::net::SocketAddr;

use spin_tests::{App, Finished, Running, World};

/// Every guest that the tests serve.
const GUESTS: [&str; 7] =
    ["probe-p2", "probe-p3", "inbound-probe", "wagi-probe", "wagi-probe-module", "greedy-p2", "greedy-p3"];

/// An app that runs.
struct Served {
    address: SocketAddr,
    up: Running,
    app: App,
    _world: World,
}

fn app(world: &World, manifest: &str) -> App {
    world.install("trigger-http");
    let manifest = format!("spin_manifest_version = 2\napplication = {{ name = \"app\" }}\n{manifest}");
    let app = world.app("app", &manifest, &GUESTS);
    std::fs::write(app.dir().join("file"), "a file\n").unwrap();
    app
}

/// Serves an app of this manifest, below its first two lines, with further flags for the trigger.
#[track_caller]
fn serve(manifest: &str, flags: &[&str]) -> Served {
    serve_with(manifest, flags, |_| ())
}

/// The same, after `prepare` has put further files into the app's folder.
#[track_caller]
fn serve_with(manifest: &str, flags: &[&str], prepare: impl FnOnce(&App)) -> Served {
    let world = World::new();
    let app = app(&world, manifest);
    prepare(&app);
    let arguments = ["up", "--listen", "127.0.0.1:0"].into_iter().chain(flags.iter().copied());
    let up = world.spin(arguments).in_dir(app.dir()).start();
    let address = up.serving();
    Served { address, up, app, _world: world }
}

/// How an app ends that can't start.
#[track_caller]
fn refused(manifest: &str, prepare: impl FnOnce(&App)) -> Finished {
    let world = World::new();
    let app = app(&world, manifest);
    prepare(&app);
    let ended = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    ended
}

/// An entry and its component, which have one name.
fn entry(name: &str, route: &str, source: &str, executor: &str) -> String {
    format!(
        "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"{name}\"\n{executor}\n\
         [component.{name}]\nsource = \"{source}.wasm\"\nfiles = [\"file\"]\n"
    )
}

const WAGI: &str = "executor = { type = \"wagi\" }";

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
