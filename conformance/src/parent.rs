//! A host that can be killed: this program once more, as the parent of the trigger.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use spin_app_model::launch::CHANNEL_LOSS_DEADLINE;
use tempfile::TempDir;

use crate::process::{kill_group, readable, seconds};
use crate::session::{Session, app_folder, lock_file};
use crate::subject::Subject;

/// The hidden flag that makes this program the parent of a trigger and nothing else.
pub(crate) const FLAG: &str = "--as-parent";

/// The other process and the trigger that it has started. Both are ended when this is dropped.
pub(crate) struct Parent {
    process: Child,
    trigger: OwnedFd,
    group: Pid,
    // What the parent would delete at its end.
    _folder: TempDir,
}

impl Parent {
    /// Starts a parent and waits until its trigger is ready.
    pub(crate) fn start(subject: &Subject) -> Result<Self, String> {
        let folder = app_folder(&subject.lock)?;
        let program = std::env::current_exe().map_err(|error| format!("this program can't be found: {error}"))?;
        let mut command = Command::new(program);
        command.arg(FLAG).arg(&subject.executable).args(["--type", subject.trigger_type.as_str()]);
        command.arg("--lock").arg(lock_file(folder.path()));
        command.arg("--patience").arg(subject.patience.as_secs().to_string());
        command.arg("--").args(subject.arguments()).env("TMPDIR", folder.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|error| format!("no parent: {error}"))?;
        match trigger_of(&mut process) {
            Ok((trigger, group)) => Ok(Self { process, trigger, group, _folder: folder }),
            Err(why) => {
                let _ = process.kill().and_then(|()| process.wait());
                Err(why)
            }
        }
    }

    /// Kills the parent and waits for what becomes of the trigger.
    pub(crate) fn kill_and_watch(&mut self) -> Result<(), String> {
        self.process.kill().map_err(|error| format!("the parent can't be killed: {error}"))?;
        let killed = Instant::now();
        // Waited for longer than is allowed, so that the message can say how late it is.
        let [ended] = readable(&[self.trigger.as_fd()], 6 * CHANNEL_LOSS_DEADLINE);
        let (took, limit) = (killed.elapsed(), seconds(CHANNEL_LOSS_DEADLINE));
        match ended {
            true if took <= CHANNEL_LOSS_DEADLINE => Ok(()),
            true => Err(format!("it ended {} ms after its host was killed, not within {limit}", took.as_millis())),
            false => Err(format!("it still runs {} ms after its host was killed", took.as_millis())),
        }
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        // Nothing depends on how they end from here on.
        let _ = self.process.kill().and_then(|()| self.process.wait());
        let _ = pidfd_send_signal(&self.trigger, Signal::KILL);
        kill_group(self.group);
    }
}

/// Reads the number of the trigger that the parent has started.
fn trigger_of(parent: &mut Child) -> Result<(OwnedFd, Pid), String> {
    let mut line = String::new();
    let said = parent.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    let pid = line.trim().parse().ok().and_then(Pid::from_raw);
    let (Some(Ok(_)), Some(pid)) = (said, pid) else {
        let mut complaint = String::new();
        let _ = parent.stderr.take().map(|mut stderr| stderr.read_to_string(&mut complaint));
        return Err(complaint.trim().to_owned());
    };
    let trigger = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| format!("it is gone already: {error}"))?;
    Ok((trigger, pid))
}

/// What the parent does: starts the trigger, says its number when it is ready, and waits for being killed.
pub(crate) fn run(subject: &Subject) -> Result<(), String> {
    let mut session = Session::start_and_be_ready(subject)?;
    let mut stdout = std::io::stdout();
    let said = writeln!(stdout, "{}", session.process().id()).and_then(|()| stdout.flush());
    said.map_err(|error| format!("the other program is gone: {error}"))?;
    // Ends when the one that started this one ends, whatever becomes of it.
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}
