//! `cargo xtask test`: everything that must hold, in one command.

use anyhow::Result;

use crate::build::{self, binaries};
use crate::servers;

/// Builds, packs, installs missing servers, and runs every test; with filters, only the tests whose names hold one.
pub fn run(filters: &[String]) -> Result<()> {
    servers::install_missing()?;
    let built = binaries("release")?;
    built.pack()?;
    let mut cargo = build::cargo()?;
    // Every test that starts a program finds it here, and fails when it is missing or older than its source.
    cargo.env("SPIN_TEST_DIST", &built.folder);
    cargo.args(["test", "--locked", "--release", "--workspace"]);
    cargo.args(["--no-fail-fast", "--"]).args(filters);
    build::run(&mut cargo)
}
