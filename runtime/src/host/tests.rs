//! What is linked, of all that SDKs import: `docs/interfaces.md` is made here.
//!
//! `SPIN_BLESS=1` writes it instead of comparing.

#[path = "../../../tests/src/worlds.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is the end-to-end tests', who make more of it")]
pub(crate) mod worlds;

use std::collections::BTreeMap;
use std::fmt::Write;

use wasmtime::component::Component;

use super::linker;
use crate::adapt::pre_release;
use crate::engine::{Concurrency, EngineOptions, RunningEngine};
use crate::interface;
use worlds::Worlds;

const INTRODUCTION: &str = "\
# What components can import

Made from what the runtime links, and from the worlds of SDKs (`tests/data/worlds.wit`), by a test
(`runtime/src/host/tests.rs`). A component of one of these worlds loads even if its compiler keeps everything that
the world imports.

Of WASI 0.2 every version is served, 0.2.0 to 0.2.12 and whatever follows, in any mixture in one component; of 0.3 the release
0.3.0 and the candidate 0.3.0-rc-2026-03-15; and both snapshots of 2023. Which functions of the snapshots answer that
they aren't supported stands in `runtime/src/host/snapshots.rs`.
";

/// What becomes of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Served,
    NotOffered,
}

impl State {
    fn text(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::NotOffered => "not offered",
        }
    }
}

/// The interfaces of these names, each with its state: a component that imports all of one interface is linked as any is.
fn states(interfaces: &[String]) -> Vec<State> {
    let mut text = String::new();
    for (index, interface) in interfaces.iter().enumerate() {
        let _ = writeln!(text, "world one{index} {{ import {interface}; }}");
    }
    let worlds = Worlds::read(&text);
    let running = RunningEngine::new(&EngineOptions { pooling: false, ..EngineOptions::default() }).expect("an engine");
    let engine = running.engine(Concurrency::With).expect("an engine");
    let linker = linker(engine, Concurrency::With).expect("linked");
    let state = |index: usize| {
        let component = worlds::component(&worlds.module(&format!("one{index}"), "", ""));
        let component = Component::new(engine, pre_release::rename(component)).expect("a component");
        match linker.instantiate_pre(&component) {
            Ok(_) => State::Served,
            Err(_) => State::NotOffered,
        }
    };
    (0..interfaces.len()).map(state).collect()
}

/// The package of an interface with its version, and its name in that.
fn split(interface: &str) -> (String, &str) {
    let (path, version) = interface::split(interface);
    let (package, name) = path.split_once('/').expect("an interface of a package");
    (version.map_or_else(|| package.to_owned(), |version| format!("{package}@{version}")), name)
}

fn document() -> String {
    let worlds = Worlds::read("");
    let mut importers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for world in worlds.names() {
        for interface in worlds.imports(world) {
            importers.entry(interface).or_default().push(world);
        }
    }
    let interfaces: Vec<String> = importers.keys().cloned().collect();
    // Interfaces of one package that are imported by the same worlds and are in the same state share a line.
    let mut lines: BTreeMap<(String, &[&str], State), Vec<&str>> = BTreeMap::new();
    for (interface, state) in interfaces.iter().zip(states(&interfaces)) {
        let (package, name) = split(interface);
        lines.entry((package, importers[interface].as_slice(), state)).or_default().push(name);
    }
    let mut text = format!("{INTRODUCTION}\n| world | whose components |\n|---|---|\n");
    for world in worlds.names() {
        let _ = writeln!(text, "| {world} | {} |", worlds.documentation(world));
    }
    text.push_str("\n| package | interfaces | in the worlds | state |\n|---|---|---|---|\n");
    for ((package, worlds, state), names) in lines {
        let (names, worlds, state) = (names.join(", "), worlds.join(", "), state.text());
        let _ = writeln!(text, "| `{package}` | {names} | {worlds} | {state} |");
    }
    text
}

#[test]
fn the_documentation_of_interfaces_is_what_is_linked() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/interfaces.md");
    let made = document();
    if std::env::var_os("SPIN_BLESS").is_some() {
        std::fs::write(path, made).expect("the document can be written");
        return;
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        made == written,
        "docs/interfaces.md is not what is linked; SPIN_BLESS=1 makes it so. It would be:\n{made}"
    );
}

#[test]
fn all_of_every_version_of_wasi_is_linked() {
    let mut text = String::new();
    let versions = worlds::wasi_versions();
    for (index, version) in versions.iter().enumerate() {
        let cli = if version.contains("-rc-2023-") { "reactor" } else { "imports" };
        let http = if version.starts_with("0.3") { "client" } else { "outgoing-handler" };
        let _ = writeln!(
            text,
            "world all{index} {{ include wasi:cli/{cli}@{version}; import wasi:http/{http}@{version}; }}"
        );
    }
    let worlds = Worlds::read(&text);
    let mut interfaces = Vec::new();
    for index in 0..versions.len() {
        interfaces.extend(worlds.imports(&format!("all{index}")));
    }
    let states = states(&interfaces);
    let others: Vec<_> = interfaces.iter().zip(states).filter(|(_, state)| *state != State::Served).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(interfaces.len() > 400, "{}", interfaces.len());
}

#[test]
fn what_nobody_offers_is_known_as_such() {
    assert_eq!(states(&["wasi:http/handler@0.3.0".to_owned()]), [State::NotOffered]);
}
