//! Raw sockets of 0.2 and of 0.3.
//!
//! `tcp ADDRESS TEXT` connects, sends the text and gives what comes back until the end; `udp ADDRESS TEXT` does the same with
//! one datagram. `resolve NAME` gives the addresses of a name, `tcp-name NAME PORT TEXT` and `udp-name NAME PORT TEXT` use the first
//! of them. `where NAME`, of 0.2 alone, gives what tells why a name has no address: the call or its stream.
//! `listen ADDRESS` tries to be a server. `hold ADDRESS` connects and keeps the connection for the calls to come.
//! `two ADDRESS` begins a second connection beside a first one, lets the first one go, and connects. `again ADDRESS` keeps the socket
//! of a first attempt, whatever becomes of it, and connects with a second one. `many N` opens N sockets of
//! both kinds, and gives how many there are when the next one fails.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup;
use wasip2::sockets::network as second;
use wasip2::sockets::tcp::{ShutdownType, TcpSocket as SecondTcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;
use wasip3::sockets::ip_name_lookup::{self as ip_name_lookup3, resolve_addresses};
use wasip3::sockets::types::{
    ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, TcpSocket,
    UdpSocket as ThirdUdpSocket,
};
use wasip3::wit_stream;

use crate::shown::{Shown, result, unknown};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    let mut held = Vec::new();
    let mut call = |call: &[&str]| match call {
        ["tcp", to, text] => second_result(second_tcp(address(to), text)),
        ["udp", to, text] => second_result(second_udp(address(to), text)),
        ["resolve", name] => second_result(second_resolve(name)),
        ["tcp-name", name, port, text] => second_result(second_first(name, port).and_then(|to| second_tcp(to, text))),
        ["udp-name", name, port, text] => second_result(second_first(name, port).and_then(|to| second_udp(to, text))),
        ["listen", at] => second_result(second_listen(address(at))),
        ["hold", to] => second_result(second_connected(address(to)).map(|connection| held.push(connection))),
        ["two", to] => second_result(second_two(address(to))),
        ["again", to] => second_result(second_again(address(to))),
        ["many", count] => second_many(count.parse().expect("a number")),
        ["where", name] => match ip_name_lookup::resolve_addresses(&instance_network(), name) {
            Err(error) => format!("call: {}", error.name()),
            Ok(addresses) => format!("stream: {}", second_result(second_all(&addresses))),
        },
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

/// An error shows itself with all that its documentation says; its name is enough.
fn second_result<T: Shown>(done: Result<T, second::ErrorCode>) -> String {
    match done {
        Err(error) => format!("err({})", error.name()),
        done => result(done),
    }
}

/// The streams belong to the socket, and are let go before it.
struct Connection {
    input: InputStream,
    output: OutputStream,
    socket: SecondTcpSocket,
}

fn second_connected(to: SocketAddr) -> Result<Connection, second::ErrorCode> {
    let socket = create_tcp_socket(second_family(to))?;
    socket.start_connect(&instance_network(), second_address(to))?;
    socket.subscribe().block();
    let (input, output) = socket.finish_connect()?;
    Ok(Connection { input, output, socket })
}

fn second_two(to: SocketAddr) -> Result<(), second::ErrorCode> {
    let first = second_connected(to)?;
    let socket = create_tcp_socket(second_family(to))?;
    socket.start_connect(&instance_network(), second_address(to))?;
    drop(first);
    socket.subscribe().block();
    socket.finish_connect().map(drop)
}

fn second_again(to: SocketAddr) -> Result<(), second::ErrorCode> {
    let first = create_tcp_socket(second_family(to))?;
    first.start_connect(&instance_network(), second_address(to))?;
    first.subscribe().block();
    let _streams = first.finish_connect();
    second_connected(to).map(drop)
}

fn second_many(count: usize) -> String {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for index in 0..count {
        let family = second::IpAddressFamily::Ipv4;
        let opened = match index % 2 {
            0 => create_tcp_socket(family).map(|socket| tcp.push(socket)),
            _ => create_udp_socket(family).map(|socket| udp.push(socket)),
        };
        if let Err(error) = opened {
            return format!("{index}: {}", second_result::<()>(Err(error)));
        }
    }
    count.to_string()
}

fn second_tcp(to: SocketAddr, text: &str) -> Result<String, second::ErrorCode> {
    let connection = second_connected(to)?;
    let broken = |_: StreamError| second::ErrorCode::ConnectionReset;
    connection.output.blocking_write_and_flush(text.as_bytes()).map_err(broken)?;
    connection.socket.shutdown(ShutdownType::Send)?;
    let mut answer = Vec::new();
    loop {
        match connection.input.blocking_read(1024) {
            Ok(bytes) => answer.extend(bytes),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&answer).into_owned()),
            Err(error) => return Err(broken(error)),
        }
    }
}

fn second_udp(to: SocketAddr, text: &str) -> Result<String, second::ErrorCode> {
    let socket = create_udp_socket(second_family(to))?;
    let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    socket.start_bind(&instance_network(), second_address(address(own)))?;
    socket.subscribe().block();
    socket.finish_bind()?;
    let (incoming, outgoing) = socket.stream(None)?;
    outgoing.subscribe().block();
    outgoing.check_send()?;
    let datagram = OutgoingDatagram { data: text.as_bytes().to_vec(), remote_address: Some(second_address(to)) };
    outgoing.send(&[datagram])?;
    // What became of it is told when the next one may be sent.
    outgoing.subscribe().block();
    outgoing.check_send()?;
    loop {
        incoming.subscribe().block();
        if let Some(datagram) = incoming.receive(1)?.into_iter().next() {
            return Ok(String::from_utf8_lossy(&datagram.data).into_owned());
        }
    }
}

fn second_resolve(name: &str) -> Result<Vec<String>, second::ErrorCode> {
    second_all(&ip_name_lookup::resolve_addresses(&instance_network(), name)?)
}

fn second_all(addresses: &ip_name_lookup::ResolveAddressStream) -> Result<Vec<String>, second::ErrorCode> {
    let mut found = Vec::new();
    loop {
        match addresses.resolve_next_address() {
            Ok(Some(second::IpAddress::Ipv4(address))) => found.push(shown(IpAddress::Ipv4(address))),
            Ok(Some(second::IpAddress::Ipv6(address))) => found.push(shown(IpAddress::Ipv6(address))),
            Ok(None) => return Ok(found),
            Err(second::ErrorCode::WouldBlock) => addresses.subscribe().block(),
            Err(error) => return Err(error),
        }
    }
}

fn second_first(name: &str, port: &str) -> Result<SocketAddr, second::ErrorCode> {
    let found = second_resolve(name)?;
    let first = found.first().expect("a name has addresses").parse().expect("one");
    Ok(SocketAddr::new(first, port.parse().expect("a port")))
}

fn second_listen(at: SocketAddr) -> Result<(), second::ErrorCode> {
    let socket = create_tcp_socket(second_family(at))?;
    socket.start_bind(&instance_network(), second_address(at))?;
    socket.finish_bind()?;
    socket.start_listen()?;
    socket.finish_listen()
}

fn second_family(of: SocketAddr) -> second::IpAddressFamily {
    if of.is_ipv4() { second::IpAddressFamily::Ipv4 } else { second::IpAddressFamily::Ipv6 }
}

fn second_address(address: SocketAddr) -> second::IpSocketAddress {
    match third(address) {
        IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address }) => {
            second::IpSocketAddress::Ipv4(second::Ipv4SocketAddress { port, address })
        }
        IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info, address, scope_id }) => {
            second::IpSocketAddress::Ipv6(second::Ipv6SocketAddress { port, flow_info, address, scope_id })
        }
    }
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    let mut held = Vec::new();
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match words.as_slice() {
            ["tcp", to, text] => result(third_tcp(address(to), text).await),
            ["udp", to, text] => result(third_udp(address(to), text).await),
            ["resolve", name] => {
                let found = resolve_addresses(name.to_string()).await;
                result(found.map(|found| found.into_iter().map(shown).collect::<Vec<String>>()))
            }
            ["tcp-name", name, port, text] => match third_first(name, port).await {
                Ok(to) => result(third_tcp(to, text).await),
                Err(error) => result::<(), _>(Err(error)),
            },
            ["udp-name", name, port, text] => match third_first(name, port).await {
                Ok(to) => result(third_udp(to, text).await),
                Err(error) => result::<(), _>(Err(error)),
            },
            ["listen", at] => result(third_listen(address(at))),
            ["hold", to] => result(connected(address(to)).await.map(|socket| held.push(socket))),
            ["two", to] => result(third_two(address(to)).await),
            ["again", to] => result(third_again(address(to)).await),
            ["many", count] => third_many(count.parse().expect("a number")),
            other => unknown(other),
        });
    }
    answers
}

async fn connected(to: SocketAddr) -> Result<TcpSocket, ErrorCode> {
    let socket = TcpSocket::create(family(to))?;
    socket.connect(third(to)).await?;
    Ok(socket)
}

async fn third_two(to: SocketAddr) -> Result<(), ErrorCode> {
    let first = connected(to).await?;
    let mut connecting = pin!(connected(to));
    let begun = poll_fn(|context| Poll::Ready(connecting.as_mut().poll(context))).await;
    assert!(begun.is_pending(), "there is no connection yet");
    drop(first);
    connecting.await.map(drop)
}

async fn third_again(to: SocketAddr) -> Result<(), ErrorCode> {
    let first = TcpSocket::create(family(to))?;
    let _ = first.connect(third(to)).await;
    connected(to).await.map(drop)
}

fn third_many(count: usize) -> String {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for index in 0..count {
        let opened = match index % 2 {
            0 => TcpSocket::create(IpAddressFamily::Ipv4).map(|socket| tcp.push(socket)),
            _ => ThirdUdpSocket::create(IpAddressFamily::Ipv4).map(|socket| udp.push(socket)),
        };
        if let Err(error) = opened {
            return format!("{index}: {}", result::<(), _>(Err(error)));
        }
    }
    count.to_string()
}

/// The socket goes before the streams of its connection.
async fn third_tcp(to: SocketAddr, text: &str) -> Result<String, ErrorCode> {
    let socket = connected(to).await?;
    let (received, _end) = socket.receive();
    let (mut writer, reader) = wit_stream::new();
    let sent = socket.send(reader);
    writer.write_all(text.as_bytes().to_vec()).await;
    drop(writer);
    sent.await?;
    drop(socket);
    Ok(String::from_utf8_lossy(&received.collect().await).into_owned())
}

async fn third_udp(to: SocketAddr, text: &str) -> Result<String, ErrorCode> {
    let socket = ThirdUdpSocket::create(family(to))?;
    socket.send(text.as_bytes().to_vec(), Some(third(to))).await?;
    let (answer, _) = socket.receive().await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn third_first(name: &str, port: &str) -> Result<SocketAddr, ip_name_lookup3::ErrorCode> {
    let found = resolve_addresses(name.to_string()).await?;
    let first = shown(found.into_iter().next().expect("a name has addresses")).parse().expect("one");
    Ok(SocketAddr::new(first, port.parse().expect("a port")))
}

fn third_listen(at: SocketAddr) -> Result<(), ErrorCode> {
    let socket = TcpSocket::create(family(at))?;
    socket.bind(third(at))?;
    socket.listen().map(drop)
}

fn family(of: SocketAddr) -> IpAddressFamily {
    if of.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

fn third(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            let address = (a, b, c, d, e, f, g, h);
            IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 })
        }
    }
}

fn shown(address: IpAddress) -> String {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => std::net::Ipv6Addr::new(a, b, c, d, e, f, g, h).to_string(),
    }
}
