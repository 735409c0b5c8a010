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
}

impl<S, M> Measured<S, M> {
    pub(crate) fn new(stream: S, meter: M, exceeded: Exceeded) -> Self {
        Self { stream, meter, exceeded }
    }
}

impl<S: AsyncRead + Unpin, M: Meter> AsyncRead for Measured<S, M> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let known = into.filled().len();
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        if let Err(error) = this.meter.count(&into.filled()[known..]) {
            this.exceeded.0.store(true, Ordering::Release);
            return Poll::Ready(Err(io::Error::other(error)));
        }
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
