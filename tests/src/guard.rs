//! Finding processes that outlive the world that started them.
//!
//! Every process of a world has `SPIN_TEST_WORLD=<its folder>` in its environment and hands it on,
//! whatever group or session it is in and whoever is its parent by now.

use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that marks a world's processes.
pub(crate) const VARIABLE: &str = "SPIN_TEST_WORLD";

/// How long a process may need to end after the last test action. A trigger that has lost its
/// host has half a second; a busy machine gets the rest.
const GRACE: Duration = Duration::from_secs(3);

/// A process that was still there.
#[derive(Debug)]
pub(crate) struct Leftover {
    pid: i32,
    command: String,
}

impl std::fmt::Display for Leftover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.pid, self.command)
    }
}

/// Ends every process of the world `root`, and names those that did not end by themselves.
pub(crate) fn clear(root: &Path) -> Vec<Leftover> {
    let mut leftovers = Vec::new();
    // Something killed may have started something else meanwhile: look again until none is found,
    // but not for ever.
    for _ in 0..8 {
        let found = members(root);
        if found.is_empty() {
            break;
        }
        for (pid, handle) in found {
            let command = command_of(pid);
            if ended_within(handle.as_fd(), GRACE) {
                continue;
            }
            // Gone already is as good.
            let _ = pidfd_send_signal(&handle, Signal::KILL);
            ended_within(handle.as_fd(), GRACE);
            leftovers.push(Leftover { pid: pid.as_raw_nonzero().get(), command });
        }
    }
    leftovers
}

/// Waits until the process behind `handle` has ended; false if it has not in time.
pub(crate) fn ended_within(handle: BorrowedFd<'_>, patience: Duration) -> bool {
    let mut fds = [PollFd::new(&handle, PollFlags::IN)];
    let timeout = Timespec::try_from(patience).expect("a wait of a test fits");
    matches!(poll(&mut fds, Some(&timeout)), Ok(ready) if ready > 0)
}

/// The processes of the world `root`. A handle is opened before the environment is read again, so
/// that a number given to another process meanwhile is not mistaken for it.
fn members(root: &Path) -> Vec<(Pid, OwnedFd)> {
    let mark = format!("{VARIABLE}={}", root.display());
    let entries = std::fs::read_dir("/proc").expect("/proc is mounted");
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|number| marked(*number, &mark))
        .filter_map(|number| {
            let pid = Pid::from_raw(number)?;
            let handle = pidfd_open(pid, PidfdFlags::empty()).ok()?;
            marked(number, &mark).then_some((pid, handle))
        })
        .collect()
}

fn marked(pid: i32, mark: &str) -> bool {
    // Unreadable means another user's or ended; an ended process has no environment.
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
}

fn command_of(pid: Pid) -> String {
    let bytes = std::fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').replace('\0', " ")
}
