//! Raw sockets of 0.2 and of 0.3.
//!
//! `tcp ADDRESS TEXT` connects, sends the text and gives what comes back until the end; `udp ADDRESS TEXT` does the same with
//! one datagram. `resolve NAME` gives the addresses of a name, `tcp-name NAME PORT TEXT` connects to the first of them.
//! `listen ADDRESS` tries to be a server. `hold ADDRESS` connects and keeps the connection for the calls to come.

use std::net::SocketAddr;

use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup;
use wasip2::sockets::network as second;
use wasip2::sockets::tcp::{ShutdownType, TcpSocket as SecondTcpSocket};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;
use wasip3::sockets::ip_name_lookup::resolve_addresses;
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
        ["tcp-name", name, port, text] => second_result(second_resolve(name).and_then(|found| {
            let first = found.first().expect("a name has addresses").parse().expect("one");
            second_tcp(SocketAddr::new(first, port.parse().expect("a port")), text)
        })),
        ["listen", at] => second_result(second_listen(address(at))),
        ["hold", to] => second_result(second_connected(address(to)).map(|connection| held.push(connection))),
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
    let addresses = ip_name_lookup::resolve_addresses(&instance_network(), name)?;
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
            ["tcp-name", name, port, text] => match resolve_addresses(name.to_string()).await {
                Ok(found) => match found.into_iter().next() {
                    Some(first) => {
                        let to = SocketAddr::new(shown(first).parse().expect("one"), port.parse().expect("a port"));
                        result(third_tcp(to, text).await)
                    }
                    None => "none".to_owned(),
                },
                Err(error) => result::<(), _>(Err(error)),
            },
            ["listen", at] => result(third_listen(address(at))),
            ["hold", to] => result(connected(address(to)).await.map(|socket| held.push(socket))),
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

async fn third_tcp(to: SocketAddr, text: &str) -> Result<String, ErrorCode> {
    let socket = connected(to).await?;
    let (received, _end) = socket.receive();
    let (mut writer, reader) = wit_stream::new();
    let sent = socket.send(reader);
    writer.write_all(text.as_bytes().to_vec()).await;
    drop(writer);
    sent.await?;
    Ok(String::from_utf8_lossy(&received.collect().await).into_owned())
}

async fn third_udp(to: SocketAddr, text: &str) -> Result<String, ErrorCode> {
    let socket = ThirdUdpSocket::create(family(to))?;
    socket.send(text.as_bytes().to_vec(), Some(third(to))).await?;
    let (answer, _) = socket.receive().await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
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
