//! Building the programs once, and packing the triggers into a catalogue folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use spin_catalogue::Platform;
use spin_plugin_manager::pack::{PackRequest, pack};
pub use xtask::run;

/// A program that is built.
#[derive(Clone, Copy)]
struct Program {
    name: &'static str,
    /// The package that it is of.
    package: &'static str,
    /// If it is a trigger: what its package for users says.
    description: Option<&'static str>,
}

/// What tests, demo and packages need.
const PROGRAMS: [Program; 7] = [
    Program { name: "spin", package: "spin-cli", description: None },
    trigger("trigger-http", "Serves HTTP requests with the components of an application"),
    trigger(
        "trigger-redis",
        "Calls the components of an application for messages of Redis channels, lists and streams",
    ),
    trigger("trigger-command", "Runs a component once, as a program is run"),
    trigger("trigger-cron", "Calls components at the times of a cron expression"),
    trigger("trigger-mqtt", "Calls components for messages of MQTT topics"),
    Program { name: "spin-trigger-conformance", package: "spin-trigger-conformance", description: None },
];

const fn trigger(name: &'static str, description: &'static str) -> Program {
    Program { name, package: name, description: Some(description) }
}

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        // What `cargo run` says comes first: checkouts that share a target folder share this program too, so that what
        // was known when it was compiled may be the place of another one.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        Path::new(&package).parent().expect("xtask lies in the workspace").to_owned()
    });
    &FOLDER
}

/// Where everything is built: beside the user's other caches, so that a fresh clone builds little.
pub fn target_dir() -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(workspace().join(chosen));
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(cache) if Path::new(&cache).is_absolute() => PathBuf::from(cache),
        _ => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("spin-build"))
}

/// Makes what the target folder holds for a profile this checkout's.
///
/// Several may share one, and cargo takes a file for built if it is older than what was built last, whichever checkout
/// that was from: what another one has built of these packages goes. What they depend on stays.
fn claim(profile: &str) -> Result<()> {
    let (target, here) = (target_dir()?, workspace().as_os_str().as_encoded_bytes());
    let mark = target.join(format!("checkout-{profile}"));
    if std::fs::read(&mark).is_ok_and(|last| last == here) {
        return Ok(());
    }
    if target.is_dir() {
        run(cargo()?.args(["clean", "--quiet", "--locked", "--workspace", "--profile", profile]))?;
    }
    std::fs::create_dir_all(&target).and_then(|()| std::fs::write(&mark, here)).context("can't mark the target folder")
}

/// Cargo, as it is to be run for every chore.
pub fn cargo() -> Result<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).env("CARGO_TARGET_DIR", target_dir()?);
    // What `cargo run` tells us about this package is not for others: build scripts that look at it would run anew.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            cargo.env_remove(name);
        }
    }
    Ok(cargo)
}

/// The built programs.
pub struct Built {
    /// A folder `bin/` with the programs, and after [`Built::pack`] a folder `catalogue/`.
    pub folder: PathBuf,
    programs: Vec<Program>,
}

/// Builds all programs with a profile.
pub fn binaries(profile: &str) -> Result<Built> {
    build(profile, PROGRAMS.to_vec())
}

/// Builds those that serve HTTP.
pub fn server_binaries(profile: &str) -> Result<Built> {
    let serves = |program: &&Program| ["spin", "trigger-http"].contains(&program.name);
    build(profile, PROGRAMS.iter().filter(serves).copied().collect())
}

fn build(profile: &str, programs: Vec<Program>) -> Result<Built> {
    claim(profile)?;
    let mut cargo = cargo()?;
    cargo.args(["build", "--locked", "--profile", profile]);
    for program in &programs {
        cargo.args(["--package", program.package]);
    }
    run(&mut cargo)?;
    let target = target_dir()?;
    let folder = target.join(format!("spin-{profile}"));
    let bin = folder.join("bin");
    // New files, not overwritten ones: the old ones may still be running. What is not built now would be of other sources.
    let _ = std::fs::remove_dir_all(&bin);
    std::fs::create_dir_all(&bin).with_context(|| format!("can't make {}", bin.display()))?;
    for Program { name, .. } in &programs {
        let from = target.join(profile).join(name);
        let to = bin.join(name);
        std::fs::copy(&from, &to).with_context(|| format!("can't copy {}", from.display()))?;
    }
    Ok(Built { folder, programs })
}

impl Built {
    /// The path of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Packs the triggers into the folder `catalogue/`, made anew; gives its path.
    pub fn pack(&self) -> Result<PathBuf> {
        let catalogue = self.folder.join("catalogue");
        if catalogue.exists() {
            std::fs::remove_dir_all(&catalogue).with_context(|| format!("can't empty {}", catalogue.display()))?;
        }
        for Program { name, description, .. } in &self.programs {
            let Some(description) = description else { continue };
            let packed = pack(&PackRequest {
                name: name.parse()?,
                version: env!("CARGO_PKG_VERSION").parse()?,
                executable: &self.program(name),
                assets: None,
                description,
                homepage: None,
                license: "Apache-2.0 WITH LLVM-exception",
                spin_compatibility: ">=4.0, <5",
                protocols: &[1],
                platform: Platform::current().context("plugins can't be packed for this platform")?,
                catalogue_dir: &catalogue,
            })
            .with_context(|| format!("can't pack {name}"))?;
            eprintln!("packed {}", packed.archive.display());
        }
        Ok(catalogue)
    }
}
