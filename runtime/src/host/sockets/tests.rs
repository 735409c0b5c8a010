//! Which addresses a guest's sockets may use, and which names it may look up. Nothing is connected to.

use wasmtime_wasi::sockets::SocketAddrUse;

use super::guard::{MOST_NAMES, NoAddress};
use super::*;
use crate::host::egress::tests::{egress, gate};

fn sockets(entries: &str, blocked: &[&str], answers: &[&'static [&'static str]]) -> Guard {
    let component = ComponentSockets { gate: Arc::new(gate(entries)), egress: Arc::new(egress(blocked, answers)) };
    Guard::new(&Arc::new(component))
}

fn allows(sockets: &Guard, purpose: SocketAddrUse, address: &str) -> bool {
    sockets.allow(address.parse().expect("an address"), purpose)
}

async fn look_up(sockets: &Guard, name: &str) -> Result<Vec<String>, NoAddress> {
    Ok(sockets.addresses(sockets.read(name)?).await?.iter().map(ToString::to_string).collect())
}

#[test]
fn addresses_are_those_of_the_manifest_for_the_protocol_of_the_socket() {
    use SocketAddrUse::{TcpConnect, UdpReceive, UdpSend};
    let entries =
        r#"["tcp://10.0.0.0/8:5432", "udp://[::1]:53", "*://192.0.2.1:*", "tcp://localhost:*", "udp://10.0.0.0/8:53"]"#;
    let sockets = sockets(entries, &["10.9.0.0/16"], &[]);
    for (purpose, address, expected) in [
        (TcpConnect, "10.1.2.3:5432", true),
        (TcpConnect, "10.1.2.3:5433", false),
        (TcpConnect, "[::ffff:10.1.2.3]:5432", true),
        (TcpConnect, "11.1.2.3:5432", false),
        (UdpSend, "10.1.2.3:5432", false),
        (UdpSend, "[::1]:53", true),
        (UdpReceive, "[::1]:53", true),
        (UdpReceive, "[::1]:54", false),
        (TcpConnect, "[::1]:53", false),
        (TcpConnect, "192.0.2.1:1", true),
        (UdpSend, "192.0.2.1:1", true),
        (UdpReceive, "192.0.2.1:1", true),
        // Allowed, and blocked.
        (TcpConnect, "10.9.2.3:5432", false),
        (TcpConnect, "[::ffff:10.9.2.3]:5432", false),
        (UdpSend, "10.8.2.3:53", true),
        (UdpReceive, "10.8.2.3:53", true),
        (UdpSend, "10.9.2.3:53", false),
        (UdpReceive, "10.9.2.3:53", false),
        // A name that nobody has looked up is not its address.
        (TcpConnect, "127.0.0.1:1", false),
    ] {
        assert_eq!(allows(&sockets, purpose, address), expected, "{purpose:?} {address}");
    }
}

#[test]
fn components_are_no_servers() {
    use SocketAddrUse::{TcpAccept, TcpBind, TcpListen, UdpBind};
    let sockets = sockets(r#"["*://*:*"]"#, &[], &[]);
    for (purpose, address, expected) in [
        // What any socket has that sends.
        (TcpBind, "0.0.0.0:0", true),
        (UdpBind, "[::]:0", true),
        (TcpBind, "0.0.0.0:80", false),
        (TcpBind, "127.0.0.1:0", false),
        (TcpListen, "0.0.0.0:0", false),
        (TcpAccept, "127.0.0.1:5000", false),
        // A port that others know is asked for as the address that it is at.
        (UdpBind, "0.0.0.0:53", true),
    ] {
        assert_eq!(allows(&sockets, purpose, address), expected, "{purpose:?} {address}");
    }
    let sockets = self::sockets(r#"["udp://10.0.0.1:*", "udp://127.0.0.1:*"]"#, &["127.0.0.0/8"], &[]);
    for (address, expected) in [("10.0.0.1:53", true), ("0.0.0.0:53", false), ("127.0.0.1:0", false)] {
        assert_eq!(allows(&sockets, UdpBind, address), expected, "{address}");
    }
}

#[tokio::test]
async fn a_name_of_the_manifest_is_looked_up_and_its_addresses_may_be_used_as_it_may() {
    let entries = r#"["tcp://db.test:5432", "https://*.web.test"]"#;
    let sockets = sockets(entries, &[], &[&["192.0.2.1", "2001:db8::1"], &["192.0.2.9"], &["192.0.2.2"]]);
    assert!(!allows(&sockets, SocketAddrUse::TcpConnect, "192.0.2.1:5432"), "nothing was looked up yet");
    assert_eq!(look_up(&sockets, "DB.test.").await.expect("two"), ["192.0.2.1", "2001:db8::1"]);
    for (address, expected) in
        [("192.0.2.1:5432", true), ("[2001:db8::1]:5432", true), ("192.0.2.1:5433", false), ("192.0.2.2:5432", false)]
    {
        assert_eq!(allows(&sockets, SocketAddrUse::TcpConnect, address), expected, "{address}");
        assert!(!allows(&sockets, SocketAddrUse::UdpSend, address), "{address}");
    }
    // One for HTTPS alone may be looked up, and not be connected to by a socket.
    assert_eq!(look_up(&sockets, "a.web.test").await.expect("one"), ["192.0.2.9"]);
    assert!(!allows(&sockets, SocketAddrUse::TcpConnect, "192.0.2.9:443"));
    // The newest answer counts.
    assert_eq!(look_up(&sockets, "db.test").await.expect("one"), ["192.0.2.2"]);
    assert!(allows(&sockets, SocketAddrUse::TcpConnect, "192.0.2.2:5432"));
    assert!(!allows(&sockets, SocketAddrUse::TcpConnect, "192.0.2.1:5432"));
}

#[tokio::test]
async fn no_other_name_is_asked_for() {
    // There is no answer, so that one that was asked for would be unknown.
    let sockets = sockets(r#"["tcp://db.test:5432", "http://self"]"#, &["private"], &[]);
    for name in ["test", "x.db.test", "db.test.evil", "self.alt", "localhost", "b\u{fc}cher.test"] {
        assert_eq!(look_up(&sockets, name).await, Err(NoAddress::Denied), "{name}");
    }
    for name in ["", "db.test:5432", "user@db.test", "db.test/x", "db test", "[::1"] {
        assert_eq!(look_up(&sockets, name).await, Err(NoAddress::NoName), "{name}");
    }
    assert_eq!(look_up(&sockets, "db.test").await, Err(NoAddress::Unknown));
    // Nobody is asked what these are; whether they may be used is another question.
    for (name, address) in [("127.0.0.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")] {
        assert_eq!(look_up(&sockets, name).await.expect("it is one"), [address]);
        assert!(!allows(&sockets, SocketAddrUse::TcpConnect, "127.0.0.1:5432"));
    }
}

#[tokio::test]
async fn a_name_that_answers_with_a_private_address_the_second_time_gives_none() {
    let answers: &[&'static [&'static str]] = &[&["8.8.8.8", "127.0.0.1"], &["127.0.0.1"], &["64:ff9b::7f00:1"]];
    let sockets = sockets(r#"["tcp://*.test:*"]"#, &["private"], answers);
    assert_eq!(look_up(&sockets, "a.test").await.expect("the public one"), ["8.8.8.8"]);
    assert!(allows(&sockets, SocketAddrUse::TcpConnect, "8.8.8.8:80"));
    assert_eq!(look_up(&sockets, "a.test").await, Err(NoAddress::Denied));
    assert_eq!(look_up(&sockets, "a.test").await, Err(NoAddress::Denied));
    for address in ["127.0.0.1:80", "[64:ff9b::7f00:1]:80", "[::ffff:127.0.0.1]:80"] {
        assert!(!allows(&sockets, SocketAddrUse::TcpConnect, address), "{address}");
    }
}

#[tokio::test]
async fn what_is_known_of_names_is_bounded() {
    let answers: Vec<&'static [&'static str]> = vec![&["192.0.2.1"]; MOST_NAMES + 10];
    let sockets = sockets(r#"["tcp://*.test:*"]"#, &[], &answers);
    for index in 0..MOST_NAMES + 10 {
        look_up(&sockets, &format!("n{index}.test")).await.expect("one");
    }
    assert_eq!(sockets.found.lock().expect("no panic").len(), MOST_NAMES);
    assert_eq!(sockets.names_of("::ffff:192.0.2.1".parse().expect("one")).len(), MOST_NAMES);
}
