//! The flags that every trigger has, given to the real `spin up` and carried out by the real HTTP trigger.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "flags/cache.rs"]
mod cache;
#[path = "flags/compiled_code.rs"]
mod compiled_code;
#[path = "flags/engine.rs"]
mod engine;
#[path = "flags/logs.rs"]
mod logs;
#[path = "flags/notice.rs"]
mod notice;
#[path = "flags/questions.rs"]
mod questions;
#[path = "flags/runtime_config.rs"]
mod runtime_config;
#[path = "flags/secrets.rs"]
mod secrets;
#[path = "flags/variables.rs"]
mod variables;

use std::path::{Path, PathBuf};

use spin_tests::{App, Finished, Invocation, Running, World, http, probes};

/// Variables of each kind.
const VARIABLES: &str = r#"
[variables]
a = { default = "default" }
b = { default = "default" }
c = { default = "default" }
d = { default = "default" }
e = { default = "default" }
"#;

/// What the newer of the two probes has.
const NEW: &str = r#"
files = [{ source = "assets", destination = "/" }]
variables = { all = "{{ a }}/{{ b }}/{{ c }}/{{ d }}/{{ e }}" }
"#;

/// What the app's component makes of its variables when nothing gives them values.
const DEFAULTS: &str = "default/default/default/default/default";

/// An app that can be started with flags, again and again.
struct Site {
    world: World,
    app: App,
}

impl Site {
    fn new() -> Self {
        let world = World::new();
        world.install("trigger-http");
        world.write("apps/app/assets/a.txt", "the file a\n");
        let app = probes::app(&world, &format!("{VARIABLES}{}", probes::both_with("", NEW)));
        Self { world, app }
    }

    /// A path in the app's folder, which is also the working folder of [`Self::up`].
    fn path(&self, relative: &str) -> PathBuf {
        self.app.dir().join(relative)
    }

    /// Writes a file in the app's folder.
    fn write(&self, relative: &str, text: &str) -> PathBuf {
        self.world.write(Path::new("apps/app").join(relative), text)
    }

    fn up(&self, flags: &[&str]) -> Invocation {
        let arguments = ["up", "--listen", "127.0.0.1:0"].into_iter().chain(flags.iter().copied());
        self.world.spin(arguments).in_dir(self.app.dir())
    }

    /// Starts, asks the newer probe for `path`, and stops: the answer, and what was said.
    #[track_caller]
    fn ask(&self, up: Invocation, path: &str) -> (String, Finished) {
        let up = up.start();
        let answer = http::get(up.serving(), &format!("/p3{path}")).text();
        (answer, up.stop().success())
    }
}

/// The number of the trigger process that `up` has started.
fn trigger_of(up: &Running) -> String {
    let children = std::fs::read_dir(format!("/proc/{}/task", up.pid())).unwrap().map(|task| {
        let children = task.unwrap().path().join("children");
        std::fs::read_to_string(children).unwrap_or_default()
    });
    children.collect::<String>().trim().to_owned()
}

/// All files below a folder, by their paths in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let below = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path) } else { vec![path] }
    });
    below.collect()
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
