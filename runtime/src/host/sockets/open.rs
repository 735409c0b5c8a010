//! Sockets from when they are made until nobody uses them any more: how many an instance has, and the places of TCP
//! connections among all that components have open.
//!
//! The engine keeps a check with every socket, and asks it before each use of an address. Ours are made one for each
//! socket, and hold what the socket holds; so that goes with the socket, and the check knows whose place it waits for. It waits
//! where the engine waits for the connection: `start-connect` of 0.2 is over at once, and the guest can do something else.
//!
//! A socket of 0.2 is there as long as the streams of its connection. One of 0.3 may go before them, so they hold it too.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use tokio::sync::oneshot;
use wasmtime::component::{Access, FutureConsumer, FutureReader, Linker, Resource, Source, StreamReader};
use wasmtime::{AsContextMut as _, StoreContextMut};
use wasmtime_wasi::p2::TcpSocket as SecondSocket;
use wasmtime_wasi::p2::bindings::sockets::network as network2;
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::bindings::sockets::tcp_create_socket::Host as _;
use wasmtime_wasi::p2::bindings::sockets::udp_create_socket::Host as _;
use wasmtime_wasi::p3::bindings::sockets::types as types3;
use wasmtime_wasi::p3::bindings::sockets::types::{HostTcpSocketWithStore, HostUdpSocket};
use wasmtime_wasi::sockets::{
    SocketAddrUse, TcpSocket as ThirdSocket, WasiSockets, WasiSocketsCtx, WasiSocketsCtxView, WasiSocketsView as _,
};
use wasmtime_wasi::{ResourceTable, TrappableError, WasiCtx};

use super::InstanceSockets;
use super::guard::Guard;
use crate::host::connections::OpenPlace;
use crate::host::egress::Place;
use crate::host::wasi::{replace, second, third, told};
use crate::instance::HostState;

/// Sockets that one instance may have open, of both kinds. Each is a descriptor of the process.
pub(super) const MOST_OPEN: usize = 128;

type Store<'a> = StoreContextMut<'a, HostState>;

/// What a socket holds while somebody uses it.
pub(super) struct Held {
    _place: OpenPlace,
    /// Of a connection, from before it is made.
    connection: Mutex<Option<Place>>,
}

impl Held {
    fn set_connection(&self, place: Option<Place>) {
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// What a new socket is made with.
struct New {
    context: WasiSocketsCtx,
    held: Weak<Held>,
}

impl New {
    fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiSocketsCtxView<'a> {
        WasiSocketsCtxView { ctx: &mut self.context, table }
    }
}

/// Why there is no new socket.
enum NoSocket {
    /// The manifest has nothing that one could reach.
    Denied,
    TooMany,
}

impl From<NoSocket> for network2::ErrorCode {
    fn from(reason: NoSocket) -> Self {
        match reason {
            NoSocket::Denied => Self::AccessDenied,
            NoSocket::TooMany => Self::NewSocketLimit,
        }
    }
}

impl From<NoSocket> for types3::ErrorCode {
    fn from(reason: NoSocket) -> Self {
        match reason {
            NoSocket::Denied => Self::AccessDenied,
            NoSocket::TooMany => Self::Other(Some("too many sockets".to_owned())),
        }
    }
}

impl InstanceSockets {
    /// What the next socket for `protocol`, `tcp` or `udp`, is made with.
    fn next(&mut self, protocol: &str) -> Result<New, NoSocket> {
        self.component.gate.check_protocol(protocol).map_err(|_| NoSocket::Denied)?;
        let place = self.places.take().map_err(|_| NoSocket::TooMany)?;
        let held = Arc::new(Held { _place: place, connection: Mutex::new(None) });
        let weak = Arc::downgrade(&held);
        Ok(New { context: context(self.guard(), held), held: weak })
    }

    /// Takes note of what a socket holds; of those that are gone there is nothing to know any more.
    fn note(&mut self, socket: u32, new: New) {
        self.held.retain(|_, held| held.strong_count() > 0);
        self.held.insert(socket, new.held);
    }

    fn held(&self, socket: u32) -> Option<Arc<Held>> {
        self.held.get(&socket)?.upgrade()
    }

    /// Gives back the places of a connection that was not made.
    fn not_connected(&self, socket: u32) {
        if let Some(held) = self.held(socket) {
            held.set_connection(None);
        }
    }
}

/// The engine's context of one socket: with a check that holds what the socket holds.
fn context(guard: Arc<Guard>, held: Arc<Held>) -> WasiSocketsCtx {
    let mut context = WasiCtx::builder();
    context.allow_tcp(true).allow_udp(true).socket_addr_check(move |address, purpose| {
        let allowed = guard.allow(address, purpose);
        // Who may not connect takes no place that another one waits for.
        if !allowed || !matches!(purpose, SocketAddrUse::TcpConnect) {
            return Box::pin(ready(allowed));
        }
        let (guard, held) = (Arc::clone(&guard), Arc::clone(&held));
        Box::pin(async move {
            let place = guard.egress().place().await;
            held.set_connection(Some(place));
            true
        })
    });
    context.build().sockets().clone()
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Family = network2::IpAddressFamily;
    replace(linker, &second("sockets/tcp-create-socket"), "create-tcp-socket", |interface, name| {
        interface.func_wrap(name, |mut store: Store<'_>, (family,): (Family,)| {
            let state = store.data_mut();
            let mut new = match state.wasi.sockets.next("tcp") {
                Ok(new) => new,
                Err(reason) => return Ok((Err(reason.into()),)),
            };
            let created = told(new.view(&mut state.table).create_tcp_socket(family), TrappableError::downcast)?;
            if let (Ok(socket),) = &created {
                state.wasi.sockets.note(socket.rep(), new);
            }
            Ok(created)
        })
    })?;
    replace(linker, &second("sockets/udp-create-socket"), "create-udp-socket", |interface, name| {
        interface.func_wrap_async(name, |mut store: Store<'_>, (family,): (Family,)| {
            Box::new(async move {
                let state = store.data_mut();
                match state.wasi.sockets.next("udp") {
                    Ok(mut new) => {
                        told(new.view(&mut state.table).create_udp_socket(family).await, TrappableError::downcast)
                    }
                    Err(reason) => Ok((Err(reason.into()),)),
                }
            })
        })
    })?;
    replace(linker, &second("sockets/tcp"), "[method]tcp-socket.finish-connect", |interface, name| {
        interface.func_wrap(name, |mut store: Store<'_>, (socket,): (Resource<SecondSocket>,)| {
            use network2::ErrorCode::{NotInProgress, WouldBlock};
            let rep = socket.rep();
            let state = store.data_mut();
            let connected = told(state.sockets().finish_connect(socket), TrappableError::downcast)?;
            if let (Err(error),) = &connected
                && ![NotInProgress, WouldBlock].contains(error)
            {
                state.wasi.sockets.not_connected(rep);
            }
            Ok(connected)
        })
    })
}

pub(super) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Family = types3::IpAddressFamily;
    type Socket = Resource<ThirdSocket>;
    let types = third("sockets/types");
    replace(linker, &types, "[static]tcp-socket.create", |interface, name| {
        interface.func_wrap(name, |mut store: Store<'_>, (family,): (Family,)| {
            let state = store.data_mut();
            let mut new = match state.wasi.sockets.next("tcp") {
                Ok(new) => new,
                Err(reason) => return Ok((Err(reason.into()),)),
            };
            let created =
                told(types3::HostTcpSocket::create(&mut new.view(&mut state.table), family), TrappableError::downcast)?;
            if let (Ok(socket),) = &created {
                state.wasi.sockets.note(socket.rep(), new);
            }
            Ok(created)
        })
    })?;
    replace(linker, &types, "[static]udp-socket.create", |interface, name| {
        interface.func_wrap_async(name, |mut store: Store<'_>, (family,): (Family,)| {
            Box::new(async move {
                let state = store.data_mut();
                match state.wasi.sockets.next("udp") {
                    Ok(mut new) => told(
                        HostUdpSocket::create(&mut new.view(&mut state.table), family).await,
                        TrappableError::downcast,
                    ),
                    Err(reason) => Ok((Err(reason.into()),)),
                }
            })
        })
    })?;
    replace(linker, &types, "[method]tcp-socket.connect", |interface, name| {
        interface.func_wrap_concurrent(name, |accessor, (socket, address): (Socket, types3::IpSocketAddress)| {
            Box::pin(async move {
                let rep = socket.rep();
                let engine = accessor.with_getter::<WasiSockets>(HostState::sockets);
                let connected = told(WasiSockets::connect(&engine, socket, address).await, TrappableError::downcast)?;
                // A socket in another state was not tried: it may be connected, and keeps its place.
                if let (Err(error),) = &connected
                    && !matches!(error, types3::ErrorCode::InvalidState)
                {
                    accessor.with(|mut access| access.data_mut().wasi.sockets.not_connected(rep));
                }
                Ok(connected)
            })
        })
    })?;
    replace(linker, &types, "[method]tcp-socket.receive", |interface, name| {
        interface.func_wrap(name, |mut store: Store<'_>, (socket,): (Socket,)| {
            let held = store.data().wasi.sockets.held(socket.rep());
            let (received, ended) =
                WasiSockets::receive(Access::new(store.as_context_mut(), |state| state.sockets()), socket)?;
            Ok(((received, held_until(store, held, ended)?),))
        })
    })?;
    replace(linker, &types, "[method]tcp-socket.send", |interface, name| {
        interface.func_wrap(name, |mut store: Store<'_>, (socket, data): (Socket, StreamReader<u8>)| {
            let held = store.data().wasi.sockets.held(socket.rep());
            let ended = WasiSockets::send(Access::new(store.as_context_mut(), |state| state.sockets()), socket, data)?;
            Ok((held_until(store, held, ended)?,))
        })
    })
}

/// How one direction of a connection of 0.3 ended, as the engine tells it.
type Ended = Result<(), types3::ErrorCode>;

/// Holds what the socket holds until one direction of its connection has ended, which the engine tells in any case: also when
/// the guest lets its stream go.
fn held_until(
    mut store: Store<'_>,
    held: Option<Arc<Held>>,
    ended: FutureReader<Ended>,
) -> wasmtime::Result<FutureReader<Ended>> {
    let (tell, told) = oneshot::channel();
    ended.pipe(&mut store, Holder(Some((tell, held))))?;
    FutureReader::new(&mut store, told)
}

struct Holder(Option<(oneshot::Sender<Ended>, Option<Arc<Held>>)>);

impl FutureConsumer<HostState> for Holder {
    type Item = Ended;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        store: Store<'_>,
        mut source: Source<'_, Ended>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let mut ended = None;
        source.read(store, &mut ended)?;
        if let (Some(ended), Some((tell, _held))) = (ended, self.0.take()) {
            // The guest may not want to know.
            let _ = tell.send(ended);
        }
        Poll::Ready(Ok(()))
    }
}
