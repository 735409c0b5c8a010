//! The two snapshots of WASI from 2023, as far as they differ from the release that came of them; HTTP's part is in
//! `http/snapshots.rs`.
//!
//! Most of their interfaces are the release's, and [`pre_release`](crate::adapt::pre_release) gives them its version. What
//! only a snapshot has is added here to the release's interfaces, where nobody else asks for it; where one name has two types,
//! the interface is linked under the snapshot's own version.
//!
//! What no operating system of ours does for a guest (locks, permissions of files) is answered with the interface's own error
//! for that, and so are October's UDP sockets: they send and receive themselves, where the release's give out streams, which
//! must have ended before a socket gives out others, and lose what comes in between (`docs/compatibility.md`).

mod filesystem;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};
use wasmtime_wasi::clocks::WasiClocksView as _;
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::bindings::io::streams::{self, HostOutputStream as _};
use wasmtime_wasi::p2::bindings::io::{error::HostError as _, poll};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::HostTcpSocket as _;
use wasmtime_wasi::p2::bindings::sockets::udp::IncomingDatagram;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, SocketError, StreamError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use crate::host::wasi::{replace, second, told};
use crate::instance::HostState;

type Store<'a> = StoreContextMut<'a, HostState>;

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    io(linker)?;
    clocks(linker)?;
    sockets(linker)?;
    filesystem::link(linker)
}

fn io(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut poll = linker.instance(&second("io/poll"))?;
    poll.func_wrap_async("poll-list", |mut store: Store<'_>, (list,): (Vec<Resource<DynPollable>>,)| {
        Box::new(async move { Ok((poll::Host::poll(&mut store.data_mut().table, list).await?,)) })
    })?;
    poll.func_wrap_async("poll-one", |mut store: Store<'_>, (one,): (Resource<DynPollable>,)| {
        Box::new(async move { poll::HostPollable::block(&mut store.data_mut().table, one).await })
    })?;

    // In October an error was a part of the streams, and a stream to read from was given away to be spliced.
    type Splice = (Resource<DynOutputStream>, Resource<DynInputStream>, u64);
    replace(linker, &second("io/streams"), "[method]output-stream.splice", |streams, splice| {
        streams.resource("error", ResourceType::host::<streams::Error>(), |mut store, rep| {
            store.data_mut().table.delete(Resource::<streams::Error>::new_own(rep))?;
            Ok(())
        })?;
        streams.func_wrap(
            "[method]error.to-debug-string",
            |mut store: Store<'_>, (error,): (Resource<streams::Error>,)| {
                Ok((store.data_mut().table.to_debug_string(error)?,))
            },
        )?;
        streams.func_wrap_async(splice, |mut store: Store<'_>, (to, from, length): Splice| {
            Box::new(async move {
                let given = given(&from);
                let spliced = store.data_mut().table.splice(to, from, length);
                spliced_from(store, given, spliced).await
            })
        })?;
        streams.func_wrap_async(
            "[method]output-stream.blocking-splice",
            |mut store: Store<'_>, (to, from, length): Splice| {
                Box::new(async move {
                    let given = given(&from);
                    let spliced = store.data_mut().table.blocking_splice(to, from, length).await;
                    spliced_from(store, given, spliced).await
                })
            },
        )?;
        streams.func_wrap_async(
            "[method]output-stream.forward",
            |store: Store<'_>, (_, from): (Resource<DynOutputStream>, Resource<DynInputStream>)| {
                let unsupported = StreamError::LastOperationFailed(wasmtime::format_err!("forward is not supported"));
                Box::new(async move { spliced_from(store, given(&from), Err(unsupported)).await })
            },
        )
    })
}

/// The stream that a guest has given away with this argument, if it hasn't only lent it.
fn given(stream: &Resource<DynInputStream>) -> Option<Resource<DynInputStream>> {
    stream.owned().then(|| Resource::new_own(stream.rep()))
}

async fn spliced_from(
    mut store: Store<'_>,
    given: Option<Resource<DynInputStream>>,
    spliced: Result<u64, StreamError>,
) -> wasmtime::Result<(Result<u64, streams::StreamError>,)> {
    let table = &mut store.data_mut().table;
    if let Some(given) = given {
        streams::HostInputStream::drop(table, given).await?;
    }
    match spliced {
        Ok(length) => Ok((Ok(length),)),
        Err(error) => Ok((Err(streams::Host::convert_stream_error(table, error)?),)),
    }
}

/// What `wasi:clocks/timezone` of October says of a time zone.
#[derive(ComponentType, Lower)]
#[component(record)]
struct TimezoneDisplay {
    #[component(name = "utc-offset")]
    utc_offset: i32,
    name: String,
    #[component(name = "in-daylight-saving-time")]
    in_daylight_saving_time: bool,
}

fn clocks(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut monotonic = linker.instance(&second("clocks/monotonic-clock"))?;
    monotonic.func_wrap("subscribe", |mut store: Store<'_>, (when, is_absolute): (u64, bool)| {
        let mut clocks = store.data_mut().clocks();
        Ok((match is_absolute {
            true => monotonic_clock::Host::subscribe_instant(&mut clocks, when)?,
            false => monotonic_clock::Host::subscribe_duration(&mut clocks, when)?,
        },))
    })?;
    // A guest isn't told where its host is.
    let mut timezone = linker.instance("wasi:clocks/timezone@0.2.0-rc-2023-10-18")?;
    timezone.func_wrap("display", |_, (_,): (wall_clock::Datetime,)| {
        Ok((TimezoneDisplay { utc_offset: 0, name: "UTC".to_owned(), in_daylight_saving_time: false },))
    })?;
    timezone.func_wrap("utc-offset", |_, (_,): (wall_clock::Datetime,)| Ok((0_i32,)))
}

fn unsupported<T>() -> wasmtime::Result<(Result<T, ErrorCode>,)> {
    Ok((Err(ErrorCode::NotSupported),))
}

fn sockets(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    type Tcp = Resource<TcpSocket>;
    type Udp = Resource<UdpSocket>;
    let mut tcp = linker.instance(&second("sockets/tcp"))?;
    tcp.func_wrap("[method]tcp-socket.keep-alive", |mut store: Store<'_>, (socket,): (Tcp,)| {
        told(store.data_mut().sockets().keep_alive_enabled(socket), SocketError::downcast)
    })?;
    tcp.func_wrap("[method]tcp-socket.set-keep-alive", |mut store: Store<'_>, (socket, value): (Tcp, bool)| {
        told(store.data_mut().sockets().set_keep_alive_enabled(socket, value), SocketError::downcast)
    })?;
    tcp.func_wrap("[method]tcp-socket.unicast-hop-limit", |mut store: Store<'_>, (socket,): (Tcp,)| {
        told(store.data_mut().sockets().hop_limit(socket), SocketError::downcast)
    })?;
    tcp.func_wrap("[method]tcp-socket.set-unicast-hop-limit", |mut store: Store<'_>, (socket, value): (Tcp, u8)| {
        told(store.data_mut().sockets().set_hop_limit(socket, value), SocketError::downcast)
    })?;
    for name in ["ipv6-only", "no-delay"] {
        tcp.func_wrap(&format!("[method]tcp-socket.{name}"), |_, (_,): (Tcp,)| unsupported::<bool>())?;
        tcp.func_wrap(&format!("[method]tcp-socket.set-{name}"), |_, (_, _): (Tcp, bool)| unsupported::<()>())?;
    }
    let mut udp = linker.instance(&second("sockets/udp"))?;
    udp.func_wrap("[method]udp-socket.ipv6-only", |_, (_,): (Udp,)| unsupported::<bool>())?;
    udp.func_wrap("[method]udp-socket.set-ipv6-only", |_, (_, _): (Udp, bool)| unsupported::<()>())?;
    udp.func_wrap("[method]udp-socket.start-connect", |_, (_, _, _): (Udp, Resource<Network>, IpSocketAddress)| {
        unsupported::<()>()
    })?;
    udp.func_wrap("[method]udp-socket.finish-connect", |_, (_,): (Udp,)| unsupported::<()>())?;
    udp.func_wrap("[method]udp-socket.receive", |_, (_, _): (Udp, u64)| unsupported::<Vec<IncomingDatagram>>())?;
    udp.func_wrap("[method]udp-socket.send", |_, (_, _): (Udp, Vec<IncomingDatagram>)| unsupported::<u64>())
}
