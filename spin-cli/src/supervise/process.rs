//! What `/proc` tells about processes: who descends from whom.
//!
//! A trigger may be a script that starts the real program. Such a grandchild may speak on the control channel, and
//! it must not outlive the app.

use std::fs;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// A chain of parents longer than this is not one that a trigger makes.
const DEEPEST: usize = 64;

/// Whether `process` is `ancestor` or was started, directly or not, by it.
pub(super) fn descends_from(process: Pid, ancestor: Pid) -> bool {
    std::iter::successors(Some(process), |&process| parent(process)).take(DEEPEST).any(|process| process == ancestor)
}

/// Makes the processes whose parent ends our children, so that they can be found.
pub(super) fn adopt_orphans() {
    // Best effort: without it (a kernel older than 3.4) only grandchildren of a trigger that ends can be missed.
    _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Kills what the triggers left: every process that is our child now, and theirs, until there is none.
///
/// Only for when all triggers have ended. Each child is killed and then waited for, so its number cannot belong to
/// another process; its own children then become ours.
pub(super) fn kill_orphans() {
    loop {
        let orphans = children_of(rustix::process::getpid());
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            if kill_process(orphan, Signal::KILL).is_err() || waitpid(Some(orphan), WaitOptions::empty()).is_err() {
                return;
            }
        }
    }
}

fn children_of(parent_pid: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|&process| parent(process) == Some(parent_pid))
        .collect()
}

fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    parent_in(&stat)
}

/// The parent in the text of `/proc/<pid>/stat`: the second field after the program's name, which stands in
/// parentheses and may itself hold spaces and parentheses.
fn parent_in(stat: &[u8]) -> Option<Pid> {
    let end_of_name = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(&stat[end_of_name + 1..]).ok()?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_parent_is_found_behind_any_program_name() {
        let pid = |raw| Pid::from_raw(raw);
        assert_eq!(parent_in(b"7 (sh) S 42 7 7 0"), pid(42));
        assert_eq!(parent_in(b"7 (a) R 1 (b) S 42 7 7 0"), pid(42));
        assert_eq!(parent_in(b"7 (\xff) S 42 7"), pid(42));
        assert_eq!(parent_in(b"7 (init) S 0 7"), None);
        assert_eq!(parent_in(b"7 sh S"), None);
    }

    #[test]
    fn children_and_grandchildren_descend_and_strangers_do_not() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        let this = rustix::process::getpid();
        assert!(descends_from(pid, pid));
        assert!(descends_from(pid, this));
        assert!(!descends_from(this, pid));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
