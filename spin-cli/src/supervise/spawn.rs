//! Starting a plugin's executable so that it cannot outlive this process. The one file that says how to fork, and the one
//! with what needs `unsafe`.

use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Stdio;
use std::{io, ptr};

use rustix::mm::{Advice, madvise};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal};
use tokio::process::{Child, Command};

use super::resident::Pages;
use crate::environment::ChildEnvironment;

/// An executable with what it is started with.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) environment: ChildEnvironment,
    pub(crate) stdin: Stdin,
    pub(crate) output: Output,
}

/// What a program reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdin {
    Inherited,
    /// For programs that run side by side, which would steal each other's input.
    Empty,
}

/// Where standard output and standard error of a program go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Inherited,
    /// To whoever takes the pipes of the started process.
    Piped,
}

impl Program {
    /// Starts the program.
    ///
    /// Only to be called on the main thread: the kernel's parent-death signal fires when the *thread* that forked
    /// ends, and the main thread is the one that lives as long as the process.
    pub(crate) fn spawn(&self) -> io::Result<Child> {
        let mut command = Command::new(&self.path);
        command.args(&self.args).kill_on_drop(true);
        self.environment.apply(&mut command);
        if self.stdin == Stdin::Empty {
            command.stdin(Stdio::null());
        }
        if self.output == Output::Piped {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        dies_with_us(&mut command);
        command.spawn()
    }
}

/// Has the kernel kill what this command starts when this process ends. To be started on the main thread only, as above.
pub(crate) fn dies_with_us(command: &mut Command) {
    let parent = getpid();
    #[allow(unsafe_code, reason = "there is no other way to run code between fork and exec")]
    // SAFETY: the closure runs in the forked child, where only async-signal-safe work is allowed. It makes two
    // system calls, without allocation, locks or access to memory that another thread could have been changing.
    unsafe {
        command.pre_exec(move || die_with(parent));
    }
}

/// Asks the kernel to kill this process when its parent ends.
fn die_with(parent: Pid) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the request was made; then nobody would ever send the signal.
    if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// Has the kernel take a range of this process's addresses out of its memory; see [`resident`](super::resident).
pub(super) fn unmap_pages(pages: &Pages) -> io::Result<()> {
    let Range { start, end } = pages.addresses();
    #[allow(unsafe_code, reason = "the kernel takes advice about memory by its addresses alone")]
    // SAFETY: `Pages` is a map of this program's file that can't be written to and of which no page differs from the file (what
    // was relocated, or a debugger has put something into, is left out). So nothing that could be read changes: a page that is
    // gone is read from the file again.
    unsafe {
        madvise(ptr::with_exposed_provenance_mut(start), end - start, Advice::LinuxDontNeed)?;
    }
    Ok(())
}
