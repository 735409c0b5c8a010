//! Calls of a `wasi:http` handler, for the instances that serve its events.

use std::sync::Arc;

use wasmtime::component::{Accessor, Func, GuestTaskId};
use wasmtime::{AsContextMut, Store};

use super::call::{HandlerExport, HandlerPre};
use super::error::EventError;
use super::{HandlerOptions, InstancePolicy, Request, Response};
use crate::instance::HostState;
use crate::limits::EventRecord;
use crate::workers::{Calls, Reply, Workers};

/// How one component's handler is called.
pub(super) struct HandlerCalls {
    pre: HandlerPre,
    policy: Arc<dyn Fn() -> InstancePolicy + Send + Sync>,
    reuse_p2: bool,
}

impl HandlerCalls {
    pub(super) fn new(pre: HandlerPre, options: &HandlerOptions) -> Self {
        Self { pre, policy: Arc::clone(&options.policy), reuse_p2: options.reuse_p2 }
    }
}

impl Calls for HandlerCalls {
    type Request = Request;
    type Response = Response;
    type Export = HandlerExport;

    fn policy(&self) -> InstancePolicy {
        match self.pre {
            HandlerPre::P3(_) => (self.policy)(),
            // Its handler is a function that returns before it can be called again.
            HandlerPre::P2(_) if self.reuse_p2 => InstancePolicy { concurrent: 1, ..(self.policy)() },
            HandlerPre::P2(_) => InstancePolicy::FRESH,
        }
    }

    async fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<HandlerExport> {
        self.pre.instantiate(store).await
    }

    fn function(export: &HandlerExport) -> Func {
        export.function()
    }

    fn begin<'a>(
        export: &'a HandlerExport,
        accessor: &'a Accessor<HostState>,
        request: Request,
        reply: Reply<Response>,
    ) -> wasmtime::Result<(GuestTaskId, impl Future<Output = ()> + Send + 'a)> {
        let call = accessor.with(|mut store| export.call(store.as_context_mut(), request, reply))?;
        Ok((call.task(), call.finish(accessor)))
    }
}

/// Gives a request to an instance that would take it, or to a new one.
pub(super) async fn handle(
    workers: &Arc<Workers<HandlerCalls>>,
    request: Request,
    record: &Arc<EventRecord>,
) -> Result<Response, EventError> {
    match workers.handle(request, record).await {
        Some(Ok(response)) => Ok(response),
        Some(Err(error)) => Err(EventError::of_handler(error, record)),
        None => Err(EventError::of_lost_instance(record).await),
    }
}
