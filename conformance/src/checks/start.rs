//! From hello to ready.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use spin_app_model::launch::{Endpoint, PROTOCOL, TriggerMessage, answer_hello};

use super::Outcome;
use crate::session::{Received, Session};
use crate::subject::Subject;

/// How long an endpoint may take to accept a connection: it said that it does so already.
const CONNECTING: Duration = Duration::from_secs(5);

/// How long a trigger that is ready is watched for saying more.
const WATCH: Duration = Duration::from_millis(100);

/// How long one that is not welcomed may take until it is ready.
const NO_WELCOME: Duration = Duration::from_secs(5);

/// The first message.
pub(super) fn hello(subject: &Subject) -> Outcome {
    let session = Session::start(subject, &subject.lock)?;
    let hello = session.hello();
    answer_hello(hello, &subject.trigger_type, &[PROTOCOL]).map_err(|error| error.to_string())?;
    match hello.version.is_empty() {
        true => Err("its version is empty".to_owned().into()),
        false => Ok(()),
    }
}

/// The message that events are taken, and whether they are.
pub(super) fn ready(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.welcome();
    let ready = session.ready(subject)?;
    ready.endpoints.iter().try_for_each(connect)?;
    match session.receive(Instant::now() + WATCH, "") {
        Ok(Received::Message(again @ (TriggerMessage::Hello(_) | TriggerMessage::Ready(_)))) => {
            Err(format!("it says {} once it is ready", again.name()).into())
        }
        Ok(Received::Message(TriggerMessage::Failed(failed))) => {
            Err(format!("it failed with {} once it was ready: {}", failed.code, failed.message).into())
        }
        Ok(Received::End) => {
            Err(format!("it closed the channel once it was ready{}", session.process().complaint()).into())
        }
        // Nothing in time is what is wanted.
        _ => Ok(()),
    }
}

/// A host that is slow to answer, or has nothing to say.
pub(super) fn no_welcome(subject: &Subject) -> Outcome {
    // Those that wait have been ready with a welcome before, so this needs no patience.
    let patience = subject.patience.min(NO_WELCOME);
    let mut session = Session::start(subject, &subject.lock)?;
    session.ready_within(subject, patience)?;
    Ok(())
}

/// An endpoint of HTTP must answer, one of TCP must be connected to. Others have no way to connect that everybody knows.
fn connect(endpoint: &Endpoint) -> Result<(), String> {
    let refuse = |why: String| format!("its {} endpoint {:?}: {why}", endpoint.kind, endpoint.address);
    if !["http", "https", "tcp"].contains(&endpoint.kind.as_str()) {
        return Ok(());
    }
    let url = url::Url::parse(&endpoint.address).map_err(|error| refuse(error.to_string()))?;
    let host = url.host_str().ok_or_else(|| refuse("no host".to_owned()))?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or_else(|| refuse("no port".to_owned()))?;
    let addresses = (host, port).to_socket_addrs().map_err(|error| refuse(error.to_string()))?;
    let mut last = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) if endpoint.kind == "http" => return speaks_http(stream).map_err(refuse),
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(refuse(last))
}

/// Whatever the answer is, it is one.
fn speaks_http(mut stream: TcpStream) -> Result<(), String> {
    let mut start = [0; 5];
    let limits = stream.set_read_timeout(Some(CONNECTING)).and_then(|()| stream.set_write_timeout(Some(CONNECTING)));
    limits
        .and_then(|()| stream.write_all(b"GET /.well-known/spin/health HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        .and_then(|()| stream.read_exact(&mut start))
        .map_err(|error| format!("no answer to GET: {error}"))?;
    match &start == b"HTTP/" {
        true => Ok(()),
        false => Err("the answer to GET is not HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    #[test]
    fn http_endpoints_take_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        assert_eq!(connect(&Endpoint::new("tcp", format!("tcp://{address}"))), Ok(()));
        let server = std::thread::spawn(move || {
            // The first connection is the one above.
            listener.incoming().take(3).zip([&b""[..], b"HTTP/1.1 404\r\n\r\n", b"+PONG\r\n"]).for_each(
                |(stream, answer)| {
                    let mut stream = stream.expect("a connection");
                    let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(answer));
                },
            );
        });
        assert_eq!(connect(&Endpoint::new("http", format!("http://{address}"))), Ok(()));
        let why = connect(&Endpoint::new("http", format!("http://{address}"))).expect_err("no HTTP");
        assert!(why.ends_with("the answer to GET is not HTTP"), "{why}");
        server.join().expect("it has answered");
        // A port that is taken and does not listen: one that was given back could be another test's by now.
        let taken = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        bind(&taken, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let taken_by_us = SocketAddr::try_from(getsockname(&taken).expect("bound")).expect("an address of IP");
        let url = format!("http://{taken_by_us}");
        let why = connect(&Endpoint::new("http", &url)).expect_err("nobody listens");
        assert!(why.contains(&url), "{why}");
        assert!(connect(&Endpoint::new("http", "somewhere")).is_err());
        assert_eq!(connect(&Endpoint::new("redis", "somewhere")), Ok(()));
    }
}
