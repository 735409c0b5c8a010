//! An MQTT broker of the test's own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::output::{Output, PATIENCE};
use crate::process::{Process, Signal};

/// A running Mosquitto, on a loopback port, that keeps nothing. Dropping it ends it.
#[derive(Debug)]
pub struct Mosquitto {
    process: Process,
    log: Output,
    address: SocketAddr,
    // Deleted after the broker has ended: fields are dropped in order.
    _folder: tempfile::TempDir,
}

impl Mosquitto {
    /// Starts a broker and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If there is no `mosquitto`, or it does not start.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_at(crate::free_port())
    }

    /// The same at a port of a test's choice, as a restart is.
    #[track_caller]
    pub fn start_at(port: u16) -> Self {
        Self::start_with(port, "")
    }

    /// The same with TLS at another port, where it shows itself with this certificate and key.
    #[track_caller]
    pub fn start_with_tls(tls_port: u16, certificate: &Path, key: &Path) -> Self {
        let (certificate, key) = (certificate.display(), key.display());
        // As root it would become somebody else, who may not read the key.
        let listener = format!("user root\nlistener {tls_port} 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n");
        Self::start_with(crate::free_port(), &listener)
    }

    #[track_caller]
    fn start_with(port: u16, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let config = folder.path().join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_dest stderr\nlog_type all\n{more}"
        );
        std::fs::write(&config, text).expect("a file can be written in a new folder");
        // Debian puts it where only root looks.
        let program = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let mut command = Command::new(program);
        command.current_dir(folder.path()).arg("-c").arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("mosquitto cannot be started ({error}): apt-get install mosquitto"),
        };
        let (log, _) = Output::collect(child.stderr.take().expect("stderr is a pipe"));
        let process = Process::new(child);
        if log.line_within(PATIENCE, |line| line.contains(" running")).is_err() {
            panic!("mosquitto does not start:\n{}", log.text());
        }
        Self { process, log, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), _folder: folder }
    }

    /// Ends it at once and waits for its end. Its port can be used again with [`Mosquitto::start_at`].
    pub fn kill(mut self) -> u16 {
        self.process.signal(Signal::KILL);
        self.process.wait(Duration::from_secs(10));
        self.port()
    }

    /// Its address in the form of a manifest: `mqtt://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its log so far, and what comes.
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// Subscribes to topics (at most once), and waits until the broker has taken that.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[track_caller]
    pub fn subscribe(&self, filter: &str) -> Subscriber {
        let mut stream = TcpStream::connect(self.address).expect("the broker is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        // CONNECT with a clean session, no name and no limit of silence; SUBSCRIBE with the number 1.
        let name = u16::try_from(filter.len()).expect("a short filter").to_be_bytes();
        send(&mut stream, 0x10, b"\0\x04MQTT\x04\x02\0\0\0\0");
        send(&mut stream, 0x82, &[&[0, 1], &name[..], filter.as_bytes(), &[0]].concat());
        let mut answers = [0; 9];
        stream.read_exact(&mut answers).expect("the broker answers");
        assert_eq!(answers, [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0], "the broker takes the subscription");
        Subscriber(stream)
    }

    /// Publishes a message, and waits until the broker has taken it (QoS 1).
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[track_caller]
    pub fn publish(&self, topic: &str, payload: &[u8]) {
        let mut stream = TcpStream::connect(self.address).expect("the broker is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
        // CONNECT with a clean session and no name; PUBLISH with the number 1.
        send(&mut stream, 0x10, b"\0\x04MQTT\x04\x02\0\x3c\0\0");
        let name = u16::try_from(topic.len()).expect("a short topic").to_be_bytes();
        send(&mut stream, 0x32, &[&name, topic.as_bytes(), &[0, 1], payload].concat());
        // CONNACK, then PUBACK.
        let mut answers = [0; 8];
        stream.read_exact(&mut answers).expect("the broker answers");
        assert_eq!(answers, [0x20, 2, 0, 0, 0x40, 2, 0, 1], "the broker takes the message");
    }
}

/// Somebody who gets messages.
#[derive(Debug)]
pub struct Subscriber(TcpStream);

impl Subscriber {
    /// Topic and payload of the next message.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[track_caller]
    pub fn receive(&mut self) -> (String, Vec<u8>) {
        let mut head = [0; 4];
        self.0.read_exact(&mut head).expect("a message comes");
        let [kind, length, high, low] = head;
        assert_eq!(kind & 0xf6, 0x30, "a message that nobody waits to be confirmed");
        let mut rest = vec![0; usize::from(length) - 2];
        self.0.read_exact(&mut rest).expect("it is whole");
        let payload = rest.split_off(usize::from(u16::from_be_bytes([high, low])));
        (String::from_utf8(rest).expect("a topic is text"), payload)
    }
}

fn send(stream: &mut TcpStream, kind: u8, content: &[u8]) {
    let length = u8::try_from(content.len()).ok().filter(|length| *length < 128).expect("a short message");
    stream.write_all(&[&[kind, length], content].concat()).expect("the broker listens");
}
