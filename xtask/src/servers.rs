//! The programs that tests start, such as servers on free ports: Debian's packages.

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::build::run;

/// A program that tests start, and the package that holds it.
const SERVERS: [(&str, &str); 11] = [
    ("fish", "fish"),
    ("git", "git"),
    ("mariadbd", "mariadb-server"),
    ("mosquitto", "mosquitto"),
    // The server comes with it; Debian keeps its programs out of the way.
    ("pg_ctlcluster", "postgresql"),
    ("python3", "python3"),
    ("redis-server", "redis-server"),
    ("strace", "strace"),
    ("unshare", "util-linux"),
    ("valgrind", "valgrind"),
    ("zsh", "zsh"),
];

/// Installs what is missing where that is possible, and says what to install where it is not.
pub fn install_missing() -> Result<()> {
    let missing: Vec<&str> =
        SERVERS.iter().filter(|(program, _)| !is_there(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_there("apt-get") || !is_root() {
        bail!("the tests need {packages}; install them first, on Debian with: sudo apt-get install {packages}");
    }
    eprintln!("installing {packages}");
    run(Command::new("apt-get").args(["update", "-qq"]).stdout(Stdio::null()))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    run(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(missing).stdout(Stdio::null()))
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers often lie where only root looks.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(program).is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n")
}
