//! HTTP events: a component behind a function from request to response.
//!
//! | executor | components | instances | bodies |
//! |---|---|---|---|
//! | `worker` | `wasi:http` 0.2.x and 0.3.x | fresh, or reused as the policy says | streamed |
//! | `inbound` | `fermyon:spin/inbound-http` | fresh | whole |
//! | `wagi` | `wasi:cli/run` 0.2.x, called as a CGI script | fresh | whole |
//!
//! What holds for all of them is here: the event's place, the time to the head of the response, and who pays for both.

mod ahead;
mod body;
mod chain;
mod error;
mod inbound;
mod kind;
mod p2;
mod p3;
mod progress;
mod wagi;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http::header::HOST;
use http_body_util::{BodyExt, Full};
use tracing::Instrument;
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::component::Component;
use crate::limits::EventRecord;
use crate::permits::{Full as NoPlace, Permits};
use crate::workers::{Driven, Workers};
use body::EventBody;
use inbound::Inbound;
use kind::Kind;
use wagi::Wagi;

pub use crate::workers::InstancePolicy;
pub use chain::{Answering, Loopback};
pub(crate) use chain::{Chained, EventContext, MAX_DEPTH};
pub use error::{BadRequest, EventError};
pub use kind::NotAHandler;
pub use progress::{Progressing, Stalled};
pub use whole::{DEFAULT_WHOLE_BODY, is_framing};

/// How long an event may take to the head of its response unless set otherwise.
pub const DEFAULT_HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// A request as handlers take it.
pub type Request = http::Request<WasiBody>;
/// A response as handlers give it.
pub type Response = http::Response<WasiBody>;

/// How long instances live: asked once for each new one, so that not all of them end together.
type Policy = Arc<dyn Fn() -> InstancePolicy + Send + Sync>;

/// What can be chosen about the events of one component.
#[derive(Clone)]
pub struct HandlerOptions {
    /// Asked once for each new instance, so that not all of them end together.
    pub policy: Arc<dyn Fn() -> InstancePolicy + Send + Sync>,
    /// Reuse instances of `wasi:http` 0.2.x too, for one request after another. Default: off, because components of that
    /// generation were written for an instance of their own: what one request leaves in memory the next one finds.
    pub reuse_p2: bool,
    /// The time to the head of a response; asked once for each request. Default [`DEFAULT_HEAD_TIMEOUT`].
    pub head_timeout: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// The most bytes of a request or a response that is held whole. Default [`DEFAULT_WHOLE_BODY`].
    pub whole_body: usize,
    /// Requests served and waiting, of all components that share this.
    pub events: Arc<Permits>,
}

impl HandlerOptions {
    /// The defaults, with room for `events`.
    pub fn new(events: Arc<Permits>) -> Self {
        Self {
            policy: Arc::new(InstancePolicy::default),
            reuse_p2: false,
            head_timeout: Arc::new(|| DEFAULT_HEAD_TIMEOUT),
            whole_body: DEFAULT_WHOLE_BODY,
            events,
        }
    }
}

/// Handles the HTTP events of one component.
pub struct Handler {
    executor: Executor,
    events: Arc<Permits>,
    head_timeout: Arc<dyn Fn() -> Duration + Send + Sync>,
    whole_body: usize,
}

enum Executor {
    P2(Arc<Workers<p2::IncomingHandler>>),
    P3(Arc<Workers<p3::Handler>>),
    Inbound(Arc<Inbound>),
    Wagi(Arc<Wagi>),
}

impl Handler {
    /// By what the component exports.
    pub(crate) fn new(component: &Arc<Component>, options: HandlerOptions) -> Result<Self, NotAHandler> {
        let (kind, export) = kind::of_exports(component.id(), component.exports())?;
        let pre = || component.pre.clone();
        let executor = match kind {
            Kind::Inbound => Executor::Inbound(Arc::new(Inbound::new(component, export, options.whole_body)?)),
            Kind::P2 => {
                let pre = ProxyPre::new(pre()).map_err(|source| shape(component, export, source))?;
                Executor::P2(Workers::new(component, p2::IncomingHandler::new(pre, &options)))
            }
            Kind::P3 => {
                let pre = ServicePre::new(pre()).map_err(|source| shape(component, export, source))?;
                Executor::P3(Workers::new(component, p3::Handler::new(pre, &options)))
            }
        };
        Ok(Self::with(executor, options))
    }

    /// As a CGI script.
    pub(crate) fn wagi(component: &Arc<Component>, argv: String, options: HandlerOptions) -> Result<Self, NotAHandler> {
        Ok(Self::with(Executor::Wagi(Arc::new(Wagi::new(component, argv, options.whole_body)?)), options))
    }

    fn with(executor: Executor, options: HandlerOptions) -> Self {
        let HandlerOptions { head_timeout, whole_body, events, .. } = options;
        Self { executor, events, head_timeout, whole_body }
    }

    /// Handles one request. The response's body keeps the event's place until it is read or dropped.
    ///
    /// Dropping the future before it is ready, or the response's body before its end, cancels the event: an instance that
    /// serves no other is ended, at once or soon after.
    ///
    /// # Errors
    /// See [`EventError`]; none of them leaves anything behind.
    pub async fn handle(&self, request: Request) -> Result<Response, EventError> {
        let (context, method) = (EventContext::of(&request), request.method().clone());
        // Whoever sent a chained request holds a place until it is answered: to wait for one might be for ever.
        let permit = match context.is_chained() {
            true => None,
            false => Some(self.events.acquire().await.map_err(|NoPlace| EventError::Busy)?),
        };
        let head_timeout = (self.head_timeout)();
        let record = Arc::new(EventRecord::new(context));
        let mut instance = Driven::elsewhere();
        // What the first generations do would be room in the future of every request, which is moved as it is handed on.
        let response = match &self.executor {
            Executor::P2(workers) => {
                let answered = workers.handle(for_wasi(request), &record, &mut instance);
                streamed(head_timeout, &record, answered).await?
            }
            Executor::P3(workers) => {
                let answered = workers.handle(for_wasi(request), &record, &mut instance);
                streamed(head_timeout, &record, answered).await?
            }
            Executor::Inbound(inbound) => {
                let request = Box::pin(self.whole(request, head_timeout)).await?;
                let answered = Box::pin(Arc::clone(inbound).handle(request, record.context().clone()));
                whole_body(within(head_timeout, apart(record.context(), answered)).await?)
            }
            Executor::Wagi(wagi) => {
                let request = Box::pin(self.whole(request, head_timeout)).await?;
                let answered = Box::pin(Arc::clone(wagi).handle(request, record.context().clone()));
                whole_body(within(head_timeout, apart(record.context(), answered)).await?)
            }
        };
        // Interim responses are the server's to send; it would break off the connection at one of ours.
        if response.status().is_informational() {
            record.served();
            let message = format!("the guest answered with status {}, which is no answer", response.status().as_u16());
            return Err(EventError::BadResponse(message));
        }
        record.responded();
        let mut response = EventBody::of(response, &method, record, permit);
        response.body_mut().begin(&mut instance).await;
        Ok(response.map(BodyExt::boxed_unsync))
    }

    /// The request with all of its body. Its time is the client's, not the guest's.
    async fn whole(&self, request: Request, patience: Duration) -> Result<http::Request<Bytes>, BadRequest> {
        let (head, body) = request.into_parts();
        Ok(http::Request::from_parts(head, whole::read(body, self.whole_body, patience).await?))
    }
}

fn shape(component: &Component, export: String, source: wasmtime::Error) -> NotAHandler {
    NotAHandler::Shape { component: component.id().clone(), export, source }
}

/// Gives a guest the time to the head of its response, even one that is stuck in a call.
fn within<R>(
    time: Duration,
    guest: impl Future<Output = Result<R, EventError>>,
) -> impl Future<Output = Result<R, EventError>> {
    // No `async` function, which would have the room for the guest's future twice.
    tokio::time::timeout(time, guest).map(move |ended| ended.unwrap_or(Err(EventError::HeadTimeout(time))))
}

/// Lets an instance run where no other does: a chained request is sent from within one, and the engine doesn't run one within
/// another.
async fn apart<R: Send + 'static>(context: &EventContext, answered: BoxFuture<'static, R>) -> R {
    match context.is_chained() {
        true => wasmtime_wasi::runtime::spawn(answered.in_current_span()).await,
        false => answered.await,
    }
}

/// The response that an instance gives, or why there is none.
async fn streamed(
    time: Duration,
    record: &Arc<EventRecord>,
    answered: impl Future<Output = Option<wasmtime::Result<Response>>>,
) -> Result<Response, EventError> {
    let waiting = record.waiting();
    let response = within(time, async {
        match answered.await {
            Some(Ok(response)) => Ok(response),
            Some(Err(error)) => Err(EventError::of_handler(error, record)),
            // In a box, as all that seldom happens: every request has the room for what it awaits.
            None => Err(Box::pin(EventError::of_lost_instance(record)).await),
        }
    })
    .await;
    match &response {
        // Whoever has waited long enough is one who goes away.
        Err(EventError::HeadTimeout(_)) => drop(waiting),
        Err(_) => {
            waiting.over();
            record.served();
        }
        Ok(_) => waiting.over(),
    }
    response
}

/// `wasi:http` has the host as the authority, and guests must not see two.
fn for_wasi(mut request: Request) -> Request {
    request.headers_mut().remove(HOST);
    request
}

fn whole_body(response: http::Response<Bytes>) -> Response {
    response.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync())
}
