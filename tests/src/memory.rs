//! What a running process holds: memory and descriptors, as the kernel counts them.

use std::fs;

/// The memory of a process from a moment on.
#[derive(Debug)]
pub struct Memory {
    pid: u32,
    before: u64,
}

impl Memory {
    /// Begins to watch: what the process has had at most is forgotten.
    ///
    /// # Panics
    ///
    /// If the process is gone or not ours.
    #[track_caller]
    pub fn watch(pid: u32) -> Self {
        // 5 resets the peak (proc_pid_clear_refs(5)).
        fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the peak of a process of ours can be reset");
        Self { pid, before: resident(pid) }
    }

    /// By how many bytes the process has grown at most.
    #[track_caller]
    pub fn growth(&self) -> u64 {
        of_status(self.pid, "VmHWM:").saturating_sub(self.before)
    }
}

/// How many bytes of memory a process has.
#[track_caller]
pub fn resident(pid: u32) -> u64 {
    of_status(pid, "VmRSS:")
}

/// How many descriptors a process has open.
#[track_caller]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is alive and ours").count()
}

#[track_caller]
fn of_status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is alive");
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells the memory");
    let kilobytes: u64 = value.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}
