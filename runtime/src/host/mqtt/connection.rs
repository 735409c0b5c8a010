//! A client's side of MQTT 3.1.1, as far as publishing needs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::FutureExt;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Login, Packet, PubRel, Publish};
use rumqttc::mqttbytes::{self, QoS};
use spin_app_model::hosts::Destination;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Error, Network};

/// How long to wait for a connection, with all that must be said on it before it can be used.
const CONNECT: Duration = Duration::from_secs(10);

/// How long to wait for each answer of the broker.
const ANSWER: Duration = Duration::from_secs(30);

/// The largest packet that a broker may send to us, in bytes: nobody subscribes here.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The largest packet of the protocol, in bytes.
const LARGEST_PACKET: usize = 268_435_455;

/// A broker, and who we are there.
pub(super) struct Client {
    pub(super) network: Arc<Network>,
    pub(super) destination: Destination,
    pub(super) name: String,
    pub(super) credentials: Option<(String, String)>,
    /// Seconds.
    pub(super) keep_alive: u16,
}

/// The name of a client that was given none.
pub(super) fn new_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("spin{:x}n{number:x}", since.as_micros() & 0xff_ffff_ffff)
}

trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Transport for S {}

/// A connection that the broker has taken.
pub(super) struct Session {
    stream: Box<dyn Transport>,
    received: BytesMut,
    next: u16,
    used: Instant,
    keep_alive: Duration,
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::ConnectionFailed(error.to_string())
}

impl Client {
    pub(super) async fn connect(&self) -> Result<Session, Error> {
        let late = || failed(&format!("no connection within {} seconds", CONNECT.as_secs()));
        tokio::time::timeout(CONNECT, self.session()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn session(&self) -> Result<Session, Error> {
        let Network { egress, tls, .. } = &*self.network;
        let stream = egress.connect(&self.destination).await.map_err(|error| failed(&error))?;
        let stream: Box<dyn Transport> = match self.destination.scheme() {
            "mqtts" => Box::new(tls.connect(&self.destination, stream).await.map_err(|error| failed(&error))?),
            _ => Box::new(stream),
        };
        let mut connect = Connect::new(self.name.clone());
        connect.keep_alive = self.keep_alive;
        connect.login = self.credentials.as_ref().map(|(user, password)| Login::new(user, password));
        let mut session = Session {
            stream,
            received: BytesMut::new(),
            next: 0,
            used: Instant::now(),
            keep_alive: Duration::from_secs(u64::from(self.keep_alive)),
        };
        session.send(&Packet::Connect(connect)).await?;
        match session.answer().await? {
            Packet::ConnAck(answer) if answer.code == ConnectReturnCode::Success => Ok(session),
            Packet::ConnAck(answer) => Err(failed(&format!("the broker refuses the connection: {:?}", answer.code))),
            other => Err(unexpected(&other)),
        }
    }
}

fn unexpected(packet: &Packet) -> Error {
    failed(&format!("the broker says what was not asked for: {packet:?}"))
}

impl Session {
    /// Whether it can still be used, as far as can be known. One that was silent for longer than it promised has been closed, or
    /// is about to be.
    pub(super) fn is_alive(&mut self) -> bool {
        // Nothing was asked for, so what comes is the end, or no MQTT.
        let is_silent = self.stream.read_buf(&mut self.received).now_or_never().is_none();
        is_silent && (self.keep_alive.is_zero() || self.used.elapsed() < self.keep_alive)
    }

    /// Publishes a message, and waits for what `qos` promises. After an error the session is of no use.
    pub(super) async fn publish(&mut self, topic: &str, payload: Vec<u8>, qos: QoS) -> Result<(), Error> {
        let mut publish = Publish::new(topic, qos, payload);
        if qos != QoS::AtMostOnce {
            publish.pkid = self.next_number();
        }
        let number = publish.pkid;
        self.send(&Packet::Publish(publish)).await?;
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => match self.answer().await? {
                Packet::PubAck(answer) if answer.pkid == number => {}
                other => return Err(unexpected(&other)),
            },
            QoS::ExactlyOnce => {
                match self.answer().await? {
                    Packet::PubRec(answer) if answer.pkid == number => {}
                    other => return Err(unexpected(&other)),
                }
                self.send(&Packet::PubRel(PubRel::new(number))).await?;
                match self.answer().await? {
                    Packet::PubComp(answer) if answer.pkid == number => {}
                    other => return Err(unexpected(&other)),
                }
            }
        }
        self.used = Instant::now();
        Ok(())
    }

    /// Zero is no number.
    fn next_number(&mut self) -> u16 {
        self.next = self.next.checked_add(1).unwrap_or(1);
        self.next
    }

    async fn send(&mut self, packet: &Packet) -> Result<(), Error> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, LARGEST_PACKET).map_err(|error| Error::Other(format!("it can't be sent: {error}")))?;
        self.stream.write_all(&bytes).await.map_err(|error| failed(&error))?;
        self.stream.flush().await.map_err(|error| failed(&error))
    }

    async fn answer(&mut self) -> Result<Packet, Error> {
        let late = || failed(&format!("no answer of the broker within {} seconds", ANSWER.as_secs()));
        tokio::time::timeout(ANSWER, self.read()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn read(&mut self) -> Result<Packet, Error> {
        loop {
            match Packet::read(&mut self.received, LARGEST_ANSWER) {
                Ok(packet) => return Ok(packet),
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(error) => return Err(failed(&format!("the broker says what can't be read: {error}"))),
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err(failed(&"the broker has closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
    }
}
