//! The body of an event's response, as whoever waits for it has it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::Error;

use super::ahead::Ahead;
use crate::limits::EventRecord;
use crate::permits::Permit;
use crate::workers::Driven;

/// Keeps the event's place and its record alive. It takes neither the end of a trapped guest for the end of what it had to
/// say, nor less than was announced for all, and hands on no more than was; and dropped before its end, it says that nobody
/// waits for the rest.
pub(super) struct EventBody {
    body: Ahead,
    record: Arc<EventRecord>,
    expected: Expected,
    /// Why it ends before its end.
    failure: Option<Error>,
    _permit: Option<Permit>,
}

/// What has to come until the reader has all.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// So many bytes: readers ask for no more.
    Bytes(u64),
    /// What the guest sends until it says that it was all.
    UntilEnd,
    /// Nothing, or nothing more.
    Nothing,
}

impl Expected {
    /// Of a response to a request of this method. The parts without a body are dropped by whoever sends the response.
    fn of(method: &Method, status: StatusCode, headers: &HeaderMap) -> Self {
        let bodiless = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
        if method == Method::HEAD || bodiless {
            return Self::Nothing;
        }
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        length.map_or(Self::UntilEnd, Self::Bytes)
    }

    /// Counts what came, and cuts it where it is more than was announced. Gives whether it was.
    fn take(&mut self, data: &mut Bytes) -> bool {
        let Self::Bytes(rest) = self else { return false };
        let fits = usize::try_from(*rest).unwrap_or(usize::MAX).min(data.len());
        let is_too_much = data.len() > fits;
        data.truncate(fits);
        *rest = rest.saturating_sub(fits as u64);
        is_too_much
    }

    /// Whether the end would come too early.
    fn is_more(&self) -> bool {
        matches!(self, Self::Bytes(1..))
    }

    fn is_all(&self) -> bool {
        matches!(self, Self::Nothing | Self::Bytes(0))
    }
}

impl EventBody {
    pub(super) fn of(
        response: super::Response,
        method: &Method,
        record: Arc<EventRecord>,
        permit: Option<Permit>,
    ) -> http::Response<Self> {
        let expected = Expected::of(method, response.status(), response.headers());
        response.map(|body| Self { body: Ahead::new(body), record, expected, failure: None, _permit: permit })
    }

    /// Takes what the guest says at once, so that it goes out together with the head.
    pub(super) async fn begin(&mut self, instance: &mut Driven) {
        if self.expected != Expected::Nothing {
            let record = Arc::clone(&self.record);
            let ends = || {
                let is_whole = !record.instance_is_broken();
                if is_whole {
                    // So that its instance comes to rest in its next turn.
                    record.served();
                }
                is_whole
            };
            self.body.take(instance, ends).await;
        }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(failure) = self.failure.take() {
            return Poll::Ready(Some(Err(failure)));
        }
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        let failure = match frame {
            Some(Ok(frame)) => {
                return Poll::Ready(Some(Ok(match frame.into_data() {
                    Ok(mut data) => {
                        if self.expected.take(&mut data) {
                            self.failure = Some(Error::HttpResponseIncomplete);
                        }
                        Frame::data(data)
                    }
                    Err(trailers) => trailers,
                })));
            }
            Some(Err(error)) => error,
            None if self.record.instance_is_broken() || self.expected.is_more() => Error::HttpResponseIncomplete,
            None => {
                self.expected = Expected::Nothing;
                return Poll::Ready(None);
            }
        };
        // A server forgets what it hasn't sent when a body fails, be it the head: it gets a turn to send it first.
        self.expected = Expected::Nothing;
        self.failure = Some(failure);
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.failure.is_none() && !self.expected.is_more() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.expected {
            // What was announced counts, whatever of it is there: a server trusts this more than the header.
            Expected::Bytes(rest) => SizeHint::with_exact(rest),
            Expected::UntilEnd | Expected::Nothing => self.body.size_hint(),
        }
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        // A component that wanted to know no more than the status isn't gone: what it called may have been called for what it does.
        let is_unread = !self.expected.is_all() && !self.body.is_end_stream();
        match is_unread && !self.record.context().is_chained() {
            true => self.record.abandon(),
            false => self.record.served(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;
    use crate::http::EventContext;

    fn body(method: &Method, status: u16, length: Option<&str>) -> (EventBody, Arc<EventRecord>) {
        body_of(EventContext::default(), method, status, length)
    }

    fn body_of(
        context: EventContext,
        method: &Method,
        status: u16,
        length: Option<&str>,
    ) -> (EventBody, Arc<EventRecord>) {
        let record = Arc::new(EventRecord::new(context));
        let body = Full::new(Bytes::from_static(b"whole")).map_err(|never| match never {}).boxed_unsync();
        let mut response = http::Response::builder().status(status);
        if let Some(length) = length {
            response = response.header("content-length", length);
        }
        let response = response.body(body).expect("a response");
        (EventBody::of(response, method, Arc::clone(&record), None).into_body(), record)
    }

    #[tokio::test]
    async fn who_drops_a_body_before_its_end_waits_for_nothing_more() {
        for (method, status, length, unread) in [
            (Method::GET, 200, None, true),
            (Method::GET, 200, Some("5"), true),
            (Method::HEAD, 200, Some("5"), false),
            (Method::GET, 204, None, false),
            (Method::GET, 304, Some("5"), false),
        ] {
            let (unasked, record) = body(&method, status, length);
            drop(unasked);
            assert_eq!(record.is_abandoned(), unread, "{method} {status} {length:?}");
            let (mut read, record) = body(&method, status, length);
            assert!(read.frame().await.is_some_and(|frame| frame.is_ok()));
            drop(read);
            assert!(!record.is_abandoned(), "{method} {status} {length:?}: all was read");
        }
    }

    #[test]
    fn a_component_that_drops_the_body_of_what_it_called_is_not_gone() {
        let (unread, record) = body_of(EventContext { depth: 1, ..EventContext::default() }, &Method::GET, 200, None);
        drop(unread);
        assert!(!record.is_abandoned());
    }

    #[tokio::test]
    async fn a_body_shorter_than_announced_has_no_good_end() {
        let (mut short, record) = body(&Method::GET, 200, Some("6"));
        assert!(short.frame().await.is_some_and(|frame| frame.is_ok()) && !short.is_end_stream());
        assert!(matches!(short.frame().await, Some(Err(Error::HttpResponseIncomplete))));
        drop(short);
        assert!(!record.is_abandoned(), "the guest has said that it was all");
    }

    #[tokio::test]
    async fn of_a_body_longer_than_announced_nothing_more_is_handed_on() {
        for (length, expected) in [("3", "who"), ("0", "")] {
            let (mut long, _) = body(&Method::GET, 200, Some(length));
            let data = long.frame().await.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
            assert_eq!(data.as_deref(), Some(expected.as_bytes()), "{length}");
            assert!(!long.is_end_stream(), "{length}");
            assert!(matches!(long.frame().await, Some(Err(Error::HttpResponseIncomplete))), "{length}");
        }
    }
}
