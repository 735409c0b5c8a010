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

use super::guard::{Asked, NoAddress};
use crate::host::wasi::{replace, second, third};
use crate::instance::HostState;

/// The snapshot whose function has more parameters.
const OCTOBER: &str = "wasi:sockets/ip-name-lookup@0.2.0-rc-2023-10-18";

type Store<'a> = StoreContextMut<'a, HostState>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    replace(linker, &second("sockets/ip-name-lookup"), "resolve-addresses", |interface, function| {
        addresses(interface)?.func_wrap(function, |store: Store<'_>, (network, name): (Resource<Network>, String)| {
            Ok((resolve_addresses(store, &network, &name)?,))
        })
    })?;
    // Which family, and whether addresses count that can't be reached from here, is left to whoever connects.
    type October = (Resource<Network>, String, Option<network2::IpAddressFamily>, bool);
    addresses(&mut linker.instance(OCTOBER)?)?
        .func_wrap("resolve-addresses", |store: Store<'_>, (network, name, _, _): October| {
            Ok((resolve_addresses(store, &network, &name)?,))
        })?;
    Ok(())
}

pub(super) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    replace(linker, &third("sockets/ip-name-lookup"), "resolve-addresses", |interface, function| {
        interface.func_wrap_concurrent(function, |accessor, (name,): (String,)| {
            Box::pin(async move {
                let guard = accessor.with(|mut access| access.data_mut().wasi.sockets.guard());
                let found = match guard.read(&name) {
                    Ok(asked) => guard.addresses(asked).await,
                    Err(reason) => Err(reason),
                };
                let found: Result<Vec<types3::IpAddress>, lookup3::ErrorCode> = match found {
                    Ok(addresses) => Ok(addresses.into_iter().map(Into::into).collect()),
                    Err(reason) => Err(reason.into()),
                };
                Ok((found,))
            })
        })
    })
}

impl From<NoAddress> for network2::ErrorCode {
    fn from(reason: NoAddress) -> Self {
        match reason {
            NoAddress::NoName => Self::InvalidArgument,
            NoAddress::Denied => Self::AccessDenied,
            NoAddress::Late => Self::TemporaryResolverFailure,
            NoAddress::Unknown => Self::NameUnresolvable,
        }
    }
}

impl From<NoAddress> for lookup3::ErrorCode {
    fn from(reason: NoAddress) -> Self {
        match reason {
            NoAddress::NoName => Self::InvalidArgument,
            NoAddress::Denied => Self::AccessDenied,
            NoAddress::Late => Self::TemporaryResolverFailure,
            NoAddress::Unknown => Self::NameUnresolvable,
        }
    }
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

/// What is wrong with the name itself is told by the call; what becomes of the look-up, by the stream. So no race decides where.
fn resolve_addresses(
    mut store: Store<'_>,
    network: &Resource<Network>,
    name: &str,
) -> wasmtime::Result<Result<Resource<Addresses>, network2::ErrorCode>> {
    let state = store.data_mut();
    // The network stands for the right to look names up; there is but one.
    state.table.get(network)?;
    let guard = state.wasi.sockets.guard();
    let addresses = match guard.read(name) {
        Ok(Asked::Address(address)) => Addresses::Found(vec![address].into_iter()),
        Ok(asked) => Addresses::Awaited(wasmtime_wasi::runtime::spawn(async move { guard.addresses(asked).await })),
        Err(reason) => return Ok(Err(reason.into())),
    };
    Ok(Ok(state.table.push(addresses)?))
}

/// The addresses of a name, when they have come; given one at a time.
enum Addresses {
    Awaited(AbortOnDropJoinHandle<Result<Vec<IpAddr>, NoAddress>>),
    Found(std::vec::IntoIter<IpAddr>),
    None(NoAddress),
}

impl Addresses {
    fn next(&mut self) -> Result<Option<network2::IpAddress>, network2::ErrorCode> {
        if let Self::Awaited(awaited) = self {
            let found = awaited.now_or_never().ok_or(network2::ErrorCode::WouldBlock)?;
            self.arrived(found);
        }
        match self {
            Self::Found(addresses) => Ok(addresses.next().map(Into::into)),
            Self::None(reason) => Err((*reason).into()),
            Self::Awaited(_) => Err(network2::ErrorCode::WouldBlock),
        }
    }

    fn arrived(&mut self, found: Result<Vec<IpAddr>, NoAddress>) {
        *self = match found {
            Ok(addresses) => Self::Found(addresses.into_iter()),
            Err(reason) => Self::None(reason),
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
