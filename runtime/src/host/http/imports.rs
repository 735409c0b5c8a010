//! The functions of `wasi:http` by which guests send requests, as they are linked: around the engine's own, they say which event a
//! request belongs to, and that a request without a host is one to the app itself.

use std::sync::Arc;

use http::uri::Authority;
use spin_app_model::hosts::OWN_NAME;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host as _;
use wasmtime_wasi_http::p2::bindings::http::types as types2;
use wasmtime_wasi_http::p3::bindings::http::client::{self, HostWithStore};
use wasmtime_wasi_http::p3::bindings::http::types as types3;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView, WasiHttpView};

use crate::host::wasi;
use crate::instance::{HostState, call_stack};

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    types2::add_to_linker::<_, WasiHttp>(linker, &(&LinkOptions::default()).into(), HostState::http)?;
    // Not by its generated trait, which would ask for all types of the package once more.
    linker
        .instance(&wasi::second("http/outgoing-handler"))?
        .func_wrap("handle", |store, (request, options)| Ok((handle(store, request, options)?,)))?;
    super::snapshots::link(linker)?;
    super::generation1::link(linker)
}

pub(crate) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    types3::add_to_linker::<_, WasiHttp>(linker, HostState::http)?;
    client::add_to_linker::<_, Client>(linker, HostState::http)
}

/// Tells which event the next request of this instance belongs to. Whoever sends it takes that before another task of the
/// instance has a turn.
fn note_event(mut store: StoreContextMut<'_, HostState>) -> wasmtime::Result<()> {
    let meter = Arc::clone(&store.data().meter);
    let event = meter.context(call_stack(&mut store)?);
    store.data_mut().outbound_http.event = Some(event);
    Ok(())
}

/// `handle` of `wasi:http/outgoing-handler`, 0.2.
pub(super) fn handle(
    mut store: StoreContextMut<'_, HostState>,
    request: Resource<types2::OutgoingRequest>,
    options: Option<Resource<types2::RequestOptions>>,
) -> wasmtime::Result<Result<Resource<types2::FutureIncomingResponse>, types2::ErrorCode>> {
    note_event(store.as_context_mut())?;
    let mut view = store.data_mut().http();
    view.table.get_mut(&request)?.authority.get_or_insert_with(|| OWN_NAME.to_owned());
    match view.handle(request, options) {
        Ok(response) => Ok(Ok(response)),
        Err(error) => Ok(Err(error.downcast()?)),
    }
}

/// `wasi:http/client`, 0.3.
struct Client;

impl HasData for Client {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl HostWithStore<HostState> for Client {
    async fn send(
        accessor: &Accessor<HostState, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<types3::ErrorCode>> {
        let prepared = accessor.with(|mut access| -> wasmtime::Result<()> {
            note_event(access.as_context_mut())?;
            let authority = &mut access.get().table.get_mut(&request)?.authority;
            authority.get_or_insert_with(|| Authority::from_static(OWN_NAME));
            Ok(())
        });
        prepared.map_err(TrappableError::trap)?;
        WasiHttp::send(&accessor.with_getter::<WasiHttp>(HostState::http), request).await
    }
}
