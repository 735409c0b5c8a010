//! `cargo xtask dist`: packages for users. One tarball holds `spin` and a catalogue with the archives of the
//! triggers, so that it installs and serves without a network.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::build::{self, binaries, workspace};

/// The most bytes that a program may have.
const CAPS: [(&str, u64); 2] = [("spin", 12_000_000), ("trigger-http", 30_000_000)];

/// Builds with the profile `dist`, packs, prints sizes.
pub fn run() -> Result<()> {
    let built = binaries("dist")?;
    let catalogue = built.pack()?;
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("spin-{version}-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let stage = built.folder.join(&name);
    if stage.exists() {
        std::fs::remove_dir_all(&stage).with_context(|| format!("can't empty {}", stage.display()))?;
    }
    let (bin, share) = (stage.join("bin"), stage.join("share/spin"));
    std::fs::create_dir_all(&bin)?;
    std::fs::create_dir_all(&share)?;
    std::fs::copy(built.program("spin"), bin.join("spin"))?;
    build::run(Command::new("cp").arg("-r").arg(&catalogue).arg(share.join("catalogue")))?;
    for text in ["LICENSE", "README.md", "CHANGELOG.md"] {
        std::fs::copy(workspace().join(text), stage.join(text))?;
    }
    let tarball = workspace().join("dist").join(format!("{name}.tar.gz"));
    std::fs::create_dir_all(tarball.parent().expect("it lies in dist/"))?;
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]);
    build::run(tar.arg(&tarball).arg("-C").arg(&built.folder).arg(&name))?;
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
