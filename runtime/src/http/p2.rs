//! Calls of a `wasi:http/incoming-handler` 0.2.x, for the instances that serve its events.

use std::sync::{Arc, Mutex, PoisonError};

use http::uri::Scheme;
use wasmtime::{Store, format_err};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};

use super::{HandlerOptions, InstancePolicy, Policy, Request, Response};
use crate::instance::HostState;
use crate::workers::sequential::{self, SequentialCalls};
use crate::workers::{Calls, Event, Instance, Reply};

/// How one component's handler is called.
pub(super) struct IncomingHandler {
    pre: ProxyPre<HostState>,
    /// None if there is an instance for each event.
    reuse: Option<Policy>,
}

impl IncomingHandler {
    pub(super) fn new(pre: ProxyPre<HostState>, options: &HandlerOptions) -> Self {
        Self { pre, reuse: options.reuse_p2.then(|| Arc::clone(&options.policy)) }
    }
}

impl Calls for IncomingHandler {
    type Request = Request;
    type Response = Response;
    type Export = Proxy;

    fn policy(&self) -> InstancePolicy {
        match &self.reuse {
            Some(policy) => InstancePolicy { concurrent: 1, ..policy() },
            None => InstancePolicy::FRESH,
        }
    }

    async fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<Proxy> {
        self.pre.instantiate_async(store).await
    }

    async fn serve(instance: &mut Instance<Self>, first: Event<Self>) -> wasmtime::Result<()> {
        sequential::serve(instance, first).await
    }
}

impl SequentialCalls for IncomingHandler {
    async fn call(
        export: &Proxy,
        store: &mut Store<HostState>,
        request: Request,
        reply: Reply<Response>,
    ) -> wasmtime::Result<()> {
        let scheme = match request.uri().scheme() == Some(&Scheme::HTTPS) {
            true => types::Scheme::Https,
            false => types::Scheme::Http,
        };
        let reply = SharedReply::new(reply);
        let request = store.data_mut().http().new_incoming_request(scheme, request)?;
        let outparam = store.data_mut().http().new_response_outparam_from_callback({
            let reply = reply.clone();
            move |response| reply.send(response.map_err(Into::into))
        })?;
        export.wasi_http_incoming_handler().call_handle(store, request, outparam).await?;
        reply.send(Err(format_err!("the guest set no response")));
        Ok(())
    }
}

/// A reply that is given by whoever comes first: the guest while it runs, or the host when it has returned.
#[derive(Clone)]
struct SharedReply(Arc<Mutex<Option<Reply<Response>>>>);

impl SharedReply {
    fn new(reply: Reply<Response>) -> Self {
        Self(Arc::new(Mutex::new(Some(reply))))
    }

    fn send(&self, response: wasmtime::Result<Response>) {
        if let Some(reply) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Who waited may be gone.
            let _ = reply.send(response);
        }
    }
}
