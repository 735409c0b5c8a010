//! One process of the trigger under test: its output, signals to it, and its end.
//!
//! Output goes to files, which can be read at any time without a thread and without waiting for a descendant that holds a
//! pipe. The process is waited for and signalled through a descriptor of its own (pidfd), so a wait has a deadline
//! without a timer and a signal never meets another process that got the number. It has a process group of its own, so
//! what it leaves behind can be found.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use spin_app_model::launch::CHANNEL_LOSS_DEADLINE;

/// How much of its standard error is shown in a failure.
const EXCERPT: usize = 200;

/// A running process, ended when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    handle: OwnedFd,
    status: Option<ExitStatus>,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
}

impl Process {
    /// Starts `command` with its output in files of `folder`.
    pub(crate) fn start(mut command: Command, folder: &Path) -> Result<Self, String> {
        let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
        let make = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        command.stdin(Stdio::null()).stdout(make(&stdout)?).stderr(make(&stderr)?);
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| format!("it can't be started: {error}"))?;
        let handle = match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(error) => {
                // Without a handle it couldn't be ended later.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(format!("no descriptor for the process: {error}"));
            }
        };
        Ok(Self { child, handle, status: None, stdout, stderr, started: Instant::now() })
    }

    /// Its number, which is that of its group too.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// A descriptor that is readable once the process has ended.
    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// How it ended, if it does within `patience`.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.status.is_none() && readable(&[self.handle.as_fd()], patience)[0] {
            self.status = self.child.wait().ok();
        }
        self.status
    }

    /// Whether it ends within `patience`, and with the exit code `code`.
    pub(crate) fn must_exit(&mut self, code: i32, patience: Duration, after: &str) -> Result<(), String> {
        let Some(status) = self.ended_within(patience) else {
            return Err(format!("it still runs {} after {after}", seconds(patience)));
        };
        match status.code() == Some(code) {
            true => Ok(()),
            false => Err(format!("{} after {after}, not exit {code}{}", describe(status), self.complaint())),
        }
    }

    /// Whether nothing that it has started is left, or will be soon. It must have ended.
    pub(crate) fn must_leave_nothing(&self, after: &str) -> Result<(), String> {
        let deadline = Instant::now() + CHANNEL_LOSS_DEADLINE;
        for pid in group(Pid::from_child(&self.child)) {
            // One that can't be opened has ended meanwhile.
            let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            if !readable(&[handle.as_fd()], deadline.saturating_duration_since(Instant::now()))[0] {
                let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero())).unwrap_or_default();
                let limit = seconds(CHANNEL_LOSS_DEADLINE);
                return Err(format!("the process {} that it started still runs {limit} after {after}", excerpt(&name)));
            }
        }
        Ok(())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), String> {
        pidfd_send_signal(&self.handle, signal).map_err(|error| format!("{signal:?} can't be sent: {error}"))
    }

    /// What it wrote to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// The last line of standard error, for the end of a message; nothing if there is none.
    pub(crate) fn complaint(&self) -> String {
        let text = self.stderr();
        match text.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => format!("; its standard error ends with: {}", excerpt(line)),
            None => String::new(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended_within(Duration::ZERO).is_none() {
            // Nothing that a check says depends on how it ends from here on.
            let _ = pidfd_send_signal(&self.handle, Signal::KILL);
            let _ = self.child.wait();
        }
        kill_group(Pid::from_child(&self.child));
    }
}

/// Ends what is left of a group.
pub(crate) fn kill_group(leader: Pid) {
    // Looked for first: the number of an empty group may be another one's by now.
    if !group(leader).is_empty() {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// The processes of a group that run.
fn group(leader: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let pids = names.filter_map(|name| Pid::from_raw(name.parse().ok()?));
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
        // The name before it may hold anything: state, parent and group follow its last parenthesis.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, group) = (fields.next(), fields.nth(1));
        !matches!(state, Some("Z" | "X")) && group == Some(&leader.as_raw_nonzero().to_string())
    })
    .collect()
}

/// Which of the descriptors are readable, as soon as one is; none if none is in time.
pub(crate) fn readable<const N: usize>(fds: &[BorrowedFd<'_>; N], patience: Duration) -> [bool; N] {
    let deadline = Instant::now() + patience;
    loop {
        let mut polled: [PollFd<'_>; N] = std::array::from_fn(|index| PollFd::new(&fds[index], PollFlags::IN));
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut polled, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return [false; N],
            Ok(_) => return std::array::from_fn(|index| !polled[index].revents().is_empty()),
        }
    }
}

/// How a process ended, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// A duration in words.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}

/// The beginning of a text, harmless to print.
pub(crate) fn excerpt(text: &str) -> String {
    let shown: String = text.trim().chars().take(EXCERPT).collect();
    let more = if shown.len() < text.trim().len() { "…" } else { "" };
    format!("{}{more}", shown.escape_debug())
}

fn read(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn sh(script: &str) -> (tempfile::TempDir, Process) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let process = Process::start(command, folder.path()).unwrap();
        (folder, process)
    }

    #[test]
    fn the_end_and_the_output_are_seen() {
        let (_folder, mut process) = sh("echo out; echo first >&2; echo 'went wrong' >&2; exit 3");
        assert_eq!(process.must_exit(3, Duration::from_secs(10), "its start"), Ok(()));
        assert_eq!(process.stdout(), "out\n");
        let why = process.must_exit(0, Duration::ZERO, "its start").unwrap_err();
        assert_eq!(why, "exit 3 after its start, not exit 0; its standard error ends with: went wrong");
    }

    #[test]
    fn what_a_process_leaves_behind_is_found_and_ended() {
        let (_folder, mut process) = sh("sleep 600 & exit 0");
        assert_eq!(process.must_exit(0, Duration::from_secs(10), "its start"), Ok(()));
        let why = process.must_leave_nothing("its end").unwrap_err();
        assert_eq!(why, "the process sleep that it started still runs 0.5 s after its end");
        let handle = pidfd_open(group(Pid::from_child(&process.child))[0], PidfdFlags::empty()).unwrap();
        drop(process);
        assert!(readable(&[handle.as_fd()], Duration::from_secs(10))[0]);
    }

    #[test]
    fn a_process_that_stays_is_ended() {
        let (_folder, mut process) = sh("exec sleep 600");
        assert_eq!(process.ended_within(Duration::from_millis(1)), None);
        process.signal(Signal::TERM).unwrap();
        let status = process.ended_within(Duration::from_secs(10)).unwrap();
        assert_eq!(describe(status), "killed by signal 15");
        let (_folder, process) = sh("exec sleep 600");
        let handle = process.handle().try_clone_to_owned().unwrap();
        drop(process);
        assert!(readable(&[handle.as_fd()], Duration::ZERO)[0], "dropping it ends it");
    }
}
