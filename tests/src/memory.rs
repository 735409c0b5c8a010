//! What a running process holds and uses: memory, descriptors and processor time, as the kernel counts them.

use std::fs;
use std::time::{Duration, Instant};

use crate::output::PATIENCE;

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

/// The kernel's ticks in a second, as it counts them for programs (USER_HZ): the same on every machine.
const TICKS: u64 = 100;

/// How much processor time a process has used.
#[track_caller]
pub fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is alive");
    // Behind the name, which may hold anything, the fields begin with the third; 14 and 15 are the times.
    let (_, fields) = stat.rsplit_once(')').expect("the name is in brackets");
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 1000 / TICKS)
}

/// Waits until a process uses next to no processor time: nothing runs in it any more.
///
/// # Panics
///
/// If it goes on.
#[track_caller]
pub fn wait_for_rest(pid: u32) {
    const WINDOW: Duration = Duration::from_millis(200);
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let before = processor_time(pid);
        // A measurement: nothing tells when a process does nothing.
        std::thread::sleep(WINDOW);
        if processor_time(pid) - before <= WINDOW / 10 {
            return;
        }
    }
    panic!("the process {pid} goes on using processor time");
}

#[track_caller]
fn of_status(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is alive");
    let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells the memory");
    let kilobytes: u64 = value.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}
