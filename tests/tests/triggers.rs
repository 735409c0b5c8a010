//! Triggers of an app: several side by side, the end of one, reloads, and the admin listener.
//!
//! They are stubs: shell scripts that know only protocol 0, and a program in Python that speaks protocol 1. What `spin`
//! does with them must not depend on what they serve.

#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
#[path = "../src/hostile/named.rs"]
mod named;

mod triggers {
    mod admin;
    mod control;
    mod groups;
    mod hostile_cases;
    mod policies;
    mod reload;
    mod supervision;
}

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spin_tests::{App, Invocation, Running, World};

/// A trigger that speaks protocol 1: see there.
const STUB: &str = include_str!("../data/triggers/stub.py");

/// A trigger that knows only protocol 0: waits until it is asked to end.
const WAITS: &str = "trap 'echo ends in order; exit 0' TERM\necho \"waits: $*\"\n\
    mkfifo \"$0.never\" 2>/dev/null; exec 3<>\"$0.never\"; read -r line <&3";

/// More than anything here takes, also on a busy machine, and less than the grace.
const SOON: Duration = Duration::from_secs(20);

/// A world with triggers that are development overrides.
struct Stubs {
    world: World,
    names: Vec<String>,
}

impl Stubs {
    fn new() -> Self {
        Self { world: World::new(), names: Vec::new() }
    }

    /// A trigger of this type that speaks protocol 1.
    fn stub(self, name: &str) -> Self {
        self.executable(name, STUB)
    }

    /// A trigger of this type that is a shell script.
    fn script(self, name: &str, text: &str) -> Self {
        self.executable(name, &format!("#!/bin/sh\n{text}\n"))
    }

    /// What a trigger tells of its flags. A script has to print it itself.
    fn tells(self, name: &str, metadata: &str) -> Self {
        self.world.write(format!("trigger-{name}.json"), metadata);
        self
    }

    fn executable(mut self, name: &str, text: &str) -> Self {
        let path = self.world.write(format!("trigger-{name}"), text);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        self.names.push(name.to_owned());
        self
    }

    /// An app with one entry for each trigger: `lines` has what stands in the entries.
    fn app(&self, lines: &[(&str, &str)]) -> App {
        self.world.app("app", &manifest(lines), &["hello"])
    }

    /// Another manifest for the app.
    fn rewrite(&self, lines: &[(&str, &str)]) {
        self.world.write("apps/app/spin.toml", manifest(lines));
    }

    /// `spin up` with all triggers as overrides.
    fn up(&self, app: &App, arguments: &[&str]) -> Invocation {
        let overrides = self.names.iter().flat_map(|name| {
            let path = self.world.path(format!("trigger-{name}"));
            ["--plugin-path".to_owned(), format!("trigger-{name}={}", path.display())]
        });
        self.world.spin(["up"]).args(overrides).args(arguments).in_dir(app.dir())
    }

    /// The pipe that stubs wait for.
    fn gate(&self) -> Gate {
        let path = self.world.path("apps/app/gate");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        Gate(path)
    }

    /// The folders of generations that the running app has.
    fn generations(&self) -> Vec<String> {
        let workdirs = std::fs::read_dir(self.world.path("tmp")).unwrap().flatten().map(|entry| entry.path());
        let inside = workdirs.flat_map(|workdir| std::fs::read_dir(workdir).into_iter().flatten().flatten());
        let names = inside.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name.starts_with("gen-")).collect();
        names.sort();
        names
    }
}

/// A pipe that a stub waits for.
struct Gate(PathBuf);

impl Gate {
    /// Lets the stub that waits go on; waits for it.
    fn open(&self) {
        std::fs::write(&self.0, "go on\n").unwrap();
    }
}

/// Waits until so many triggers have said something, in whatever order.
#[track_caller]
fn all_said(up: &Running, triggers: usize) {
    for _ in 0..triggers {
        up.stdout().line_within(SOON, |line| line.starts_with('[')).unwrap();
    }
}

fn manifest(lines: &[(&str, &str)]) -> String {
    let mut text = "spin_manifest_version = 2\napplication = { name = \"app\" }\n".to_owned();
    for (name, entry) in lines {
        text.push_str(&format!("[[trigger.{name}]]\ncomponent = \"a\"\n{entry}\n"));
    }
    text + "[component.a]\nsource = \"hello.wasm\"\n"
}

/// Waits until something is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// The address that `spin` says it answers at.
#[track_caller]
fn admin(up: &Running) -> SocketAddr {
    let line = up.stderr().wait_for("Admin endpoints: http://");
    let (_, behind) = line.split_once("http://").unwrap();
    behind.split('/').next().unwrap().parse().unwrap()
}
