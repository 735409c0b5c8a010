//! The bodies that the server reads from and writes to connections.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use spin_trigger_kit::tokio::time::{Instant, Sleep, sleep};
use spin_trigger_kit::wasmtime_wasi_http::{Error, WasiBody};

/// A response's body: one made here, or one that a component streams.
pub type ResponseBody = Either<Full<Bytes>, Progressing>;

/// A request's body as components take it.
pub fn for_component(body: Incoming) -> WasiBody {
    body.map_err(Error::Hyper).boxed_unsync()
}

/// A component's body that fails when nothing comes for a while, so that a guest that forgets its response doesn't
/// hold a connection for ever. There is no limit to the whole.
pub struct Progressing {
    body: WasiBody,
    limit: Duration,
    // Made when the guest first lets us wait: most bodies come at once.
    clock: Option<Pin<Box<Sleep>>>,
}

/// The component sent nothing for too long.
#[derive(Debug, thiserror::Error)]
#[error("the component's response made no progress for {} s", .0.as_secs_f32())]
pub struct Stalled(Duration);

impl Progressing {
    /// Limits the time between two frames of `body`.
    pub fn new(body: WasiBody, limit: Duration) -> Self {
        Self { body, limit, clock: None }
    }
}

impl Body for Progressing {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some(clock) = &mut this.clock {
                clock.as_mut().reset(Instant::now() + this.limit);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = this.limit;
        let clock = this.clock.get_or_insert_with(|| Box::pin(sleep(limit)));
        clock.as_mut().poll(context).map(|()| Some(Err(Stalled(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
