//! The control channel of one trigger, from the host's side: hello and welcome, then what the trigger tells.
//!
//! Reading can be cancelled at any point without losing a byte, so that the supervisor may wait for other things at
//! the same time. Every line is checked before anything is believed: its length, its encoding, its place.

use std::io;
use std::time::Duration;

use super::wires::Said;
use spin_app_model::TriggerType;
use spin_app_model::launch::{
    Drain, Failed, Hello, HelloError, HostMessage, LineError, LineReader, MessageError, PROTOCOL, Progress, Status,
    TriggerMessage, Welcome, answer_hello,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What this host speaks.
const SUPPORTED: &[u32] = &[PROTOCOL];

/// A peer that does not read its few lines within this is gone.
const SEND_DEADLINE: Duration = Duration::from_secs(1);

/// The channel of one trigger.
pub(super) struct Channel<S> {
    stream: S,
    lines: LineReader,
    greeted: bool,
}

/// What a trigger said.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    /// Its hello was accepted; this is the answer that is due.
    Hello(Welcome),
    Progress(Progress),
    Ready,
    Failed(Failed),
    Reload(Said),
    Status(Status),
    /// It closed the channel.
    Closed,
}

/// How a trigger broke the protocol.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChannelError {
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Hello(#[from] HelloError),
    #[error("the first message on the control channel is {found}, it must be \"hello\"")]
    NotHello { found: String },
    #[error("a second \"hello\" on the control channel")]
    SecondHello,
    #[error("no hello on the control channel within {} s", after.as_secs_f32())]
    Silent { after: Duration },
    #[error("a generation was to be used, and no \"committed\" came within {} s", after.as_secs_f32())]
    NotCommitted { after: Duration },
    #[error("the control channel was closed before hello")]
    ClosedEarly,
    #[error("a generation was to be used, and the control channel was closed instead of \"committed\"")]
    ClosedUncommitted,
    #[error("the control channel failed: {0}")]
    Io(#[from] io::Error),
}

impl ChannelError {
    /// The stable code of this error.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Line(error) => error.code(),
            Self::Message(error) => error.code(),
            Self::Hello(error) => error.code(),
            Self::NotHello { .. } => "control::not-hello",
            Self::SecondHello => "control::second-hello",
            Self::Silent { .. } => "control::no-hello",
            Self::NotCommitted { .. } | Self::ClosedUncommitted => "control::not-committed",
            Self::ClosedEarly => "control::closed-early",
            Self::Io(_) => "control::io",
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, lines: LineReader::new(), greeted: false }
    }

    /// The next thing the trigger of type `expected` says. Can be cancelled without losing anything.
    pub(super) async fn next(&mut self, expected: &TriggerType) -> Result<Heard, ChannelError> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            while let Some(line) = self.lines.next_line()? {
                if let Some(heard) = self.understand(&line, expected)? {
                    return Ok(heard);
                }
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) => return self.end(),
                // A peer that was killed with our answer unread resets the connection; that is an end too.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return self.end(),
                Ok(read) => self.lines.push(&buffer[..read]),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Answers the hello.
    pub(super) async fn welcome(&mut self, welcome: Welcome) -> io::Result<()> {
        self.send(&HostMessage::Welcome(welcome)).await
    }

    /// Asks the trigger to end in order.
    pub(super) async fn drain(&mut self, grace: Duration) -> io::Result<()> {
        self.send(&HostMessage::Drain(Drain::new(grace))).await
    }

    fn understand(&mut self, line: &[u8], expected: &TriggerType) -> Result<Option<Heard>, ChannelError> {
        let message = TriggerMessage::decode(line)?;
        if !self.greeted {
            let Some(TriggerMessage::Hello(hello)) = message else {
                let found = message.map_or("an unknown one".to_owned(), |message| format!("\"{}\"", message.name()));
                return Err(ChannelError::NotHello { found });
            };
            self.greeted = true;
            return Ok(Some(Heard::Hello(self.answer(&hello, expected)?)));
        }
        Ok(match message {
            Some(TriggerMessage::Hello(_)) => return Err(ChannelError::SecondHello),
            Some(TriggerMessage::Progress(progress)) => Some(Heard::Progress(progress)),
            Some(TriggerMessage::Ready(_)) => Some(Heard::Ready),
            Some(TriggerMessage::Failed(failed)) => Some(Heard::Failed(failed)),
            Some(TriggerMessage::Prepared(generation)) => Some(Heard::Reload(Said::Prepared(generation.id))),
            Some(TriggerMessage::Rejected(rejected)) => Some(Heard::Reload(Said::Rejected(rejected))),
            Some(TriggerMessage::Committed(generation)) => Some(Heard::Reload(Said::Committed(generation.id))),
            Some(TriggerMessage::Retired(generation)) => Some(Heard::Reload(Said::Retired(generation.id))),
            Some(TriggerMessage::Status(status)) => Some(Heard::Status(status)),
            // A message of a later version: not for us.
            _ => None,
        })
    }

    fn answer(&self, hello: &Hello, expected: &TriggerType) -> Result<Welcome, ChannelError> {
        Ok(answer_hello(hello, expected, SUPPORTED)?)
    }

    fn end(&self) -> Result<Heard, ChannelError> {
        if self.greeted { Ok(Heard::Closed) } else { Err(ChannelError::ClosedEarly) }
    }

    /// Says anything else.
    pub(super) async fn send(&mut self, message: &HostMessage) -> io::Result<()> {
        let line = message.encode();
        match tokio::time::timeout(SEND_DEADLINE, self.stream.write_all(line.as_bytes())).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::net::UnixStream;

    use super::*;

    const HELLO: &[u8] =
        b"{\"hello\":{\"protocols\":[1],\"type\":\"zzz\",\"version\":\"0.1.0\",\"features\":[\"odd\",\"reload\"]}}\n";

    /// Our end and the peer's.
    fn pair() -> (Channel<UnixStream>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Channel::new(ours), theirs)
    }

    async fn next(channel: &mut Channel<UnixStream>) -> Result<Heard, ChannelError> {
        channel.next(&"zzz".parse().unwrap()).await
    }

    /// What the host makes of a first line, and the end of the channel behind it.
    async fn first(bytes: &[u8]) -> ChannelError {
        let (mut channel, mut peer) = pair();
        peer.write_all(bytes).await.unwrap();
        drop(peer);
        next(&mut channel).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_trigger_says_hello_and_is_welcomed() {
        let (mut channel, mut peer) = pair();
        peer.write_all(HELLO).await.unwrap();
        peer.write_all(b"{\"progress\":{\"phase\":\"compile\",\"done\":1,\"of\":2}}\n{\"later\":{}}\n{\"ready\":{}}\n")
            .await
            .unwrap();
        let Heard::Hello(welcome) = next(&mut channel).await.unwrap() else { panic!("not a hello") };
        channel.welcome(welcome).await.unwrap();
        assert_eq!(next(&mut channel).await.unwrap(), Heard::Progress(Progress::new("compile", 1, 2)));
        assert_eq!(next(&mut channel).await.unwrap(), Heard::Ready);
        channel.drain(Duration::from_secs(2)).await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(next(&mut channel).await.unwrap(), Heard::Closed);

        drop(channel);
        let mut said = String::new();
        peer.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "{\"welcome\":{\"protocol\":1,\"features\":[\"reload\"]}}\n{\"drain\":{\"grace_ms\":2000}}\n");
    }

    #[tokio::test]
    async fn reading_can_be_cancelled_in_the_middle_of_a_line() {
        let (mut channel, mut peer) = pair();
        for piece in HELLO.chunks(7) {
            tokio::select! {
                biased;
                heard = next(&mut channel) => panic!("half a line is not a message: {heard:?}"),
                written = peer.write_all(piece) => written.unwrap(),
            }
        }
        assert!(matches!(next(&mut channel).await, Ok(Heard::Hello(_))));
    }

    #[tokio::test]
    async fn an_endless_line_is_cut_off() {
        let (mut channel, mut peer) = pair();
        let endless = async {
            // Ends when the host hangs up, long before the gigabyte is sent.
            let chunk = vec![b'x'; 64 * 1024];
            for sent in 0..16 * 1024_u32 {
                if peer.write_all(&chunk).await.is_err() {
                    return sent;
                }
            }
            u32::MAX
        };
        let hang_up = async {
            let error = next(&mut channel).await.unwrap_err();
            drop(channel);
            error
        };
        let (error, sent) = tokio::join!(hang_up, endless);
        assert!(matches!(error, ChannelError::Line(LineError::TooLong)), "{error:?}");
        assert!(sent < 64, "{sent} chunks were taken");
    }

    #[tokio::test]
    async fn a_first_message_that_is_not_a_hello_of_ours_is_refused() {
        let rows: [(&[u8], &str, &str); 9] = [
            (b"\xff\xfe\n", "control::not-utf8", "UTF-8"),
            (b"listening on 3000\n", "control::not-a-message", "listening on 3000"),
            (b"{\"ready\":{}}\n", "control::not-hello", "\"ready\""),
            (b"{\"later\":{}}\n", "control::not-hello", "an unknown one"),
            (b"{\"hello\":{\"protocols\":\"all\"}}\n", "control::bad-fields", "hello"),
            (b"{\"hello\":{\"protocols\":[999],\"type\":\"zzz\",\"version\":\"9\"}}\n", "", "999"),
            (b"{\"hello\":{\"protocols\":[1],\"type\":\"http\",\"version\":\"1\"}}\n", "", "http"),
            (b"", "control::closed-early", "before hello"),
            (b"{\"hello\":", "control::closed-early", "before hello"),
        ];
        for (line, code, text) in rows {
            let error = first(line).await;
            assert!(error.to_string().contains(text), "{error}");
            assert!(code.is_empty() || error.code() == code, "{error:?}");
        }
    }

    #[tokio::test]
    async fn bad_lines_after_hello_are_refused_too() {
        for (line, code) in [
            (HELLO, "control::second-hello"),
            (b"\xc3\n", "control::not-utf8"),
            (b"{\"failed\":1}\n", "control::bad-fields"),
        ] {
            let (mut channel, mut peer) = pair();
            peer.write_all(HELLO).await.unwrap();
            peer.write_all(line).await.unwrap();
            assert!(matches!(next(&mut channel).await, Ok(Heard::Hello(_))));
            assert_eq!(next(&mut channel).await.unwrap_err().code(), code);
        }
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_does_not_hold_us_up() {
        let (ours, _peer) = tokio::io::duplex(4);
        let mut channel = Channel::new(ours);
        let error = channel.drain(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
