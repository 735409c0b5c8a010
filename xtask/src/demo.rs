//! `cargo xtask demo`: the main job of the project, from sources to an answered request.
//!
//! Nothing of the user's is touched: data, cache and catalogue lie in a folder of the demo's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::build::{self, Built, binaries, workspace};

/// How long the demo goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until Ctrl-C.
    Interrupted,
    /// Until one request was answered.
    OneRequest,
}

/// Builds, packs, installs and serves.
fn serve(built: &Built, catalogue: &Path, until: Until) -> Result<()> {
    let data = built.folder.join("demo-data");
    if data.exists() {
        std::fs::remove_dir_all(&data).with_context(|| format!("can't empty {}", data.display()))?;
    }
    let spin = || {
        let mut spin = Command::new(built.program("spin"));
        spin.env("SPIN_DATA_DIR", &data).env("SPIN_CATALOGUES", catalogue);
        spin
    };
    build::run(spin().args(["plugins", "install", "trigger-http", "--yes"]))?;
    let app = workspace().join("examples/hello");
    let mut up = spin();
    up.arg("up").arg("--from").arg(app);
    match until {
        Until::Interrupted => {
            // Ctrl-C goes to the whole group of the terminal; we wait for what it does.
            let status = up.status().context("can't start spin")?;
            ensure!(status.success(), "spin up {status}");
            Ok(())
        }
        Until::OneRequest => {
            // A port of its own, so that the demo works beside a server on the usual one.
            let mut child = up.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn()?;
            let answered = one_request(&mut child);
            // Ends the app as a person would; the status below is then that of an orderly end.
            build::run(Command::new("kill").args(["-INT", &child.id().to_string()]))?;
            let status = child.wait()?;
            answered?;
            ensure!(status.success(), "spin up {status}");
            Ok(())
        }
    }
}

/// The chore.
pub fn run(until: Until) -> Result<()> {
    let built = binaries("release")?;
    let catalogue = built.pack()?;
    serve(&built, &catalogue, until)
}

fn one_request(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().context("standard output was piped")?;
    let mut lines = BufReader::new(stdout).lines();
    let address = loop {
        let line = lines.next().context("spin ended before it served")??;
        println!("{line}");
        if let Some(address) = line.strip_prefix("Serving http://") {
            break address.to_owned();
        }
    };
    let mut stream = TcpStream::connect(&address).with_context(|| format!("can't connect to {address}"))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    println!("GET http://{address}/ → {status}");
    if !status.starts_with("HTTP/1.1 200") {
        bail!("expected 200, got: {answer}");
    }
    Ok(())
}
