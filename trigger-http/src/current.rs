//! The generation of the app that answers requests, and the bodies that hold on to the one they came from.

use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use spin_trigger_kit::Event;

use crate::dispatch::Dispatcher;

/// What answers requests now. Connections stay when it changes: each request takes it once.
pub struct Current(RwLock<Arc<Dispatcher>>);

impl Current {
    /// The first generation.
    pub fn new(dispatcher: Arc<Dispatcher>) -> Self {
        Self(RwLock::new(dispatcher))
    }

    /// For one request, to its end.
    pub fn take(&self) -> Arc<Dispatcher> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// New requests are answered by `dispatcher` from now on.
    pub fn replace(&self, dispatcher: Arc<Dispatcher>) {
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), dispatcher);
        // Not under the lock: it may be the last to hold its components.
        drop(old);
    }
}

/// The body of a component's response. The event ends with it; until then its generation of the app is held.
pub struct Served<B> {
    body: B,
    event: Event,
    #[allow(dead_code, reason = "held until the body is dropped")]
    generation: Option<Arc<Dispatcher>>,
}

impl<B> Served<B> {
    /// `event` is the request's.
    pub fn new(body: B, event: Event) -> Self {
        Self { body, event, generation: None }
    }

    /// The same, which holds its generation.
    #[must_use]
    pub fn holding(self, generation: Arc<Dispatcher>) -> Self {
        Self { generation: Some(generation), ..self }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Served<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Err(_))) = &polled {
            self.event.failed();
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
