//! Installing plugins, and what `spin up` says when one is missing or doesn't fit.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "plugins/archives.rs"]
mod archives;
#[path = "plugins/missing.rs"]
mod missing;
#[path = "plugins/store.rs"]
mod store;

use std::path::{Path, PathBuf};

use spin_plugin_manager::pack::{PackRequest, Packed, pack};
use spin_tests::{App, World};

/// A trigger as a shell script: says that it runs, and ends.
const STUB: &str = "#!/bin/sh\ncase \"$1\" in --launch-metadata-only) echo '{\"all_flags\": []}' >&2; exit 0;; esac\necho \"stub runs\"\n";

/// Packs the stub as a plugin into the world's own catalogue.
fn pack_stub(world: &World, name: &str, version: &str, spin_compatibility: &str) -> Packed {
    let executable = world.write(format!("build/{name}-{version}"), STUB);
    pack(&PackRequest {
        name: name.parse().unwrap(),
        version: version.parse().unwrap(),
        executable: &executable,
        assets: None,
        description: "a stub",
        homepage: None,
        license: "MIT",
        spin_compatibility,
        protocols: &[],
        platform: spin_plugin_manager::Platform::current().unwrap(),
        catalogue_dir: &catalogue(world),
    })
    .unwrap()
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
