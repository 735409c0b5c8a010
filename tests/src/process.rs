//! Running a program: to its end, or in the background.
//!
//! A process is waited for and signalled through a descriptor of its own (pidfd), so a wait has a
//! deadline without a timer, and a signal never meets another process that got the number.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

use crate::guard;
use crate::output::{Output, PATIENCE};
use crate::redact::Redactions;
use crate::terminal::Terminal;

pub use rustix::process::Signal;

/// How long a program that is run to its end may take.
const RUN_LIMIT: Duration = Duration::from_secs(180);

/// How long a program asked to stop may take: longer than its own grace period.
const STOP_LIMIT: Duration = Duration::from_secs(45);

/// A program, its arguments and its surroundings, not started yet.
#[derive(Debug, Clone)]
pub struct Invocation {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
    input: Option<Vec<u8>>,
    redactions: Redactions,
}

impl Invocation {
    pub(crate) fn new(
        program: PathBuf,
        environment: Vec<(OsString, OsString)>,
        folder: PathBuf,
        redactions: Redactions,
    ) -> Self {
        Self { program, arguments: Vec::new(), environment, folder, input: None, redactions }
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut without = self.env_remove(name);
        without.environment.push((name.into(), value.as_ref().to_owned()));
        without
    }

    /// Removes a variable that the world would set.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.retain(|(present, _)| present != name);
        self
    }

    /// Runs in `folder` instead of the world's home.
    pub fn in_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = folder.as_ref().to_path_buf();
        self
    }

    /// Gives `bytes` on standard input, then its end. Without this there is no input at all.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    ///
    /// If it cannot be started, or has not ended after three minutes (it is killed then).
    #[track_caller]
    pub fn run(self) -> Finished {
        self.start().finish_within(RUN_LIMIT)
    }

    /// Starts the program in the background, its output on pipes.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[track_caller]
    pub fn start(self) -> Running {
        let mut command = self.command(&[]);
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(command, Path::new("env (package coreutils)"));
        let mut input = child.stdin.take();
        if let (Some(bytes), Some(mut pipe)) = (self.input.clone(), input.take()) {
            // A program that does not read would block us; a thread may wait for it instead.
            std::thread::spawn(move || pipe.write_all(&bytes));
        }
        let (stdout, _) = Output::collect(child.stdout.take().expect("stdout is a pipe"));
        let (stderr, _) = Output::collect(child.stderr.take().expect("stderr is a pipe"));
        Running { process: Process::new(child), stdout, stderr, line: self.line(), redactions: self.redactions }
    }

    /// Starts the program on a pseudo-terminal of its own, as the foreground process.
    ///
    /// # Panics
    ///
    /// If it cannot be started, or there is no `setsid` (package util-linux).
    #[track_caller]
    pub fn start_on_terminal(self) -> Terminal {
        // `setsid --ctty` makes its standard input the controlling terminal of a new session and
        // becomes the program: the same process, and no unsafe code here between fork and exec.
        let mut command = self.command(&["setsid", "--ctty"]);
        command.env("TERM", "xterm-256color");
        let line = self.line();
        Terminal::start(command, line, self.redactions)
    }

    /// The program behind `wrapper`, which becomes the program: the same process.
    ///
    /// `env` (package coreutils) gives it the signals as a login shell would: a test run that was started in the
    /// background ignores INT, and so would everything that it starts.
    fn command(&self, wrapper: &[&str]) -> Command {
        assert!(self.program.is_file(), "{} cannot be started: there is no such file", self.program.display());
        let mut command = Command::new("env");
        command.arg("--default-signal").args(wrapper).arg(&self.program).args(&self.arguments);
        command.env_clear().envs(self.environment.iter().cloned()).current_dir(&self.folder);
        command
    }

    /// The command line as a person would read it.
    fn line(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        let words = std::iter::once(name).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

#[track_caller]
pub(crate) fn spawn(mut command: Command, program: &Path) -> Child {
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{} cannot be started: {error}", program.display()),
    }
}

/// A child process and the descriptor it is waited for with.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    handle: OwnedFd,
    status: Option<ExitStatus>,
}

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        let pid = Pid::from_child(&child);
        let handle = pidfd_open(pid, PidfdFlags::empty()).expect("a child that was not waited for exists");
        Self { child, handle, status: None }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        if self.status.is_none() && guard::ended_within(self.handle.as_fd(), patience) {
            self.status = Some(self.child.wait().expect("an ended child can be waited for"));
        }
        self.status
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // One that has ended already needs no signal.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    pub(crate) fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }
}

impl Drop for Process {
    /// Asks it to stop, as a user would, so that it can stop what it started; then insists.
    fn drop(&mut self) {
        if self.wait(Duration::ZERO).is_some() {
            return;
        }
        drop(self.take_stdin());
        self.signal(Signal::TERM);
        if self.wait(Duration::from_secs(10)).is_none() {
            self.signal(Signal::KILL);
            self.wait(Duration::from_secs(10));
        }
    }
}

/// A program in the background, its output on pipes. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    process: Process,
    stdout: Output,
    stderr: Output,
    line: String,
    redactions: Redactions,
}

impl Running {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The number of the one process that it has started: of `spin up`, the trigger.
    ///
    /// # Panics
    ///
    /// If it has started none or several.
    #[track_caller]
    pub fn child(&self) -> u32 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).expect("the process is alive");
        let children = threads.flatten().map(|thread| std::fs::read_to_string(thread.path().join("children")));
        let children: String = children.map(|list| list.expect("the kernel lists the children of threads")).collect();
        match children.split_whitespace().collect::<Vec<_>>().as_slice() {
            [one] => one.parse().expect("a process number"),
            others => panic!("`{}` has {} children", self.line, others.len()),
        }
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> &Output {
        &self.stdout
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> &Output {
        &self.stderr
    }

    /// Waits until it says on standard output that it serves HTTP, and gives the address.
    ///
    /// # Panics
    ///
    /// If it ends, or [`PATIENCE`], before it says so.
    #[track_caller]
    pub fn serving(&self) -> SocketAddr {
        match self.stdout.line_within(PATIENCE, |line| address_in(line).is_some()) {
            Ok(line) => address_in(&line).expect("the line was chosen for its address"),
            Err(why) => panic!("{why} before an address was announced\n{}", self.snapshot_so_far()),
        }
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.process.wait(Duration::ZERO).is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Asks it to stop (TERM) and waits for its end.
    ///
    /// # Panics
    ///
    /// If it has not ended after 45 seconds.
    #[track_caller]
    pub fn stop(self) -> Finished {
        self.signal(Signal::TERM);
        self.finish_within(STOP_LIMIT)
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it has not ended after `patience`.
    #[track_caller]
    pub fn finish_within(mut self, patience: Duration) -> Finished {
        let Some(status) = self.process.wait(patience) else {
            let so_far = self.snapshot_so_far();
            panic!("`{}` had not ended after {patience:?}\n{so_far}", self.line);
        };
        // A process that it left behind may hold the pipes; the world's guard names it.
        let pipes = Duration::from_secs(5);
        let _ = self.stdout.ended_within(pipes) && self.stderr.ended_within(pipes);
        Finished {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
            line: self.line.clone(),
            redactions: self.redactions.clone(),
        }
    }

    fn snapshot_so_far(&self) -> String {
        format!("--- stdout\n{}\n--- stderr\n{}", self.stdout.text(), self.stderr.text())
    }
}

/// The processes that `parent` has started and that have not ended.
///
/// # Panics
///
/// If there is no such process.
#[track_caller]
pub fn children(parent: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).expect("the process runs");
    let lists = threads.flatten().map(|thread| std::fs::read_to_string(thread.path().join("children")));
    let lists: Vec<String> = lists.map(|list| list.expect("the kernel tells children")).collect();
    lists.iter().flat_map(|list| list.split_whitespace()).map(|pid| pid.parse().expect("a number")).collect()
}

/// The most memory that the process `pid` has had at a time, in bytes.
///
/// # Panics
///
/// If there is no such process.
#[track_caller]
pub fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells it");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
    kilobytes * 1024
}

/// The address in a line such as `Serving http://127.0.0.1:3000`, or in one of JSON.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, behind) = line.split_once("://")?;
    let end = behind.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(behind.len());
    behind[..end].trim_end_matches([',', '"']).replace("localhost", "127.0.0.1").parse().ok()
}

/// How a program ended, and everything it said.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    line: String,
    redactions: Redactions,
}

impl Finished {
    /// Everything about the run as a text that is equal from run to run: folders and ports have names.
    pub fn snapshot(&self) -> String {
        let ended = match (self.code, self.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no exit".to_owned(),
        };
        let text = format!(
            "$ {}\n{ended}\n--- stdout\n{}\n--- stderr\n{}",
            self.line,
            self.stdout.trim_end(),
            self.stderr.trim_end()
        );
        self.redactions.apply(text.trim_end()) + "\n"
    }

    /// Itself, if it ended with exit code 0.
    ///
    /// # Panics
    ///
    /// With everything it said, if not.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.snapshot());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_the_listing() {
        let address = address_in("  Serving http://127.0.0.1:3000 (plain)");
        assert_eq!(address, Some(([127, 0, 0, 1], 3000).into()));
        assert_eq!(address_in(r#"  "base_url": "http://127.0.0.1:3000","#), address);
        assert_eq!(address_in("probe: http://localhost:81/path"), Some(([127, 0, 0, 1], 81).into()));
        assert_eq!(address_in("see https://example.com/"), None);
    }
}
