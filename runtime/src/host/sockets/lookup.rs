//! `wasi:sockets/ip-name-lookup` of both generations, over our own resolver. The engine's asks the system by itself, for
//! whoever may look up any name.

use std::net::IpAddr;

use futures_util::FutureExt;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};
use wasmtime_wasi::p2::bindings::sockets::network as network2;
use wasmtime_wasi::p2::{DynPollable, Network, Pollable, subscribe};
use wasmtime_wasi::p3::bindings::sockets::ip_name_lookup as lookup3;
use wasmtime_wasi::p3::bindings::sockets::types as types3;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;

use super::NoAddress;
use crate::instance::HostState;

/// The versions that the engine links, and that guests of any other 0.2 or 0.3 get.
const SECOND: &str = "wasi:sockets/ip-name-lookup@0.2.12";
const THIRD: &str = "wasi:sockets/ip-name-lookup@0.3.0";
/// The snapshot whose function has more parameters.
const OCTOBER: &str = "wasi:sockets/ip-name-lookup@0.2.0-rc-2023-10-18";

type Store<'a> = StoreContextMut<'a, HostState>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    addresses(&mut linker.instance(SECOND)?)?.func_wrap(
        "resolve-addresses",
        |store: Store<'_>, (network, name): (Resource<Network>, String)| {
            Ok((resolve_addresses(store, &network, name)?,))
        },
    )?;
    // Which family, and whether addresses count that can't be reached from here, is left to whoever connects.
    type October = (Resource<Network>, String, Option<network2::IpAddressFamily>, bool);
    addresses(&mut linker.instance(OCTOBER)?)?
        .func_wrap("resolve-addresses", |store: Store<'_>, (network, name, _, _): October| {
            Ok((resolve_addresses(store, &network, name)?,))
        })?;
    Ok(())
}

pub(super) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.instance(THIRD)?.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
        Box::pin(async move {
            let sockets = accessor.with(|mut access| access.data_mut().wasi.sockets.clone());
            let found = sockets.look_up(&name).await;
            let found: Result<Vec<types3::IpAddress>, lookup3::ErrorCode> = match found {
                Ok(addresses) => Ok(addresses.into_iter().map(Into::into).collect()),
                Err(NoAddress::NoName) => Err(lookup3::ErrorCode::InvalidArgument),
                Err(NoAddress::Denied) => Err(lookup3::ErrorCode::AccessDenied),
                Err(NoAddress::Unknown) => Err(lookup3::ErrorCode::NameUnresolvable),
            };
            Ok((found,))
        })
    })
}

/// What all of 0.2 have in common: the stream of addresses.
fn addresses<'a, 'b>(
    interface: &'b mut LinkerInstance<'a, HostState>,
) -> wasmtime::Result<&'b mut LinkerInstance<'a, HostState>> {
    interface.resource("resolve-address-stream", ResourceType::host::<Addresses>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Addresses>::new_own(rep))?;
        Ok(())
    })?;
    interface.func_wrap(
        "[method]resolve-address-stream.resolve-next-address",
        |mut store: Store<'_>, (addresses,): (Resource<Addresses>,)| {
            Ok((store.data_mut().table.get_mut(&addresses)?.next(),))
        },
    )?;
    interface.func_wrap(
        "[method]resolve-address-stream.subscribe",
        |mut store: Store<'_>, (addresses,): (Resource<Addresses>,)| {
            let pollable: Resource<DynPollable> = subscribe(&mut store.data_mut().table, addresses)?;
            Ok((pollable,))
        },
    )?;
    Ok(interface)
}

fn resolve_addresses(
    mut store: Store<'_>,
    network: &Resource<Network>,
    name: String,
) -> wasmtime::Result<Result<Resource<Addresses>, network2::ErrorCode>> {
    let state = store.data_mut();
    // The network stands for the right to look names up; there is but one.
    state.table.get(network)?;
    let sockets = state.wasi.sockets.clone();
    let looking_up = wasmtime_wasi::runtime::spawn(async move { sockets.look_up(&name).await });
    let mut addresses = Addresses::Awaited(looking_up);
    // What is known at once is told at once.
    match addresses.poll_once() {
        Err(error) if error != network2::ErrorCode::WouldBlock => Ok(Err(error)),
        _ => Ok(Ok(state.table.push(addresses)?)),
    }
}

/// The addresses of a name, when they have come; given one at a time.
enum Addresses {
    Awaited(AbortOnDropJoinHandle<Result<Vec<IpAddr>, NoAddress>>),
    Found(std::vec::IntoIter<IpAddr>),
    None(network2::ErrorCode),
}

impl Addresses {
    fn next(&mut self) -> Result<Option<network2::IpAddress>, network2::ErrorCode> {
        self.poll_once()?;
        match self {
            Self::Found(addresses) => Ok(addresses.next().map(Into::into)),
            _ => Ok(None),
        }
    }

    /// Takes note of what has come; fails while nothing has, and if the name has none.
    fn poll_once(&mut self) -> Result<(), network2::ErrorCode> {
        if let Self::Awaited(awaited) = self {
            let found = awaited.now_or_never().ok_or(network2::ErrorCode::WouldBlock)?;
            self.arrived(found);
        }
        match self {
            Self::None(error) => Err(*error),
            _ => Ok(()),
        }
    }

    fn arrived(&mut self, found: Result<Vec<IpAddr>, NoAddress>) {
        *self = match found {
            Ok(addresses) => Self::Found(addresses.into_iter()),
            Err(NoAddress::NoName) => Self::None(network2::ErrorCode::InvalidArgument),
            Err(NoAddress::Denied) => Self::None(network2::ErrorCode::AccessDenied),
            Err(NoAddress::Unknown) => Self::None(network2::ErrorCode::NameUnresolvable),
        };
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        if let Self::Awaited(awaited) = self {
            let found = awaited.await;
            self.arrived(found);
        }
    }
}
