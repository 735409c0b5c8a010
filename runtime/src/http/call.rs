//! A call of a `wasi:http` handler for one event, in either generation.

use std::sync::{Arc, Mutex, PoisonError};

use http::uri::Scheme;
use wasmtime::component::{Accessor, Func, GuestTaskId, Resource, TypedFuncCallConcurrent};
use wasmtime::error::Context as _;
use wasmtime::{Store, StoreContextMut, format_err};
use wasmtime_wasi_http::p2::bindings::http::types as types2;
use wasmtime_wasi_http::p2::bindings::{Proxy as Proxy2, ProxyPre as Pre2};
use wasmtime_wasi_http::p3::bindings::http::types as types3;
use wasmtime_wasi_http::p3::bindings::{Service as Proxy3, ServicePre as Pre3};
use wasmtime_wasi_http::{Error, WasiHttpView, p3};

use super::{Request, Response};
use crate::instance::HostState;

/// A component that is ready to be instantiated.
pub(super) enum HandlerPre {
    P2(Pre2<HostState>),
    P3(Pre3<HostState>),
}

impl HandlerPre {
    pub(super) async fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<HandlerExport> {
        Ok(match self {
            Self::P2(pre) => HandlerExport::P2(pre.instantiate_async(store).await?),
            Self::P3(pre) => HandlerExport::P3(pre.instantiate_async(store).await?),
        })
    }
}

/// The handler of an instance.
pub(super) enum HandlerExport {
    P2(Proxy2),
    P3(Proxy3),
}

/// Where a response goes, or why there is none.
type Reply = crate::workers::Reply<Response>;

/// A call that the guest has not seen anything of yet.
pub(super) enum Call<'a> {
    P2 { export: &'a Proxy2, call: Call2, reply: SharedReply },
    P3 { export: &'a Proxy3, call: Call3, reply: Reply, sent: RequestSent },
}

type Call2 =
    TypedFuncCallConcurrent<HostState, (Resource<types2::IncomingRequest>, Resource<types2::ResponseOutparam>), ()>;
type Call3 = TypedFuncCallConcurrent<
    HostState,
    (Resource<types3::Request>,),
    (Result<Resource<types3::Response>, types3::ErrorCode>,),
>;
type RequestSent = std::pin::Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl HandlerExport {
    /// The function that is called.
    pub(super) fn function(&self) -> Func {
        match self {
            Self::P2(export) => *export.wasi_http_incoming_handler().func_handle().func(),
            Self::P3(export) => *export.wasi_http_handler().func_handle().func(),
        }
    }

    /// Puts the call into the store's queue.
    ///
    /// # Errors
    /// When the instance holds too many resources of the host.
    pub(super) fn call(
        &self,
        mut store: StoreContextMut<'_, HostState>,
        request: Request,
        reply: Reply,
    ) -> wasmtime::Result<Call<'_>> {
        match self {
            Self::P2(export) => {
                let scheme = match request.uri().scheme() == Some(&Scheme::HTTPS) {
                    true => types2::Scheme::Https,
                    false => types2::Scheme::Http,
                };
                let reply = SharedReply::new(reply);
                let request = store.data_mut().http().new_incoming_request(scheme, request)?;
                let outparam = store.data_mut().http().new_response_outparam_from_callback({
                    let reply = reply.clone();
                    move |response| reply.send(response.map_err(Into::into))
                })?;
                let function = export.wasi_http_incoming_handler().func_handle();
                Ok(Call::P2 { export, call: function.start_call_concurrent(store, (request, outparam))?, reply })
            }
            Self::P3(export) => {
                let (request, sent) = p3::Request::from_http(store.data_mut().http().hooks, request);
                let request = store.data_mut().http().table.push(request)?;
                let function = export.wasi_http_handler().func_handle();
                let call = function.start_call_concurrent(store, (request,))?;
                Ok(Call::P3 { export, call, reply, sent: Box::pin(sent) })
            }
        }
    }
}

impl Call<'_> {
    /// What the engine calls it.
    pub(super) fn task(&self) -> GuestTaskId {
        match self {
            Self::P2 { call, .. } => call.task(),
            Self::P3 { call, .. } => call.task(),
        }
    }

    /// Waits until the guest has done with the event: one of the 0.2 generation has returned, one of the 0.3 generation has
    /// given its response. Whether it traps is for the store to say.
    pub(super) async fn finish(self, accessor: &Accessor<HostState>) {
        match self {
            Self::P2 { export, call, reply } => {
                let returned =
                    export.wasi_http_incoming_handler().func_handle().finish_call_concurrent(accessor, call).await;
                // Unless there is a response already.
                const NONE: &str = "the guest set no response";
                reply.send(returned.context(NONE).and_then(|()| Err(format_err!("{NONE}"))));
            }
            Self::P3 { export, call, reply, sent } => {
                let finished = async {
                    let function = export.wasi_http_handler().func_handle();
                    let response = function.finish_call_concurrent(accessor, call).await?.0?;
                    accessor.with(|mut store| {
                        let response = store.get().http().table.delete(response)?;
                        response.into_http_with_getter(&mut store, sent, HostState::http)
                    })
                };
                // Who waited may be gone.
                let _ = reply.send(finished.await);
            }
        }
    }
}

/// A reply that is given by whoever comes first: the guest while it runs, or the host when it has returned.
#[derive(Clone)]
pub(super) struct SharedReply(Arc<Mutex<Option<Reply>>>);

impl SharedReply {
    fn new(reply: Reply) -> Self {
        Self(Arc::new(Mutex::new(Some(reply))))
    }

    fn send(&self, response: wasmtime::Result<Response>) {
        if let Some(reply) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Who waited may be gone.
            let _ = reply.send(response);
        }
    }
}
