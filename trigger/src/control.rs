//! The trigger's end of the control channel (architecture: the trigger protocol).
//!
//! Reading has a thread of its own: the host's end must be noticed within half a second, also while every
//! worker of the executor is busy in a guest or a compiler. Questions for the status are answered there too.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use spin_app_model::TriggerType;
use spin_app_model::launch::env::CONTROL;
use spin_app_model::launch::{
    ControlAddress, Endpoint, FEATURES, Failed, Generation, Hello, HostMessage, LineReader, Progress, RELOAD, Ready,
    Rejected, TriggerMessage,
};

use tokio::sync::mpsc::UnboundedSender;

use crate::error::Error;
use crate::health::Health;
use crate::reload::Order;

/// The channel to the host, or nothing when the trigger was started by hand. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Control {
    health: Health,
    writer: Option<Arc<Mutex<UnixStream>>>,
}

impl Control {
    /// Connects if the environment names a channel, and says hello.
    ///
    /// # Errors
    /// When the host can't be reached: it is gone, and so is the reason to run.
    pub(crate) fn connect(
        trigger_type: TriggerType,
        version: &str,
        reloads: bool,
    ) -> Result<(Self, Option<UnixStream>), Error> {
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
        let control = Self { health: Health::default(), writer: Some(Arc::new(Mutex::new(stream))) };
        let features: Vec<&str> = FEATURES.iter().copied().filter(|&feature| reloads || feature != RELOAD).collect();
        control.send(&TriggerMessage::Hello(Hello::new(trigger_type, version).with_features(&features)));
        Ok((control, Some(reader)))
    }

    /// Whether there is a host at the other end.
    pub(crate) fn has_host(&self) -> bool {
        self.writer.is_some()
    }

    pub(crate) fn progress(&self, phase: &str, done: usize, of: usize) {
        self.send(&TriggerMessage::Progress(Progress::new(phase, done as u64, of as u64)));
    }

    /// How the trigger is, as the host may ask.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn ready(&self, endpoints: Vec<Endpoint>) {
        self.health.set_ready();
        self.send(&TriggerMessage::Ready(Ready::new(endpoints)));
    }

    pub(crate) fn failed(&self, error: &Error) {
        self.send(&TriggerMessage::Failed(Failed::new(error.code(), error.message())));
    }

    pub(crate) fn prepared(&self, id: u64) {
        self.send(&TriggerMessage::Prepared(Generation::new(id)));
    }

    pub(crate) fn rejected(&self, id: u64, error: &Error) {
        self.send(&TriggerMessage::Rejected(Rejected::new(id, error.code(), error.message())));
    }

    pub(crate) fn committed(&self, id: u64) {
        self.send(&TriggerMessage::Committed(Generation::new(id)));
    }

    pub(crate) fn retired(&self, id: u64) {
        self.send(&TriggerMessage::Retired(Generation::new(id)));
    }

    fn send(&self, message: &TriggerMessage) {
        let Some(writer) = &self.writer else { return };
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // If the host is gone the reading thread ends this process; there is nobody left to tell.
        let _ = writer.write_all(message.encode().as_bytes());
    }
}

/// Obeys the host from now on, and ends the process when the host is gone. What it wants of generations is left to who takes
/// the orders.
///
/// # Errors
/// When the thread can't be started.
pub(crate) fn obey(reader: UnixStream, control: &Control, orders: UnboundedSender<Order>) -> std::io::Result<()> {
    let control = control.clone();
    std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || {
            listen(reader, &control, &orders);
            // Whatever the reason, nobody supervises this process any more. Events in flight are cut: their
            // clients have lost the app already.
            std::process::exit(1);
        })
        .map(drop)
}

/// Returns when the channel is lost or speaks nonsense.
fn listen(mut reader: UnixStream, control: &Control, orders: &UnboundedSender<Order>) {
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
            let order = match HostMessage::decode(&line) {
                Ok(Some(HostMessage::Drain(drain))) => {
                    control.health.stop.request(drain.grace());
                    continue;
                }
                Ok(Some(HostMessage::Status(request))) => {
                    control.send(&TriggerMessage::Status(control.health.status(request.id)));
                    continue;
                }
                Ok(Some(HostMessage::Reload(reload))) => Order::Prepare(reload),
                Ok(Some(HostMessage::Commit(generation))) => Order::Commit(generation.id),
                Ok(Some(HostMessage::Abort(generation))) => Order::Abort(generation.id),
                Ok(_) => continue,
                Err(error) => {
                    tracing::error!("control channel: {error}");
                    return;
                }
            };
            // Nobody takes it any more when the trigger is ending.
            let _ = orders.send(order);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::time::Duration;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn pair() -> (UnixStream, UnixStream, Control) {
        let (host, trigger) = UnixStream::pair().expect("a pair of sockets");
        let writer = trigger.try_clone().expect("a second handle");
        let control = Control { health: Health::default(), writer: Some(Arc::new(Mutex::new(writer))) };
        (host, trigger, control)
    }

    #[test]
    fn drain_asks_for_the_end_and_loss_is_noticed() {
        let (mut host, trigger, control) = pair();
        let stop = control.health().stop.clone();
        let thread = std::thread::spawn(move || listen(trigger, &control, &unbounded_channel().0));
        host.write_all(b"{\"welcome\":{\"protocol\":1}}\n{\"something-new\":{}}\n{\"drain\":{\"grace_ms\":1500}}\n")
            .expect("sent");
        drop(host);
        thread.join().expect("it returns");
        assert!(stop.is_requested());
        assert_eq!(stop.grace(), Duration::from_millis(1500));
    }

    #[test]
    fn nonsense_from_the_host_ends_the_channel() {
        let (mut host, trigger, control) = pair();
        host.write_all(b"\xff\xfe\n").expect("sent");
        listen(trigger, &control, &unbounded_channel().0);
    }

    #[test]
    fn the_status_tells_whether_events_are_taken() {
        let (mut host, trigger, control) = pair();
        let health = control.health().clone();
        let thread = std::thread::spawn(move || listen(trigger, &control, &unbounded_channel().0));
        let mut answers = std::io::BufReader::new(host.try_clone().expect("a second handle")).lines();
        let mut ask = |id: u64| {
            host.write_all(format!("{{\"status\":{{\"id\":{id}}}}}\n").as_bytes()).expect("sent");
            let answer = answers.next().expect("an answer").expect("read");
            let Ok(Some(TriggerMessage::Status(status))) = TriggerMessage::decode(answer.as_bytes()) else {
                panic!("{answer}")
            };
            assert_eq!(status.id, id);
            status.ready
        };
        assert!(!ask(1), "not yet");
        health.set_ready();
        assert!(ask(2));
        health.stop.request(Duration::ZERO);
        assert!(!ask(3), "no more");
        host.shutdown(std::net::Shutdown::Both).expect("closed");
        thread.join().expect("it returns");
    }

    #[test]
    fn what_is_wanted_of_generations_is_handed_on_in_its_order() {
        let (mut host, trigger, control) = pair();
        let lines = concat!(
            r#"{"reload":{"id":2,"locked_url":"file:///l","working_dir":"/w"}}"#,
            "\n",
            r#"{"commit":{"id":2}}"#,
            "\n",
            r#"{"abort":{"id":3}}"#,
            "\n",
        );
        host.write_all(lines.as_bytes()).expect("sent");
        drop(host);
        let (orders, mut taken) = unbounded_channel();
        listen(trigger, &control, &orders);
        assert!(matches!(taken.try_recv(), Ok(Order::Prepare(reload)) if reload.id == 2 && reload.working_dir == "/w"));
        assert!(matches!(taken.try_recv(), Ok(Order::Commit(2))));
        assert!(matches!(taken.try_recv(), Ok(Order::Abort(3))));
    }
}
