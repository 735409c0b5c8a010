//! Running one build command, such that a request to stop ends everything that it has started.
//!
//! The command stays in our process group: a command in another one could not read from the terminal. So a Ctrl-C
//! reaches it by itself; TERM and HUP, which may be for us alone, are handed on.

use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::Command;

use crate::supervise::Orphans;
use crate::supervise::signal::{Stop, StopSignals};

const SHELL: &str = "/bin/sh";

/// How long a command that was asked to end may take.
const GRACE: Duration = Duration::from_secs(10);

/// How a command came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    ByItself(ExitStatus),
    /// Somebody asked us to stop. Nothing of the command is left.
    Stopped(Stop),
}

/// Runs a command in a folder.
pub(super) async fn run(command: &str, folder: &Path) -> io::Result<Ended> {
    let mut signals = StopSignals::listen()?;
    let started = Orphans::adopt();
    let mut shell = Command::new(SHELL).arg("-c").arg(command).current_dir(folder).spawn()?;
    tokio::select! {
        biased;
        stop = signals.next() => {
            end(started, &mut signals).await;
            Ok(Ended::Stopped(stop))
        }
        // What runs on in the background, such as the server of a build tool, is the command's business.
        status = shell.wait() => Ok(Ended::ByItself(status?)),
    }
}

/// Asks the shell to end, and what it leaves behind, and kills what does not.
async fn end(mut started: Orphans, signals: &mut StopSignals) {
    tokio::select! {
        () = started.drain() => {}
        () = async { while signals.next().await == Stop::HangUp {} } => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    started.kill();
}
