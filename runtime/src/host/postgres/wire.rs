//! How much a PostgreSQL server says at once, whether inside TLS or without.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

use crate::host::measured::{Exceeded, Measured, Meter};
use crate::host::rows::{MOST_BUFFERED, TooLarge};

/// What a server says to whoever asks whether it speaks TLS, if it does.
const SPEAKS_TLS: u8 = b'S';

/// The first byte says what a message is, the next four how long it is, themselves included.
const HEAD: usize = 5;

/// Counts the bytes of each message. One is the most that the driver must hold: a row is one.
pub(super) enum Messages {
    /// The server has not yet said whether it speaks TLS.
    Asked,
    /// What comes is encrypted.
    Encrypted,
    /// The head of a message as far as it has come, and how many bytes of its body have not.
    Plain { head: [u8; HEAD], known: usize, left: usize },
}

impl Messages {
    const PLAIN: Self = Self::Plain { head: [0; HEAD], known: 0, left: 0 };

    /// For what a connection transports.
    pub(super) fn outside(mode: SslMode, negotiation: SslNegotiation) -> Self {
        match (mode, negotiation) {
            (SslMode::Disable, _) => Self::PLAIN,
            (_, SslNegotiation::Direct) => Self::Encrypted,
            _ => Self::Asked,
        }
    }
}

impl Meter for Messages {
    fn count(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        if let Self::Asked = self {
            let Some((answer, rest)) = bytes.split_first() else { return Ok(()) };
            *self = if *answer == SPEAKS_TLS { Self::Encrypted } else { Self::PLAIN };
            bytes = rest;
        }
        let Self::Plain { head, known, left } = self else { return Ok(()) };
        while !bytes.is_empty() {
            if *left > 0 {
                let skipped = bytes.len().min(*left);
                *left -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = bytes.len().min(HEAD - *known);
            head[*known..*known + taken].copy_from_slice(&bytes[..taken]);
            *known += taken;
            bytes = &bytes[taken..];
            if *known == HEAD {
                let [_, length @ ..] = *head;
                // One that is no length is the driver's to refuse.
                *left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(HEAD - 1);
                *known = 0;
                if *left > MOST_BUFFERED {
                    return Err(TooLarge);
                }
            }
        }
        Ok(())
    }
}

/// Makes TLS of which the inside is counted.
pub(super) struct Counted<T> {
    pub(super) tls: T,
    pub(super) exceeded: Exceeded,
}

impl<S, T> TlsConnect<S> for Counted<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
    T::Stream: 'static,
    T::Error: 'static,
{
    type Stream = Measured<T::Stream, Messages>;
    type Error = T::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, T::Error>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let (connecting, exceeded) = (self.tls.connect(stream), self.exceeded);
        Box::pin(async move { Ok(Measured::new(connecting.await?, Messages::PLAIN, exceeded)) })
    }
}

impl<S: TlsStream + AsyncRead + AsyncWrite + Unpin> TlsStream for Measured<S, Messages> {
    fn channel_binding(&self) -> ChannelBinding {
        self.stream.channel_binding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut message = vec![b'D'];
        message.extend((length + 4).to_be_bytes());
        message
    }

    #[test]
    fn one_message_has_an_end_and_many_have_none() {
        let body = vec![0; 64 * 1024];
        let mut messages = Messages::PLAIN;
        for _ in 0..4_000 {
            assert_eq!(messages.count(&message(64 * 1024)), Ok(()));
            assert_eq!(messages.count(&body), Ok(()));
        }
        assert_eq!(messages.count(&message(0)), Ok(()));
        let most = u32::try_from(MOST_BUFFERED).expect("it fits");
        let mut messages = Messages::PLAIN;
        assert_eq!(messages.count(&message(most)), Ok(()));
        // Known before its body has come, however little comes at once.
        let mut messages = Messages::PLAIN;
        let told: Vec<_> = message(most + 1).iter().map(|byte| messages.count(&[*byte])).collect();
        assert_eq!(told, [Ok(()), Ok(()), Ok(()), Ok(()), Err(TooLarge)]);
    }

    #[test]
    fn what_is_encrypted_is_counted_inside() {
        let huge = [b'D', 0x7f, 0xff, 0xff, 0xff];
        let outside = |mode| Messages::outside(mode, SslNegotiation::Postgres);
        for (mode, answer, counted) in [
            (SslMode::Disable, &b""[..], true),
            (SslMode::Prefer, b"N", true),
            (SslMode::Prefer, b"S", false),
            (SslMode::Require, b"S", false),
        ] {
            let mut messages = outside(mode);
            assert_eq!(messages.count(answer), Ok(()));
            assert_eq!(messages.count(&huge).is_err(), counted, "{mode:?} {answer:?}");
        }
        assert_eq!(Messages::outside(SslMode::Require, SslNegotiation::Direct).count(&huge), Ok(()));
    }
}
