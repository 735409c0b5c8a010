//! Connections to servers that may say more at once than the host holds for a guest. Drivers read an answer whole before
//! anybody can count it, so it is counted on its way to them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::rows::TooLarge;

/// Follows what a server says, and knows where one answer ends and the next begins.
pub(crate) trait Meter: Unpin {
    /// Counts what came next.
    ///
    /// # Errors
    /// When the answer is larger than the host holds.
    fn count(&mut self, bytes: &[u8]) -> Result<(), TooLarge>;
}

/// Whether a connection has ended because an answer was too large: drivers only say that it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exceeded(Arc<AtomicBool>);

impl Exceeded {
    /// Whether it has; the next one who asks isn't told any more.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// A connection that ends when an answer is too large.
pub(crate) struct Measured<S, M> {
    pub(crate) stream: S,
    meter: M,
    exceeded: Exceeded,
    /// What the next read is told.
    over: Option<TooLarge>,
}

impl<S, M> Measured<S, M> {
    pub(crate) fn new(stream: S, meter: M, exceeded: Exceeded) -> Self {
        Self { stream, meter, exceeded, over: None }
    }
}

impl<S: AsyncRead + Unpin, M: Meter> AsyncRead for Measured<S, M> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(error) = this.over {
            this.exceeded.0.store(true, Ordering::Release);
            return Poll::Ready(Err(io::Error::other(error)));
        }
        let known = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        // Before the answer that is too large may lie the end of another one, whose reader gets it.
        this.over = this.meter.count(&into.filled()[known..]).err();
        read
    }
}

impl<S: AsyncWrite + Unpin, M: Unpin> AsyncWrite for Measured<S, M> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// So many bytes are one answer.
    struct Most(usize);

    impl Meter for Most {
        fn count(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(TooLarge)?;
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_came_together_with_too_much_is_read_and_nothing_after_it() {
        let (mut server, ours) = tokio::io::duplex(64);
        let exceeded = Exceeded::default();
        let mut measured = Measured::new(ours, Most(4), exceeded.clone());
        let mut into = [0; 8];
        for part in ["abc", "de"] {
            server.write_all(part.as_bytes()).await.expect("there is room");
            let read = measured.read(&mut into).await.expect("no end yet");
            assert_eq!(&into[..read], part.as_bytes());
            assert!(!exceeded.take());
        }
        server.write_all(b"f").await.expect("there is room");
        let error = measured.read(&mut into).await.expect_err("too much");
        assert_eq!(error.to_string(), TooLarge.to_string());
        assert_eq!((exceeded.take(), exceeded.take()), (true, false));
    }
}
