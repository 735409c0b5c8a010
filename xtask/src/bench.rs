//! `cargo xtask bench`: what is measured, not judged. CI only compiles it, but for the count of instructions, which is a test.

use anyhow::Result;

use crate::build::{self, binaries, server_binaries};
use crate::servers;

/// The one that measures functions and no programs; they are of another package.
const INSTRUCTIONS: &str = "instructions";

/// The one that compares what users get with other programs; all others compare our programs with themselves.
const PERFORMANCE: &str = "performance";

/// Builds, packs, and runs one benchmark of `tests/bench`, with what is meant for it.
pub fn run(name: &str, arguments: &[String]) -> Result<()> {
    let profile = if name == PERFORMANCE { "dist" } else { "release" };
    let mut cargo = build::cargo()?;
    cargo.args(["bench", "--locked", "--profile", profile, "--bench", name]);
    if name == INSTRUCTIONS {
        servers::install_missing()?;
        // Built as it is for the tests: another choice of packages could switch other features on.
        cargo.arg("--workspace");
    } else {
        let built = if name == PERFORMANCE { server_binaries(profile)? } else { binaries(profile)? };
        built.pack()?;
        cargo.args(["--package", "spin-tests"]).env("SPIN_TEST_DIST", &built.folder);
    }
    build::run(cargo.arg("--").args(arguments))
}
