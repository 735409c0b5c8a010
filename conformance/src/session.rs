//! The host's side of the control channel: a trigger that runs an app, and what the two say to each other.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fd::AsFd;
use spin_app_model::launch::{
    CHANNEL_LOSS_DEADLINE, ControlAddress, Drain, HELLO_DEADLINE, Hello, HostMessage, LineReader, PROTOCOL, Ready,
    Reload, TriggerMessage, Welcome, answer_hello, env,
};
use tempfile::TempDir;

use crate::checks::Trouble;
use crate::process::{Process, describe, readable, seconds};
use crate::subject::{Subject, url_of};

/// How long a trigger may take to read what it is sent.
const READING: Duration = Duration::from_secs(5);

/// A trigger that runs an app, and its control channel.
#[derive(Debug)]
pub(crate) struct Session {
    // Ended before its folder is deleted: fields are dropped in order.
    process: Process,
    stream: UnixStream,
    lines: LineReader,
    hello: Hello,
    welcome: Welcome,
    folder: TempDir,
}

impl Session {
    /// Starts the trigger with the app of `lock` and hears its hello.
    pub(crate) fn start(subject: &Subject, lock: &str) -> Result<Self, String> {
        Self::start_in(subject, app_folder(lock)?)
    }

    /// Starts it with an app whose lock is not there.
    pub(crate) fn start_without_lock(subject: &Subject) -> Result<Self, String> {
        let folder = app_folder("")?;
        std::fs::remove_file(lock_file(folder.path())).map_err(|error| error.to_string())?;
        Self::start_in(subject, folder)
    }

    fn start_in(subject: &Subject, folder: TempDir) -> Result<Self, String> {
        let socket = folder.path().join("0.sock");
        let listener = UnixListener::bind(&socket).map_err(|error| format!("no control socket: {error}"))?;
        let mut command = subject.command_for_app(folder.path(), &lock_file(folder.path()));
        command.env(env::CONTROL, address(&socket)?);
        let mut process = Process::start(command, folder.path())?;
        let deadline = process.started() + HELLO_DEADLINE;
        let stream = accept(&listener, &mut process, deadline)?;
        // As a host does: one connection, ever.
        drop(listener);
        let _ = std::fs::remove_file(&socket);
        let mut lines = LineReader::new();
        let hello = match receive(&stream, &mut lines, deadline, "hello")? {
            Received::Message(TriggerMessage::Hello(hello)) => hello,
            Received::Message(other) => return Err(format!("its first message is {}, not hello", other.name())),
            Received::Unknown => return Err("its first message is of an unknown name, not hello".to_owned()),
            Received::End => {
                return Err(format!("it closed the channel without a hello{}", process.complaint()));
            }
        };
        stream.set_write_timeout(Some(READING)).map_err(|error| error.to_string())?;
        // Whether hello deserves a welcome is a check of its own.
        let welcome = answer_hello(&hello, &subject.trigger_type, &[PROTOCOL]);
        let welcome = welcome.unwrap_or_else(|_| Welcome::new(PROTOCOL));
        Ok(Self { process, stream, lines, hello, welcome, folder })
    }

    /// Starts the trigger, welcomes it and waits until it is ready.
    pub(crate) fn start_and_be_ready(subject: &Subject) -> Result<Self, String> {
        let mut session = Self::start(subject, &subject.lock)?;
        session.welcome();
        session.ready(subject)?;
        Ok(session)
    }

    /// What it said first.
    pub(crate) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The process.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Welcomes it.
    pub(crate) fn welcome(&mut self) {
        // Nothing waits for it: one that can't start may be gone already, and what it said can still be read.
        let _ = self.send(&HostMessage::Welcome(self.welcome.clone()).encode());
    }

    /// Leaves a check that is about an optional part that the trigger doesn't have.
    pub(crate) fn must_offer(&self, feature: &'static str) -> Result<(), Trouble> {
        match self.hello.features.iter().any(|offered| offered == feature) {
            true => Ok(()),
            false => Err(Trouble::NotOffered(feature)),
        }
    }

    /// Asks it to end within `grace`.
    pub(crate) fn drain(&mut self, grace: Duration) -> Result<(), String> {
        self.send(&HostMessage::Drain(Drain::new(grace)).encode())
    }

    /// Sends lines as they are.
    pub(crate) fn send(&mut self, lines: &str) -> Result<(), String> {
        self.send_bytes(lines.as_bytes())
    }

    /// Sends what need not be text.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream.write_all(bytes).map_err(|error| format!("it does not listen to its host: {error}"))
    }

    /// Makes the generation `id` of the app and announces it.
    pub(crate) fn announce_generation(&mut self, id: u64, lock: &str) -> Result<(), String> {
        let folder = self.generation(id);
        let file = lock_file(&folder);
        let made = std::fs::create_dir(&folder).and_then(|()| std::fs::write(&file, lock));
        made.map_err(|error| format!("the app can't be written: {error}"))?;
        let reload = Reload::new(id, url_of(&file), folder.to_string_lossy());
        self.send(&HostMessage::Reload(reload).encode())
    }

    /// Deletes the generation `id`, as a host does that no trigger needs it for.
    pub(crate) fn forget_generation(&self, id: u64) -> Result<(), String> {
        let folder = self.generation(id);
        std::fs::remove_dir_all(folder).map_err(|error| format!("the app can't be deleted: {error}"))
    }

    fn generation(&self, id: u64) -> PathBuf {
        self.folder.path().join(format!("gen-{id}"))
    }

    /// Waits until it is ready.
    pub(crate) fn ready(&mut self, subject: &Subject) -> Result<Ready, String> {
        self.ready_within(subject, subject.patience)
    }

    /// Waits until it is ready, with more or less patience than it is given elsewhere.
    pub(crate) fn ready_within(&mut self, subject: &Subject, patience: Duration) -> Result<Ready, String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.receive(deadline, "ready")? {
                Received::Message(TriggerMessage::Ready(ready)) => return Ok(ready),
                Received::Message(TriggerMessage::Failed(failed)) => {
                    let advice = match subject.lock_given {
                        true => "",
                        false => "; an app without triggers was given, name another one with --lock",
                    };
                    return Err(format!("it failed with {}: {}{advice}", failed.code, failed.message));
                }
                Received::Message(TriggerMessage::Hello(_)) => return Err("it said hello twice".to_owned()),
                Received::Message(_) | Received::Unknown => {}
                Received::End => {
                    return Err(format!("it closed the channel before ready{}", self.process.complaint()));
                }
            }
        }
    }

    /// The next thing it says until `deadline`; `what` is waited for.
    pub(crate) fn receive(&mut self, deadline: Instant, what: &str) -> Result<Received, String> {
        receive(&self.stream, &mut self.lines, deadline, what)
    }

    /// Hears what it says until it closes the channel, which must be messages.
    pub(crate) fn hear_the_rest(&mut self, patience: Duration) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        while !matches!(self.receive(deadline, "end of the channel")?, Received::End) {}
        Ok(())
    }

    /// Whether it ends as soon as one whose host is gone must.
    pub(crate) fn must_end_as_without_host(&mut self, after: &str) -> Result<(), String> {
        let lost = Instant::now();
        // Waited for longer than is allowed, so that the message can say how late it is.
        let ended = self.process.ended_within(6 * CHANNEL_LOSS_DEADLINE).is_some();
        let (took, limit) = (lost.elapsed(), seconds(CHANNEL_LOSS_DEADLINE));
        match ended {
            true if took <= CHANNEL_LOSS_DEADLINE => Ok(()),
            true => Err(format!("it ended {} ms after {after}, not within {limit}", took.as_millis())),
            false => Err(format!("it still runs {} ms after {after}", took.as_millis())),
        }
    }

    /// Closes the channel, as the end of a host does, and leaves the process.
    pub(crate) fn hang_up(&mut self) -> Result<(), String> {
        let closed = self.stream.shutdown(std::net::Shutdown::Both);
        closed.map_err(|error| format!("the channel can't be closed: {error}"))
    }
}

/// What a trigger said.
#[derive(Debug)]
pub(crate) enum Received {
    /// A message.
    Message(TriggerMessage),
    /// A message of a name that isn't known, to be ignored.
    Unknown,
    /// Nothing more, ever.
    End,
}

/// A new folder with the app of `lock` in it.
pub(crate) fn app_folder(lock: &str) -> Result<TempDir, String> {
    let folder = tempfile::Builder::new().prefix("spin-conformance-").tempdir();
    let folder = folder.map_err(|error| format!("no temporary folder: {error}"))?;
    std::fs::write(lock_file(folder.path()), lock).map_err(|error| format!("the app can't be written: {error}"))?;
    Ok(folder)
}

/// Where the app of `folder` is.
pub(crate) fn lock_file(folder: &Path) -> PathBuf {
    folder.join("spin.lock")
}

/// The value of the variable that names the channel.
pub(crate) fn address(socket: &Path) -> Result<String, String> {
    Ok(ControlAddress::unix(socket).map_err(|error| error.to_string())?.to_string())
}

fn accept(listener: &UnixListener, process: &mut Process, deadline: Instant) -> Result<UnixStream, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    let [connecting, ended] = readable(&[listener.as_fd(), process.handle()], left);
    // One that connected and has ended since is heard all the same.
    if connecting {
        return listener.accept().map(|(stream, _)| stream).map_err(|error| format!("it does not connect: {error}"));
    }
    match process.ended_within(Duration::ZERO) {
        Some(status) if ended => {
            Err(format!("{} without connecting to the control channel{}", describe(status), process.complaint()))
        }
        _ => Err(format!(
            "it did not connect to the control channel within {} of its start{}",
            seconds(HELLO_DEADLINE),
            process.complaint()
        )),
    }
}

fn receive(mut stream: &UnixStream, lines: &mut LineReader, deadline: Instant, what: &str) -> Result<Received, String> {
    let mut bytes = [0; 4096];
    let late = || format!("no {what} in time");
    loop {
        if let Some(line) = lines.next_line().map_err(|error| error.to_string())? {
            let message = TriggerMessage::decode(&line).map_err(|error| error.to_string())?;
            return Ok(message.map_or(Received::Unknown, Received::Message));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
        match stream.read(&mut bytes) {
            Ok(0) if lines.has_partial_line() => return Err("its last line has no end".to_owned()),
            Ok(0) => return Ok(Received::End),
            Ok(count) => lines.push(&bytes[..count]),
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(late()),
                ErrorKind::ConnectionReset => return Ok(Received::End),
                _ => return Err(format!("the channel can't be read: {error}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::subject::tests::script;

    #[test]
    fn a_trigger_that_does_not_connect_is_told_apart() {
        let subject = script("echo 'no idea' >&2; exit 4");
        let why = Session::start(&subject, &subject.lock).unwrap_err();
        assert_eq!(why, "exit 4 without connecting to the control channel; its standard error ends with: no idea");
    }

    #[test]
    fn what_comes_over_the_channel_is_read_until_the_deadline() {
        let (host, mut trigger) = UnixStream::pair().unwrap();
        let mut lines = LineReader::new();
        let mut next = |patience| receive(&host, &mut lines, Instant::now() + patience, "hello");
        trigger.write_all(b"{\"news\":{}}\n{\"ready\":{}}\n{\"hel").unwrap();
        assert!(matches!(next(Duration::from_secs(5)), Ok(Received::Unknown)));
        assert!(matches!(next(Duration::from_secs(5)), Ok(Received::Message(TriggerMessage::Ready(_)))));
        assert_eq!(next(Duration::from_millis(1)).unwrap_err(), "no hello in time");
        drop(trigger);
        assert_eq!(next(Duration::from_secs(5)).unwrap_err(), "its last line has no end");
    }
}
