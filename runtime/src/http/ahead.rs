//! The beginning of a response's body, taken before the head is sent.
//!
//! A server sends the head by itself when the body lets it wait, be it only until a guest has had its next turn. For most
//! responses that would be two packets in the place of one, and a length that is known too late to be said.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::workers::Driven;

/// How many turns a guest is given. It needs one for what it says, and one for saying that this was all; a guest that waits
/// for something uses up none of them in any time that matters, so a head never comes late.
const TURNS: u32 = 2;
/// How much is taken before the head: what fits the server's buffers beside it.
const BYTES: usize = 16 << 10;
const FRAMES: usize = 8;

/// A body of which the beginning was perhaps taken already.
pub(super) struct Ahead {
    body: WasiBody,
    taken: VecDeque<Result<Frame<Bytes>, Error>>,
    /// Nothing follows what was taken.
    has_ended: bool,
}

impl Ahead {
    pub(super) fn new(body: WasiBody) -> Self {
        Self { body, taken: VecDeque::new(), has_ended: false }
    }

    /// Takes what is there at once, and drives the guest's instance meanwhile if it is not driven elsewhere. `ends` is asked
    /// at the end whether it is that of what the guest had to say, and not of the guest.
    pub(super) async fn take(&mut self, instance: &mut Driven, ends: impl Fn() -> bool) {
        // One that knows its size needs no turns of anybody.
        if instance.is_over() && self.body.size_hint().exact().is_some() {
            return;
        }
        let (mut turns, mut bytes) = (TURNS, 0);
        poll_fn(|context| {
            while bytes < BYTES && self.taken.len() < FRAMES {
                instance.poll(context);
                match Pin::new(&mut self.body).poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => {
                        bytes += frame.data_ref().map_or(0, Bytes::len);
                        self.taken.push_back(Ok(frame));
                    }
                    Poll::Ready(Some(Err(error))) => {
                        self.taken.push_back(Err(error));
                        self.has_ended = true;
                        break;
                    }
                    Poll::Ready(None) => {
                        if !ends() {
                            self.taken.push_back(Err(Error::HttpResponseIncomplete));
                        }
                        self.has_ended = true;
                        // It may have come to rest by that.
                        instance.poll(context);
                        break;
                    }
                    Poll::Pending if turns == 0 => break,
                    Poll::Pending => {
                        turns -= 1;
                        // To the end of the queue, behind the guest's instance if that can go on.
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

impl Body for Ahead {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(taken) = self.taken.pop_front() {
            return Poll::Ready(Some(taken));
        }
        match self.has_ended {
            true => Poll::Ready(None),
            false => Pin::new(&mut self.body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken.is_empty() && (self.has_ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut bytes = 0;
        for taken in &self.taken {
            match taken.as_ref().map(Frame::data_ref) {
                Ok(Some(data)) => bytes += data.len() as u64,
                // With trailers, or without a good end, no length can be announced.
                _ => return SizeHint::default(),
            }
        }
        let rest = if self.has_ended { SizeHint::with_exact(0) } else { self.body.size_hint() };
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower().saturating_add(bytes));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(bytes)) {
            whole.set_upper(upper);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use http_body_util::BodyExt;

    use super::*;

    type Step = Poll<Option<Result<Frame<Bytes>, Error>>>;

    /// A body of these steps, which then waits for ever.
    struct Steps(VecDeque<Step>);

    impl Body for Steps {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Step {
            self.0.pop_front().unwrap_or(Poll::Pending)
        }
    }

    const WAIT: Step = Poll::Pending;
    const END: Step = Poll::Ready(None);

    fn data(text: &'static str) -> Step {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
    }

    async fn ahead(steps: impl IntoIterator<Item = Step>, is_broken: bool) -> Ahead {
        let mut ahead = Ahead::new(Steps(steps.into_iter().collect()).boxed_unsync());
        ahead.take(&mut Driven::elsewhere(), || !is_broken).await;
        ahead
    }

    #[tokio::test]
    async fn what_comes_within_a_turn_or_two_has_a_length() {
        for (steps, length) in [
            (vec![data("abc"), END], Some(3)),
            (vec![WAIT, data("ab"), data("c"), WAIT, END], Some(3)),
            (vec![END], Some(0)),
            (vec![WAIT, WAIT, WAIT, END], None),
            (vec![data("abc"), WAIT, WAIT, WAIT, END], None),
        ] {
            let shown = format!("{steps:?}");
            let body = ahead(steps, false).await;
            assert_eq!(body.size_hint().exact(), length, "{shown}");
        }
    }

    #[tokio::test]
    async fn nothing_is_lost_and_nothing_comes_twice() {
        let mut body = ahead([data("a"), WAIT, data("b"), WAIT, WAIT, data("c"), END], false).await;
        let mut read = Vec::new();
        while read.len() < 3 {
            let frame = poll_fn(|context| match Pin::new(&mut body).poll_frame(context) {
                Poll::Pending => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                ready => ready,
            });
            read.extend(frame.await.and_then(Result::ok).and_then(|frame| frame.into_data().ok()).expect("data"));
        }
        assert_eq!(read, b"abc");
    }

    #[tokio::test]
    async fn a_guests_bad_end_is_no_end() {
        let mut broken = ahead([data("abc"), END], true).await;
        assert_eq!(broken.size_hint().exact(), None);
        assert!(broken.frame().await.is_some_and(|frame| frame.is_ok()) && !broken.is_end_stream());
        assert!(matches!(broken.frame().await, Some(Err(Error::HttpResponseIncomplete))));
        assert!(broken.is_end_stream());
    }

    #[tokio::test]
    async fn trailers_need_a_body_without_a_length() {
        let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("x"))]);
        let mut body = ahead([data("abc"), Poll::Ready(Some(Ok(Frame::trailers(trailers)))), END], false).await;
        assert_eq!(body.size_hint().exact(), None);
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok_and(|frame| frame.is_data())));
        assert!(body.frame().await.is_some_and(|frame| frame.is_ok_and(|frame| frame.is_trailers())));
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn no_more_is_taken_than_goes_with_a_head() {
        let endless = std::iter::repeat_with(|| data("0123456789")).take(1000);
        assert_eq!(ahead(endless, false).await.taken.len(), FRAMES);
    }
}
