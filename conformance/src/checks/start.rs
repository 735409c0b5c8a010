//! From hello to ready.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use spin_app_model::launch::{Endpoint, PROTOCOL, answer_hello};

use super::Outcome;
use crate::session::Session;
use crate::subject::Subject;

/// How long an endpoint may take to accept a connection: it said that it does so already.
const CONNECTING: Duration = Duration::from_secs(5);

/// The grace that is granted where the end is not what is tested.
const GRACE: Duration = Duration::from_secs(10);

/// The first message.
pub(super) fn hello(subject: &Subject) -> Outcome {
    let session = Session::start(subject, &subject.lock)?;
    let hello = session.hello();
    answer_hello(hello, &subject.trigger_type, &[PROTOCOL]).map_err(|error| error.to_string())?;
    match hello.version.is_empty() {
        true => Err("its version is empty".to_owned()),
        false => Ok(()),
    }
}

/// The message that events are taken, and whether they are.
pub(super) fn ready(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.welcome();
    let ready = session.ready(subject)?;
    ready.endpoints.iter().try_for_each(connect)
}

/// Messages from a host that is newer than the trigger.
pub(super) fn unknown_messages(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.send("{\"conformance-no-such-message\":{\"id\":1}}\n")?;
    session.send("{\"welcome\":{\"protocol\":1,\"features\":[\"conformance-no-such-feature\"],\"later\":{}}}\n")?;
    session.ready(subject)?;
    session.send("{\"conformance-no-such-message\":null}\n{\"drain\":{\"grace_ms\":10000,\"later\":[]}}\n")?;
    session.process().must_exit(0, GRACE, "messages with unknown parts and drain")
}

/// Endpoints of other kinds than these have no way to connect that everybody knows.
fn connect(endpoint: &Endpoint) -> Outcome {
    if !["http", "https"].contains(&endpoint.kind.as_str()) {
        return Ok(());
    }
    let refuse = |why: String| format!("its endpoint {:?}: {why}", endpoint.address);
    let url = url::Url::parse(&endpoint.address).map_err(|error| refuse(error.to_string()))?;
    let host = url.host_str().ok_or_else(|| refuse("no host".to_owned()))?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or_else(|| refuse("no port".to_owned()))?;
    let addresses = (host, port).to_socket_addrs().map_err(|error| refuse(error.to_string()))?;
    let mut last = "no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(_) => return Ok(()),
            Err(error) => last = error.to_string(),
        }
    }
    Err(refuse(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    #[test]
    fn http_endpoints_take_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        assert_eq!(connect(&Endpoint::new("http", &url)), Ok(()));
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
