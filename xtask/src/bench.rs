//! `cargo xtask bench`: what is measured, not judged. CI only compiles it.

use anyhow::Result;

use crate::build::{self, binaries};

/// Builds, packs, and runs one benchmark of `tests/bench`, with what is meant for it.
pub fn run(name: &str, arguments: &[String]) -> Result<()> {
    let built = binaries("release")?;
    built.pack()?;
    let mut cargo = build::cargo()?;
    cargo.env("SPIN_TEST_DIST", &built.folder);
    cargo.args(["bench", "--locked", "--profile", "release", "--package", "spin-tests", "--bench", name, "--"]);
    build::run(cargo.args(arguments))
}
