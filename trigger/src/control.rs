//! The trigger's end of the control channel (architecture: the trigger protocol).
//!
//! Reading has a thread of its own: the host's end must be noticed within half a second, also while every
//! worker of the executor is busy in a guest or a compiler.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use spin_app_model::TriggerType;
use spin_app_model::launch::env::CONTROL;
use spin_app_model::launch::{
    ControlAddress, Endpoint, Failed, Hello, HostMessage, LineReader, Progress, Ready, TriggerMessage,
};

use crate::error::Error;
use crate::stop::Stop;

/// The channel to the host, or nothing when the trigger was started by hand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    writer: Option<Arc<Mutex<UnixStream>>>,
}

impl Control {
    /// Connects if the environment names a channel, and says hello.
    ///
    /// # Errors
    /// When the host can't be reached: it is gone, and so is the reason to run.
    pub(crate) fn connect(trigger_type: TriggerType, version: &str) -> Result<(Self, Option<UnixStream>), Error> {
        let Some(address) = std::env::var_os(CONTROL) else { return Ok((Self::default(), None)) };
        let unreachable = |why: String| {
            let address = address.to_string_lossy();
            Error::new("control::unreachable", format!("{CONTROL}={address}: {why}; was this started by spin?"))
        };
        let parsed: ControlAddress = address
            .to_str()
            .ok_or_else(|| unreachable("not valid UTF-8".to_owned()))?
            .parse()
            .map_err(|error: spin_app_model::launch::AddressError| unreachable(error.to_string()))?;
        let stream = UnixStream::connect(parsed.path()).map_err(|error| unreachable(error.to_string()))?;
        let reader = stream.try_clone().map_err(|error| unreachable(error.to_string()))?;
        let control = Self { writer: Some(Arc::new(Mutex::new(stream))) };
        control.send(&TriggerMessage::Hello(Hello::new(trigger_type, version)));
        Ok((control, Some(reader)))
    }

    /// Whether there is a host at the other end.
    pub(crate) fn has_host(&self) -> bool {
        self.writer.is_some()
    }

    pub(crate) fn progress(&self, phase: &str, done: usize, of: usize) {
        self.send(&TriggerMessage::Progress(Progress::new(phase, done as u64, of as u64)));
    }

    pub(crate) fn ready(&self, endpoints: Vec<Endpoint>) {
        self.send(&TriggerMessage::Ready(Ready::new(endpoints)));
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.send(&TriggerMessage::Failed(Failed::new(error.code(), error.message())));
    }

    fn send(&self, message: &TriggerMessage) {
        let Some(writer) = &self.writer else { return };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // If the host is gone the reading thread ends this process; there is nobody left to tell.
        let _ = writer.write_all(message.encode().as_bytes());
    }
}

/// Obeys the host from now on, and ends the process when the host is gone.
///
/// # Errors
/// When the thread can't be started.
pub(crate) fn obey(reader: UnixStream, stop: &Stop) -> std::io::Result<()> {
    let stop = stop.clone();
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            listen(reader, &stop);
            // Whatever the reason, nobody supervises this process any more. Events in flight are cut: their
            // clients have lost the app already.
            std::process::exit(1);
        })
        .map(drop)
}

/// Returns when the channel is lost or speaks nonsense.
fn listen(mut reader: UnixStream, stop: &Stop) {
    let mut lines = LineReader::new();
    let mut bytes = [0; 4096];
    loop {
        match reader.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => lines.push(&bytes[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        loop {
            let line = match lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(error) => {
                    tracing::error!("control channel: {error}");
                    return;
                }
            };
            match HostMessage::decode(&line) {
                Ok(Some(HostMessage::Drain(drain))) => stop.request(Duration::from_millis(drain.grace_ms)),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!("control channel: {error}");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drain_asks_for_the_end_and_loss_is_noticed() {
        let (mut host, trigger) = UnixStream::pair().expect("a pair of sockets");
        let stop = Stop::default();
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || listen(trigger, &stop)
        });
        host.write_all(b"{\"welcome\":{\"protocol\":1}}\n{\"something-new\":{}}\n{\"drain\":{\"grace_ms\":1500}}\n")
            .expect("sent");
        drop(host);
        thread.join().expect("it returns");
        assert!(stop.is_requested());
        assert_eq!(stop.grace(), Duration::from_millis(1500));
    }

    #[test]
    fn nonsense_from_the_host_ends_the_channel() {
        let (mut host, trigger) = UnixStream::pair().expect("a pair of sockets");
        host.write_all(b"\xff\xfe\n").expect("sent");
        listen(trigger, &Stop::default());
    }
}
