//! `wasi:http` for guests, 0.2.x and 0.3.0: the types, and requests that guests send.
//!
//! Requests out need an entry in `allowed_outbound_hosts`; none can be granted yet, so every one is denied,
//! with a word in the log that says so.

use http::uri::Scheme;
use spin_app_model::ComponentId;
use wasmtime::component::Linker;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use crate::instance::HostState;

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound_http, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Decides about the requests that one instance sends.
pub(crate) struct OutboundHttp {
    pub(crate) component: ComponentId,
}

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for OutboundHttp {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        let scheme = request.uri().scheme().unwrap_or(&Scheme::HTTPS);
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        tracing::error!(
            component = %self.component,
            "outbound request to {scheme}://{authority} denied: this version of the trigger grants no outbound network access"
        );
        Box::new(std::future::ready(Err(Error::HttpRequestDenied)))
    }
}
