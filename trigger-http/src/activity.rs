//! What happens on one connection, so that it can be ended when nothing does.
//!
//! The server beneath waits for ever for the first byte, for the rest of a head or of an HTTP/2 frame, for the answer to a
//! GOAWAY, and for a client that doesn't read its response. Each of them would keep a descriptor, and the last one an instance
//! as well. It has a limit of its own for the head of an HTTP/1 request, which would cost every request a timer besides the one
//! that a connection has here.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use spin_trigger_kit::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use spin_trigger_kit::tokio::time::{Instant, sleep_until};

/// What happens on one connection. Cheap to clone.
#[derive(Clone)]
pub struct Activity(Arc<Mutex<State>>);

struct State {
    /// The requests that are not answered completely, which are few; since when each waits for the client to read on, if it
    /// does.
    requests: Vec<(u64, Option<Instant>)>,
    next: u64,
    /// Since when the client takes none of the bytes that wait for it, if there are any.
    unsent: Option<Instant>,
    /// When a request was last answered. What is sent doesn't count: the server's own pings would keep a connection alive.
    last: Instant,
}

impl Activity {
    /// A connection that begins now.
    pub fn begin() -> Self {
        let state = State { requests: Vec::new(), next: 0, unsent: None, last: Instant::now() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// A request has come; the connection is busy until the result is dropped.
    pub fn request(&self) -> Request {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.requests.push((id, None));
        Request { activity: self.clone(), id }
    }

    /// Returns when there was nothing to do for `idle`, or when the client has not read what waits for it for `unread`.
    pub async fn ceases(&self, idle: Duration, unread: Duration) {
        loop {
            let now = Instant::now();
            let due = self.state().due(idle, unread);
            if due.is_some_and(|due| due <= now) {
                return;
            }
            // What begins from now on isn't due any earlier than that.
            let look_again = now + idle.min(unread);
            sleep_until(due.map_or(look_again, |due| due.min(look_again))).await;
        }
    }

    fn sent(&self, polled: &Poll<io::Result<usize>>) {
        let mut state = self.state();
        match polled {
            Poll::Pending => drop(state.unsent.get_or_insert_with(Instant::now)),
            Poll::Ready(_) => state.unsent = None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&self, idle: Duration, unread: Duration) -> Option<Instant> {
        let waiting = self.requests.iter().map(|(_, since)| *since).chain([self.unsent]).flatten().min();
        match waiting {
            Some(since) => Some(since + unread),
            None => self.requests.is_empty().then(|| self.last + idle),
        }
    }
}

/// A request that is not answered completely.
pub struct Request {
    activity: Activity,
    id: u64,
}

impl Request {
    /// A response's body that stands for its request until it is read or dropped.
    pub fn answered<B>(self, body: B) -> Answer<B> {
        Answer { body, request: self }
    }

    fn waits_for_client(&self, since: Option<Instant>) {
        if let Some((_, waits)) = self.activity.state().requests.iter_mut().find(|(id, _)| *id == self.id) {
            *waits = since;
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests.retain(|(id, _)| *id != self.id);
        state.last = Instant::now();
    }
}

/// The body of a response, as the connection asks for it.
pub struct Answer<B> {
    body: B,
    request: Request,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // After a frame it is the client's turn, until the connection asks for the next one; it doesn't after the last.
        if !self.body.is_end_stream() {
            self.request.waits_for_client(polled.is_ready().then(Instant::now));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream whose writes are watched.
pub struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    /// Tells `activity` of what is sent over `stream`.
    pub fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.activity.sent(&polled);
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, buffers);
        this.activity.sent(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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

    const IDLE: Duration = Duration::from_secs(30);
    const UNREAD: Duration = Duration::from_secs(60);

    #[test]
    fn a_connection_is_idle_only_without_requests_and_unsent_bytes() {
        let activity = Activity::begin();
        let due = || activity.state().due(IDLE, UNREAD);
        let idle = due().expect("it sent nothing yet");
        let (first, second) = (activity.request(), activity.request());
        assert_eq!(due(), None, "the guest's turn has limits of its own");
        drop(first);
        assert_eq!(due(), None);
        let since = Instant::now();
        second.waits_for_client(Some(since));
        assert_eq!(due(), Some(since + UNREAD));
        drop(second);
        assert!(due().is_some_and(|due| due >= idle && due <= Instant::now() + IDLE));
        activity.sent(&Poll::Pending);
        let unsent = due().expect("the client doesn't read");
        assert!(unsent >= since + UNREAD);
        activity.sent(&Poll::Pending);
        assert_eq!(due(), Some(unsent), "still the same bytes");
        activity.sent(&Poll::Ready(Ok(1)));
        assert!(due().is_some_and(|due| due < unsent), "it reads again");
    }
}
