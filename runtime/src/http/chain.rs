//! Requests that an app's components send to the app itself, and what they inherit from the event that caused them.
//!
//! Such requests stay in the process. They are handed to the [`Loopback`] of the trigger, never to a port, so no header
//! of a client decides where they go.

use std::pin::Pin;

use http::header::Entry;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Request, Response};

/// How many events may be nested: one that causes a request to its own app that is an event that causes a request …
pub(crate) const MAX_DEPTH: u8 = 16;

/// A response that is on its way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// The way to the app's own HTTP interface. A trigger that has one gives it to the runtime.
pub trait Loopback: Send + Sync + 'static {
    /// A request to the app, which routes decide about as if it came from outside. Its URI has no host.
    fn to_app(&self, request: Request) -> Answering<'_>;

    /// A request to one component, whatever its routes; `None` if the trigger runs no such component. Case does not
    /// count in `component`, which comes from a host name.
    fn to_component(&self, component: &str, request: Request) -> Option<Answering<'_>>;
}

/// What an event hands on to the requests that it causes.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventContext {
    /// How many events of this app it is nested in.
    pub(crate) depth: u8,
    /// The trace that it is part of.
    pub(crate) trace: TraceContext,
    /// What the request is called that came from outside.
    pub(crate) request_id: Option<HeaderValue>,
}

/// Marks a request as one from the app itself, and says how deep it is nested. An extension of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chained {
    pub(crate) depth: u8,
}

impl EventContext {
    /// The context of a request as it comes to its handler.
    pub(crate) fn of(request: &Request) -> Self {
        let depth = request.extensions().get::<Chained>().map_or(0, |chained| chained.depth);
        let headers = request.headers();
        Self { depth, trace: TraceContext::of(headers), request_id: headers.get(REQUEST_ID).cloned() }
    }

    /// Gives a request to the app itself the name of the one that caused it, unless its guest has named it. Requests that
    /// leave the app don't get it: it is a name among the app's own.
    pub(crate) fn name(&self, headers: &mut HeaderMap) {
        if let (Some(id), Entry::Vacant(place)) = (&self.request_id, headers.entry(REQUEST_ID)) {
            place.insert(id.clone());
        }
    }

    /// Whether another event of this app waits for this one.
    pub(crate) fn is_chained(&self) -> bool {
        self.depth > 0
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The place of an event in a distributed trace: the headers of W3C Trace Context, as they came.
///
/// Once the runtime makes spans of its own, requests go out with their ids instead.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceContext {
    parent: Option<HeaderValue>,
    state: Option<HeaderValue>,
}

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

impl TraceContext {
    fn of(headers: &HeaderMap) -> Self {
        Self { parent: headers.get(TRACE_PARENT).cloned(), state: headers.get(TRACE_STATE).cloned() }
    }

    /// Puts the event's trace into the headers of a request, unless its guest has done so.
    pub(crate) fn hand_on(&self, headers: &mut HeaderMap) {
        let Some(parent) = &self.parent else { return };
        if headers.contains_key(TRACE_PARENT) {
            return;
        }
        headers.insert(TRACE_PARENT, parent.clone());
        if let Some(state) = &self.state {
            headers.insert(TRACE_STATE, state.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_request_to_the_app_is_called_as_the_one_that_caused_it() {
        let event = EventContext { request_id: Some(HeaderValue::from_static("outer")), ..EventContext::default() };
        for (sent, named) in [(&[][..], "outer"), (&[("x-request-id", "own")], "own")] {
            let mut sent = headers(sent);
            event.name(&mut sent);
            assert_eq!(sent, headers(&[("x-request-id", named)]));
        }
        let mut sent = HeaderMap::new();
        EventContext::default().name(&mut sent);
        assert!(sent.is_empty());
    }

    #[test]
    fn a_trace_is_handed_on_unless_the_guest_has_its_own() {
        let event = TraceContext::of(&headers(&[("traceparent", "00-1-2-01"), ("tracestate", "a=b"), ("x", "y")]));
        let mut sent = HeaderMap::new();
        event.hand_on(&mut sent);
        assert_eq!(sent, headers(&[("traceparent", "00-1-2-01"), ("tracestate", "a=b")]));
        let mut own = headers(&[("traceparent", "00-3-4-01")]);
        event.hand_on(&mut own);
        assert_eq!(own, headers(&[("traceparent", "00-3-4-01")]));
        let mut none = HeaderMap::new();
        TraceContext::of(&headers(&[("tracestate", "a=b")])).hand_on(&mut none);
        assert!(none.is_empty(), "a state without a parent means nothing");
    }
}
