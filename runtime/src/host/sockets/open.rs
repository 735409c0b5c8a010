//! TCP connections among all that components have open: each takes a place when it begins to connect, and keeps it until its
//! socket is dropped.

use std::collections::HashMap;

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpSocketAddress};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::{Network, TcpSocket as SecondSocket};
use wasmtime_wasi::p3::bindings::sockets::types as types3;
use wasmtime_wasi::p3::bindings::sockets::types::HostTcpSocketWithStore as _;
use wasmtime_wasi::sockets::{TcpSocket as ThirdSocket, WasiSockets, WasiSocketsView as _};

use crate::host::egress::Place;
use crate::instance::HostState;

/// The versions that the engine links.
const SECOND: &str = "wasi:sockets/tcp@0.2.12";
const THIRD: &str = "wasi:sockets/types@0.3.0";

/// The places of an instance's connections, by their sockets' numbers in its table.
pub(crate) type ConnectionPlaces = HashMap<u32, [Place; 2]>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut second = linker.instance(SECOND)?;
    second.resource("tcp-socket", ResourceType::host::<SecondSocket>(), drop_socket::<SecondSocket>)?;
    second.func_wrap_async(
        "[method]tcp-socket.start-connect",
        |mut store: StoreContextMut<'_, HostState>,
         (socket, network, address): (Resource<SecondSocket>, Resource<Network>, IpSocketAddress)| {
            Box::new(async move {
                if let Some(egress) = store.data().wasi.without_place(socket.rep(), address.into()) {
                    let place = egress.socket_place().await;
                    store.data_mut().wasi.places.insert(socket.rep(), place);
                }
                let started = store.data_mut().sockets().start_connect(socket, network, address);
                let started: Result<(), ErrorCode> = match started {
                    Ok(()) => Ok(()),
                    Err(error) => Err(error.downcast()?),
                };
                Ok((started,))
            })
        },
    )?;
    let mut third = linker.instance(THIRD)?;
    third.resource("tcp-socket", ResourceType::host::<ThirdSocket>(), drop_socket::<ThirdSocket>)?;
    third.func_wrap_concurrent(
        "[method]tcp-socket.connect",
        |accessor, (socket, address): (Resource<ThirdSocket>, types3::IpSocketAddress)| {
            Box::pin(async move {
                let rep = socket.rep();
                let without = accessor.with(|mut access| access.data_mut().wasi.without_place(rep, address.into()));
                let is_first = without.is_some();
                if let Some(egress) = without {
                    let place = egress.socket_place().await;
                    accessor.with(|mut access| access.data_mut().wasi.places.insert(rep, place));
                }
                let accessor = accessor.with_getter::<WasiSockets>(HostState::sockets);
                let connected: Result<(), types3::ErrorCode> =
                    match WasiSockets::connect(&accessor, socket, address).await {
                        Ok(()) => Ok(()),
                        Err(error) => Err(error.downcast()?),
                    };
                // A socket that is connected already keeps its place when it is asked to connect again.
                if is_first && connected.is_err() {
                    accessor.with(|mut access| access.data_mut().wasi.places.remove(&rep));
                }
                Ok((connected,))
            })
        },
    )
}

/// Lets a socket go, and its place with it.
fn drop_socket<S: Send + 'static>(mut store: StoreContextMut<'_, HostState>, rep: u32) -> wasmtime::Result<()> {
    let state = store.data_mut();
    state.table.delete(Resource::<S>::new_own(rep))?;
    state.wasi.places.remove(&rep);
    Ok(())
}
