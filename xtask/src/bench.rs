//! `cargo xtask bench`: what is measured, not judged. CI only compiles it, but for the count of instructions, which is a test.

use anyhow::Result;

use crate::build::{self, binaries};
use crate::servers;

/// The one that measures functions and no programs; they are of another package.
const INSTRUCTIONS: &str = "instructions";

/// Builds, packs, and runs one benchmark of `tests/bench`, with what is meant for it.
pub fn run(name: &str, arguments: &[String]) -> Result<()> {
    let mut cargo = build::cargo()?;
    cargo.args(["bench", "--locked", "--profile", "release", "--bench", name]);
    if name == INSTRUCTIONS {
        servers::install_missing()?;
        // Built as it is for the tests: another choice of packages could switch other features on.
        cargo.arg("--workspace");
    } else {
        let built = binaries("release")?;
        built.pack()?;
        cargo.args(["--package", "spin-tests"]).env("SPIN_TEST_DIST", &built.folder);
    }
    build::run(cargo.arg("--").args(arguments))
}
