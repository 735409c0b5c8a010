//! Not reading more messages than are handled.
//!
//! The Redis client keeps what it has read and nobody has asked for in a queue without a limit. So the socket beneath it
//! stops reading when much was read since the queue was last seen empty. What comes then waits in the network's buffers
//! and at the server, which cuts off a subscriber that stays behind for too long (`client-output-buffer-limit pubsub`).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use spin_trigger_kit::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many bytes are read ahead, roughly: a reader fills its buffer once more after the limit is reached.
const READ_AHEAD: usize = 1024 * 1024;

/// Whether a connection reads. Cheap to clone; one for each connection.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The queue is not empty, as far as its reader knows.
    busy: AtomicBool,
    /// Bytes read since the queue was last seen empty.
    read: AtomicUsize,
    reader: AtomicWaker,
}

impl Gate {
    /// Every message was taken from the queue and the next one is waited for. While that is so, the gate is open however
    /// large the message is.
    pub fn queue_is_empty(&self) {
        self.0.read.store(0, Ordering::Release);
        self.0.busy.store(false, Ordering::Release);
        self.0.reader.wake();
    }

    /// A message was taken from the queue, and others may be in it.
    pub fn queue_may_be_full(&self) {
        self.0.busy.store(true, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        !self.0.busy.load(Ordering::Acquire) || self.0.read.load(Ordering::Acquire) < READ_AHEAD
    }
}

/// A connection that reads only while its gate is open.
#[derive(Debug)]
pub struct Gated<S> {
    stream: S,
    gate: Gate,
}

impl<S> Gated<S> {
    /// `stream` behind `gate`.
    pub fn new(stream: S, gate: Gate) -> Self {
        Self { stream, gate }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gated<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Registered before the look, so that an opening in between is not missed.
        this.gate.0.reader.register(context.waker());
        if !this.gate.is_open() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.gate.0.read.fetch_add(buffer.filled().len() - before, Ordering::AcqRel);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gated<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;
    use std::task::{Wake, Waker};

    /// A stream that always has more.
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let space = buffer.remaining();
            buffer.initialize_unfilled_to(space);
            buffer.advance(space);
            Poll::Ready(Ok(()))
        }
    }

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reads until nothing comes, at most `limit` bytes.
    fn read(stream: &mut Gated<Endless>, waker: &Waker, limit: usize) -> usize {
        let mut total = 0;
        let mut space = [0; 8192];
        while total < limit {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut *stream).poll_read(&mut Context::from_waker(waker), &mut buffer) {
                Poll::Ready(Ok(())) => total += buffer.filled().len(),
                _ => break,
            }
        }
        total
    }

    #[test]
    fn reading_stops_while_messages_wait_and_goes_on_when_they_are_taken() {
        let gate = Gate::default();
        let mut stream = Gated::new(Endless, gate.clone());
        let woken = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&woken));
        gate.queue_may_be_full();
        assert_eq!(read(&mut stream, &waker, usize::MAX), READ_AHEAD);
        assert_eq!(read(&mut stream, &waker, usize::MAX), 0);
        gate.queue_is_empty();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        gate.queue_may_be_full();
        assert_eq!(read(&mut stream, &waker, usize::MAX), READ_AHEAD);
    }

    #[test]
    fn a_message_larger_than_the_limit_arrives() {
        let gate = Gate::default();
        let mut stream = Gated::new(Endless, gate.clone());
        gate.queue_is_empty();
        assert!(read(&mut stream, Waker::noop(), 5 * READ_AHEAD) >= 5 * READ_AHEAD);
    }
}
