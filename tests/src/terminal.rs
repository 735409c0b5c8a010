//! A program on a pseudo-terminal: what it does when a person sits in front of it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::output::Output;
use crate::process::{Process, Signal, spawn};
use crate::redact::Redactions;

/// A program in the foreground of its own terminal. Dropping it closes the terminal and stops it.
#[derive(Debug)]
pub struct Terminal {
    screen: Option<Screen>,
    output: Output,
    process: Process,
    line: String,
    redactions: Redactions,
}

/// Our side of the terminal. The reading thread has the descriptor too: it lets go when told.
#[derive(Debug)]
struct Screen {
    keyboard: File,
    stop_reading: OwnedFd,
    reader: JoinHandle<()>,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(mut command: Command, line: String, redactions: Redactions) -> Self {
        let (ours, theirs) = open_pair().expect("a pseudo-terminal can be opened");
        command.stdin(duplicate(&theirs)).stdout(duplicate(&theirs)).stderr(theirs);
        let child = spawn(command, Path::new("setsid (package util-linux)"));
        // The command held the other side's descriptors; it was consumed, so only the program has them now.
        let (stopped, stop_reading) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe can be made");
        let keyboard = File::from(ours.try_clone().expect("a descriptor can be duplicated"));
        let (output, reader) = Output::collect(Display { ours: File::from(ours), stopped });
        let screen = Some(Screen { keyboard, stop_reading, reader });
        Self { screen, output, process: Process::new(child), line, redactions }
    }

    /// What the screen was told so far: standard output and standard error together, with `\r\n` as line end.
    pub fn output(&self) -> &Output {
        &self.output
    }

    /// What the screen was told so far, with names for folders and ports.
    pub fn snapshot(&self) -> String {
        self.redactions.apply(&format!("$ {}\n{}", self.line, self.output.text().replace("\r\n", "\n")))
    }

    /// The program's process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Types `text`; `\n` is the Enter key.
    ///
    /// # Panics
    ///
    /// If the terminal was closed.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        let screen = self.screen.as_mut().expect("the terminal is open");
        screen.keyboard.write_all(text.as_bytes()).expect("the terminal takes input");
    }

    /// Presses Ctrl-C: the terminal sends INT to its foreground group, not only to the program.
    #[track_caller]
    pub fn press_ctrl_c(&mut self) {
        self.type_text("\x03");
    }

    /// Closes the terminal, as closing its window does: its session gets HUP.
    pub fn close(&mut self) {
        if let Some(screen) = self.screen.take() {
            drop(screen.stop_reading);
            // The reader's descriptor is the last but one: without this the terminal would stay open.
            screen.reader.join().expect("the reader has not panicked");
            drop(screen.keyboard);
        }
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    ///
    /// If it has not ended after `patience`.
    #[track_caller]
    pub fn finish_within(&mut self, patience: Duration) -> ExitStatus {
        match self.process.wait(patience) {
            Some(status) => status,
            None => panic!("`{}` had not ended after {patience:?}\n{}", self.line, self.output.text()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads the screen until the program's side is gone or we are told to stop.
struct Display {
    ours: File,
    stopped: OwnedFd,
}

impl Read for Display {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let mut fds = [PollFd::new(&self.ours, PollFlags::IN), PollFd::new(&self.stopped, PollFlags::empty())];
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(_) if !fds[1].revents().is_empty() => return Ok(0),
                Ok(_) => {}
            }
            return self.ours.read(buffer);
        }
    }
}

fn open_pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let name = ptsname(&ours, Vec::new())?;
    let theirs = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    tcsetwinsize(&theirs, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 })?;
    Ok((ours, theirs))
}

fn duplicate(descriptor: &OwnedFd) -> Stdio {
    Stdio::from(descriptor.as_fd().try_clone_to_owned().expect("a descriptor can be duplicated"))
}
