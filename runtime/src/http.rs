//! HTTP events: a component of `wasi:http` behind a function from request to response.
//!
//! Components of 0.2.x get a fresh instance for each request. Those of 0.3.0 are made to be reused: an instance
//! serves several requests, also at once, for as long as the policy says.

mod worker;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler, ProxyPre, TrapOrPanicError};
use wasmtime_wasi_http::p2::bindings::ProxyPre as Pre2;
use wasmtime_wasi_http::p3::bindings::ServicePre as Pre3;

use crate::component::Component;
use crate::limits::{CpuTimeExceeded, EventRecord};
use crate::permits::{Full, Permit, Permits};
use worker::Workers;

/// How long an event may take to the head of its response unless set otherwise.
pub const DEFAULT_HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A request as handlers take it.
pub type Request = http::Request<WasiBody>;
/// A response as handlers give it.
pub type Response = http::Response<WasiBody>;

/// How long one instance lives, where the component's generation permits reuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstancePolicy {
    /// How many requests it serves. Default 128.
    pub requests: u32,
    /// How many it serves at once. Default 16.
    pub concurrent: u32,
    /// How long it is kept while it serves none. Default one second.
    pub idle: Duration,
}

impl Default for InstancePolicy {
    fn default() -> Self {
        Self { requests: 128, concurrent: 16, idle: Duration::from_secs(1) }
    }
}

impl InstancePolicy {
    /// An instance for each request.
    pub(crate) const FRESH: Self = Self { requests: 1, concurrent: 1, idle: Duration::ZERO };
}

/// What can be chosen about the events of one component.
#[derive(Clone)]
pub struct HandlerOptions {
    /// Asked once for each new instance, so that not all of them end together.
    pub policy: Arc<dyn Fn() -> InstancePolicy + Send + Sync>,
    /// The time to the head of a response; asked once for each request. Default [`DEFAULT_HEAD_TIMEOUT`].
    pub head_timeout: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Requests served and waiting, of all components that share this.
    pub events: Arc<Permits>,
}

impl HandlerOptions {
    /// The defaults, with room for `events`.
    pub fn new(events: Arc<Permits>) -> Self {
        Self { policy: Arc::new(InstancePolicy::default), head_timeout: Arc::new(|| DEFAULT_HEAD_TIMEOUT), events }
    }
}

/// The component exports no handler, or more than one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAHandler {
    /// No handler among the exports.
    #[error(
        "component \"{component}\" handles no HTTP requests: it exports {}; an HTTP component exports \
         wasi:http/incoming-handler@0.2.x or wasi:http/handler@0.3.0",
        list(exports)
    )]
    None {
        /// Which component.
        component: spin_app_model::ComponentId,
        /// What it exports instead.
        exports: Vec<String>,
    },
    /// More than one handler.
    #[error("component \"{component}\" exports several HTTP handlers, and only one could be served: {}", list(exports))]
    Several {
        /// Which component.
        component: spin_app_model::ComponentId,
        /// The handlers.
        exports: Vec<String>,
    },
    /// The handler has another shape than its name promises.
    #[error("component \"{component}\": {source:#}")]
    Shape {
        /// Which component.
        component: spin_app_model::ComponentId,
        /// What differs.
        source: wasmtime::Error,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Too many at once, or the pool of instances is exhausted: try again soon.
    #[error("too many requests at once")]
    Busy,
    /// The event used up its processor time.
    #[error("the request used up its processor time")]
    CpuTime,
    /// The head of the response did not come in time.
    #[error("no response within {} s", .0.as_secs_f32())]
    HeadTimeout(Duration),
    /// The instance was ended because of another event: try again.
    #[error("the instance was ended because another request used up its processor time")]
    InstanceEnded,
    /// The instance trapped; what it trapped with has been logged.
    #[error("the instance trapped")]
    Trapped,
    /// The guest gave no response, or an error instead.
    #[error("{0:#}")]
    Failed(wasmtime::Error),
}

/// Handles the HTTP events of one component.
pub struct Handler {
    proxy: ProxyHandler<Workers>,
    events: Arc<Permits>,
    head_timeout: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// The generation of a component's handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    /// `wasi:http/incoming-handler@0.2.x`: an instance for each request.
    P2,
    /// `wasi:http/handler@0.3.x`: made for reuse.
    P3,
}

impl Handler {
    pub(crate) fn new(component: &Arc<Component>, options: HandlerOptions) -> Result<Self, NotAHandler> {
        let exports = component.exports();
        let id = || component.id().clone();
        let handlers: Vec<(Generation, &String)> =
            exports.iter().filter_map(|name| generation(name).map(|generation| (generation, name))).collect();
        let generation = match handlers.as_slice() {
            [] => return Err(NotAHandler::None { component: id(), exports }),
            [(generation, _)] => *generation,
            several => {
                let exports = several.iter().map(|(_, name)| (*name).clone()).collect();
                return Err(NotAHandler::Several { component: id(), exports });
            }
        };
        let pre = component.pre.clone();
        let pre = match generation {
            Generation::P2 => Pre2::new(pre).map(ProxyPre::P2),
            Generation::P3 => Pre3::new(pre).map(ProxyPre::P3),
        }
        .map_err(|source| NotAHandler::Shape { component: id(), source })?;
        let (events, head_timeout) = (Arc::clone(&options.events), Arc::clone(&options.head_timeout));
        let workers = Workers::new(Arc::clone(component), pre, generation, options);
        Ok(Self { proxy: ProxyHandler::new(workers), events, head_timeout })
    }

    /// Handles one request. The response's body keeps the event's place until it is read or dropped.
    ///
    /// Dropping the future before it is ready cancels the event: an instance that serves no other is ended, and one that
    /// does takes no more.
    ///
    /// # Errors
    /// See [`EventError`]; none of them leaves anything behind.
    pub async fn handle(&self, request: Request) -> Result<Response, EventError> {
        let permit = self.events.acquire().await.map_err(|Full| EventError::Busy)?;
        let head_timeout = (self.head_timeout)();
        let record = Arc::new(EventRecord::new(head_timeout));
        let waiting = record.waiting();
        // The guest's own deadline is kept in the worker. This one holds even when the instance is stuck
        // in a call that keeps the worker from looking at its clock.
        let handled = tokio::time::timeout(head_timeout, self.proxy.handle(Arc::clone(&record), request)).await;
        waiting.disarm();
        match handled {
            Err(_) => Err(EventError::HeadTimeout(head_timeout)),
            Ok(Err(error)) => Err(explain(error, &record)),
            Ok(Ok(response)) => {
                record.responded();
                Ok(response.map(|body| EventBody { body, record, broken: false, _permit: permit }.boxed_unsync()))
            }
        }
    }
}

fn explain(error: wasmtime::Error, record: &EventRecord) -> EventError {
    if record.exceeded_cpu_time() {
        return EventError::CpuTime;
    }
    if record.instance_was_ended() {
        return EventError::InstanceEnded;
    }
    if error.downcast_ref::<TrapOrPanicError>().is_some() {
        return EventError::Trapped;
    }
    if error.downcast_ref::<ExpirationError>().is_some() {
        return EventError::HeadTimeout(record.head_timeout());
    }
    if let Some(failed) = error.downcast_ref::<InstantiationError<Arc<EventRecord>>>() {
        let cause = &failed.error;
        if cause.downcast_ref::<CpuTimeExceeded>().is_some() {
            return EventError::CpuTime;
        }
        if cause.downcast_ref::<Full>().is_some()
            || cause.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some()
        {
            return EventError::Busy;
        }
    }
    EventError::Failed(error)
}

/// Components name their handler's exact version; every 0.2.x and 0.3.x is served, pre-releases are not.
fn generation(export: &str) -> Option<Generation> {
    let version = |name: &str| export.strip_prefix(name).filter(|version| !version.contains('-')).is_some();
    if version("wasi:http/incoming-handler@0.2.") {
        Some(Generation::P2)
    } else if version("wasi:http/handler@0.3.") {
        Some(Generation::P3)
    } else {
        None
    }
}

/// A response's body that keeps the event's place and its record alive, and that doesn't take the end of a
/// trapped guest for the end of what it had to say.
struct EventBody {
    body: WasiBody,
    record: Arc<EventRecord>,
    broken: bool,
    _permit: Permit,
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() && self.record.instance_is_broken() {
            // A server forgets what it hasn't sent when a body fails: it gets a turn to send it first.
            if !std::mem::replace(&mut self.broken, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(wasmtime_wasi_http::Error::HttpResponseIncomplete)));
        }
        Poll::Ready(frame)
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
    use super::*;

    #[test]
    fn released_versions_are_served() {
        for (export, expected) in [
            ("wasi:http/incoming-handler@0.2.0", Some(Generation::P2)),
            ("wasi:http/incoming-handler@0.2.12", Some(Generation::P2)),
            ("wasi:http/handler@0.3.0", Some(Generation::P3)),
            ("wasi:http/handler@0.3.0-rc-2026-03-15", None),
            ("wasi:http/incoming-handler@0.2.0-rc-2023-11-10", None),
            ("wasi:cli/run@0.2.0", None),
        ] {
            assert_eq!(generation(export), expected, "{export}");
        }
    }
}
