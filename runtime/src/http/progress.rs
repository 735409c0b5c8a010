//! Bodies that must make progress.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

/// A body that fails when nothing comes for a while, so that who forgets to send the rest doesn't hold the reader's
/// instance or connection for ever. There is no limit to the whole.
pub struct Progressing<B, E> {
    body: B,
    limit: Duration,
    // Made when the body first lets us wait: most come at once.
    clock: Option<Pin<Box<Sleep>>>,
    // The body lets us wait, and the clock runs.
    waiting: bool,
    error: PhantomData<fn() -> E>,
}

/// Nothing came for too long.
#[derive(Debug, thiserror::Error)]
#[error("the body made no progress for {} s", .0.as_secs_f32())]
pub struct Stalled(Duration);

impl From<Stalled> for Error {
    fn from(_: Stalled) -> Self {
        Error::ConnectionReadTimeout
    }
}

impl<B, E> Progressing<B, E> {
    /// Limits the time between two frames of `body`.
    pub fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, clock: None, waiting: false, error: PhantomData }
    }
}

impl<B, E> Body for Progressing<B, E>
where
    B: Body<Data = Bytes, Error: Into<E>> + Unpin,
    E: From<Stalled>,
{
    type Data = Bytes;
    type Error = E;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = this.limit;
        let clock = this.clock.get_or_insert_with(|| Box::pin(sleep(limit)));
        // The time in which nobody asked was the reader's, not the writer's.
        if !std::mem::replace(&mut this.waiting, true) {
            clock.as_mut().reset(Instant::now() + limit);
        }
        clock.as_mut().poll(context).map(|()| Some(Err(Stalled(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::task::Waker;

    use http_body_util::BodyExt;
    use tokio::runtime::Runtime;

    use super::*;

    /// A guest that answers one piece at a time, and not at once.
    struct InPieces(bool);

    impl Body for InPieces {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            self.0 = !self.0;
            if self.0 { Poll::Pending } else { Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x"))))) }
        }
    }

    struct Silent;

    impl Body for Silent {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            Poll::Pending
        }
    }

    #[test]
    fn the_clients_time_is_not_the_guests() {
        const LIMIT: Duration = Duration::from_millis(500);
        Runtime::new().unwrap().block_on(async {
            let mut body = Progressing::<_, Error>::new(InPieces(false), LIMIT);
            let mut poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
            assert!(poll().is_pending());
            assert!(poll().is_ready());
            sleep(LIMIT * 2).await;
            assert!(poll().is_pending(), "the guest had no time yet");
        });
    }

    #[test]
    fn who_forgets_a_body_is_cut() {
        const LIMIT: Duration = Duration::from_millis(20);
        Runtime::new().unwrap().block_on(async {
            let error = Progressing::<_, Error>::new(Silent, LIMIT).frame().await.unwrap().unwrap_err();
            assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
        });
    }
}
