//! `cargo xtask dist`: packages for users, small enough and built with the profile `dist`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use xtask::tarball::{Parts, assemble};

use crate::build::{binaries, workspace};

/// The most bytes that a program may have.
const CAPS: [(&str, u64); 2] = [("spin", 12_000_000), ("trigger-http", 46_000_000)];

/// Builds with the profile `dist`, packs, prints sizes.
pub fn run() -> Result<()> {
    let built = binaries("dist")?;
    let catalogue = built.pack()?;
    let parts = Parts { spin: &built.program("spin"), catalogue: &catalogue, texts: workspace() };
    let tarball = assemble(parts, &workspace().join("dist"))?;
    println!("{:>12}  {}", size(&tarball)?, tarball.display());
    for (program, cap) in CAPS {
        let size = size(&built.program(program))?;
        println!("{size:>12}  {program} (at most {cap})");
        ensure!(size <= cap, "{program} has {size} bytes, more than {cap}");
    }
    Ok(())
}

fn size(path: &Path) -> Result<u64> {
    Ok(std::fs::metadata(path).with_context(|| format!("can't look at {}", path.display()))?.len())
}
