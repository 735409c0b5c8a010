//! Calls of a `wasi:http/handler` 0.3.x, for the instances that serve its events.

use std::pin::Pin;
use std::sync::Arc;

use wasmtime::component::{Accessor, Func, GuestTaskId};
use wasmtime::{AsContextMut, Store};
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};
use wasmtime_wasi_http::{Error, WasiHttpView, p3};

use super::{HandlerOptions, InstancePolicy, Policy, Request, Response};
use crate::instance::HostState;
use crate::workers::concurrent::{self, ConcurrentCalls};
use crate::workers::{Calls, Event, Instance, Reply};

/// Ready when the guest has read all of a request's body, or will read no more of it.
type Sent = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// How one component's handler is called.
pub(super) struct Handler {
    pre: ServicePre<HostState>,
    policy: Policy,
}

impl Handler {
    pub(super) fn new(pre: ServicePre<HostState>, options: &HandlerOptions) -> Self {
        Self { pre, policy: Arc::clone(&options.policy) }
    }
}

impl Calls for Handler {
    type Request = Request;
    type Response = Response;
    type Export = Service;

    fn policy(&self) -> InstancePolicy {
        (self.policy)()
    }

    async fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<Service> {
        self.pre.instantiate_async(store).await
    }

    async fn serve(instance: &mut Instance<Self>, first: Event<Self>) -> wasmtime::Result<()> {
        concurrent::serve(instance, first).await
    }
}

impl ConcurrentCalls for Handler {
    fn function(export: &Service) -> Func {
        *export.wasi_http_handler().func_handle().func()
    }

    fn begin<'a>(
        export: &'a Service,
        accessor: &'a Accessor<HostState>,
        request: Request,
        reply: Reply<Response>,
    ) -> wasmtime::Result<(GuestTaskId, impl Future<Output = ()> + Send + 'a)> {
        let function = export.wasi_http_handler().func_handle();
        let (call, sent) = accessor.with(|mut store| {
            let mut store = store.as_context_mut();
            let (request, sent) = p3::Request::from_http(store.data_mut().http().hooks, request);
            let sent: Sent = Box::pin(sent);
            let request = store.data_mut().http().table.push(request)?;
            wasmtime::error::Ok((function.start_call_concurrent(store, (request,))?, sent))
        })?;
        Ok((call.task(), async move {
            let finished = async {
                let response = function.finish_call_concurrent(accessor, call).await?.0?;
                accessor.with(|mut store| {
                    let response = store.get().http().table.delete(response)?;
                    response.into_http_with_getter(&mut store, sent, HostState::http)
                })
            };
            // Who waited may be gone.
            let _ = reply.send(finished.await);
        }))
    }
}
