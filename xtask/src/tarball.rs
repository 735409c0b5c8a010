//! The tarball for users: `spin`, and a catalogue with the archives of the triggers, so that it installs and serves without
//! a network.
//!
//! ```text
//! spin-VERSION-OS-ARCH/
//!   bin/spin
//!   share/spin/catalogue/    where `spin` looks for the catalogue that came with it
//!   LICENSE, README.md, CHANGELOG.md
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::run;

/// What goes into the tarball.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The program `spin`.
    pub spin: &'a Path,
    /// A catalogue folder with archives.
    pub catalogue: &'a Path,
    /// The folder of licence, readme and changes.
    pub texts: &'a Path,
}

/// Makes the tarball in the folder `into`, which is made if need be. Gives its path.
///
/// # Errors
///
/// If a part is missing or `into` cannot be written.
pub fn assemble(parts: Parts<'_>, into: &Path) -> Result<PathBuf> {
    let name = format!("spin-{}-{}-{}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let stage = into.join(&name);
    if stage.exists() {
        fs::remove_dir_all(&stage).with_context(|| format!("can't empty {}", stage.display()))?;
    }
    let (bin, share) = (stage.join("bin"), stage.join("share/spin"));
    for folder in [&bin, &share] {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    let copy = |from: &Path, to: PathBuf| fs::copy(from, to).with_context(|| format!("can't copy {}", from.display()));
    copy(parts.spin, bin.join("spin"))?;
    for text in ["LICENSE", "README.md", "CHANGELOG.md"] {
        copy(&parts.texts.join(text), stage.join(text))?;
    }
    run(Command::new("cp").arg("-r").arg(parts.catalogue).arg(share.join("catalogue")))?;
    let tarball = into.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]);
    run(tar.arg(&tarball).arg("-C").arg(into).arg(&name))?;
    fs::remove_dir_all(&stage).with_context(|| format!("can't remove {}", stage.display()))?;
    Ok(tarball)
}
