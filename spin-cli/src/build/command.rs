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

/// How long after a failure a signal still counts as its reason: Ctrl-C reaches the command and us, in no certain order.
const LATE: Duration = Duration::from_millis(250);

/// How a command came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    ByItself(ExitStatus),
    /// Somebody asked us to stop. Nothing of the command is left.
    Stopped(Stop),
}

/// Runs a command in a folder, unless a signal asks to stop.
pub(super) async fn run(command: &str, folder: &Path, signals: &mut StopSignals) -> io::Result<Ended> {
    let started = Orphans::adopt();
    let mut shell = Command::new(SHELL).arg("-c").arg(command).current_dir(folder).spawn()?;
    let ended = tokio::select! {
        biased;
        stop = signals.next() => Ended::Stopped(stop),
        status = shell.wait() => Ended::ByItself(status?),
    };
    let ended = match ended {
        Ended::ByItself(status) if !status.success() => {
            let stop = tokio::time::timeout(LATE, signals.next()).await;
            stop.map_or(Ended::ByItself(status), Ended::Stopped)
        }
        // What runs on in the background, such as the server of a build tool, is the command's business.
        other => other,
    };
    if let Ended::Stopped(_) = ended {
        end(started, signals).await;
    }
    Ok(ended)
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
