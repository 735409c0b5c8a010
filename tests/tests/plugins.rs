//! Installing plugins, and what `spin up` says when one is missing or doesn't fit.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "plugins/archives.rs"]
mod archives;
#[path = "plugins/catalogues.rs"]
mod catalogues;
#[path = "plugins/completions.rs"]
mod completions;
#[path = "plugins/credentials.rs"]
mod credentials;
#[path = "plugins/crowded.rs"]
mod crowded;
#[path = "plugins/external.rs"]
mod external;
#[path = "plugins/garbage.rs"]
mod garbage;
#[path = "plugins/killed.rs"]
mod killed;
#[path = "plugins/listing.rs"]
mod listing;
#[path = "plugins/mirror.rs"]
mod mirror;
#[path = "plugins/missing.rs"]
mod missing;
#[path = "plugins/notice.rs"]
mod notice;
#[path = "plugins/offline.rs"]
mod offline;
#[path = "plugins/packing.rs"]
mod packing;
#[path = "plugins/pins.rs"]
mod pins;
#[path = "plugins/public.rs"]
mod public;
#[path = "plugins/repository.rs"]
mod repository;
#[path = "plugins/signed.rs"]
mod signed;
#[path = "plugins/start.rs"]
mod start;
#[path = "plugins/store.rs"]
mod store;
#[path = "plugins/versions.rs"]
mod versions;

use std::path::{Path, PathBuf};

use spin_plugin_manager::pack::{PackRequest, Packed, pack};
use spin_tests::{App, Invocation, World};

/// A trigger as a shell script: says that it runs, and ends.
const STUB: &str = "#!/bin/sh\ncase \"$1\" in --launch-metadata-only) echo '{\"all_flags\": []}' >&2; exit 0;; esac\necho \"stub runs\"\n";

/// Packs the stub as a plugin into the world's own catalogue.
fn pack_stub(world: &World, name: &str, version: &str, spin_compatibility: &str) -> Packed {
    let executable = world.write(format!("build/{name}-{version}"), STUB);
    pack_program(world, name, version, spin_compatibility, &executable, &[])
}

/// Packs a program as a plugin into the world's own catalogue.
fn pack_program(
    world: &World,
    name: &str,
    version: &str,
    spin_compatibility: &str,
    executable: &Path,
    protocols: &[u32],
) -> Packed {
    pack(&PackRequest {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        executable,
        assets: None,
        description: "a stub",
        homepage: None,
        license: "MIT",
        spin_compatibility,
        protocols,
        platform: spin_plugin_manager::Platform::current().unwrap(),
        catalogue_dir: &catalogue(world),
    })
    .unwrap()
}

/// Runs each of these commands with the world's own catalogue, and shows all of them in one snapshot.
fn session(world: &World, commands: &[&str]) -> String {
    let run = |command: &&str| {
        let finished = world.spin(command.split(' ')).env("SPIN_CATALOGUES", catalogue(world)).run();
        without_times(&finished.snapshot())
    };
    commands.iter().map(run).collect::<Vec<_>>().join("\n")
}

/// The text with the times of RFC 3339 and the days in it replaced.
fn without_times(text: &str) -> String {
    let shape = |word: &str| word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let time = |word: &str| {
        let bare = word.trim_matches(['"', ',', '.']);
        let is_time = shape(bare).starts_with("0000-00-00T00:00:00") && bare.ends_with('Z');
        let name = if is_time { "[TIME]" } else { "[DAY]" };
        if is_time || shape(bare) == "0000-00-00" { word.replace(bare, name) } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(time).collect::<Vec<_>>().join(" ");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// `spin` with the catalogues of the configuration file.
fn configured(world: &World, arguments: &[&str]) -> Invocation {
    world.spin(arguments).env_remove("SPIN_CATALOGUES")
}

fn catalogue(world: &World) -> PathBuf {
    world.path("catalogue")
}

/// An app whose one trigger has this type.
fn app_of(world: &World, trigger_type: &str) -> App {
    let manifest = format!(
        "spin_manifest_version = 2\napplication = {{ name = \"app\" }}\n[[trigger.{trigger_type}]]\ncomponent = \"probe\"\n\
         [component.probe]\nsource = \"probe-p3.wasm\"\n"
    );
    world.app(&format!("app-{trigger_type}"), &manifest, &["probe-p3"])
}

/// Every file below a folder, relative to it, in order.
fn tree(folder: &Path) -> Vec<String> {
    fn collect(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            found.push(path.strip_prefix(root).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                collect(&path, root, found);
            }
        }
    }
    let mut found = Vec::new();
    collect(folder, folder, &mut found);
    found.sort();
    found
}
