//! Hosts that are in private networks, in whatever way they are written: no client connects to one when such networks are
//! blocked, however much the manifest allows.

use spin_tests::Upstream;

use super::echo::Echo;
use super::hostile_cases::PRIVATE_HOST;
use super::stage::Stage;

/// An interface, calls that would connect to `HOST` at the port of a server of the test's own, and what the refusal says.
type Client = (&'static str, &'static [&'static [&'static str]], &'static str);

const BLOCKED: &str = "is in a blocked network";
const DENIED: &str = "err(access-denied)";
/// What the engine says of an address that no socket can use, blocked or not: it asks nobody else.
const UNUSABLE: &str = "err(invalid-argument)";

const CLIENTS: [Client; 7] = [
    ("fermyon:spin/redis@2.0.0", &[&["open", "redis://me@HOST:{port}"], &["get", "a"]], BLOCKED),
    ("spin:redis/redis@3.0.0", &[&["open", "redis://HOST:{port}"], &["get", "a"]], BLOCKED),
    ("spin:postgres/postgres@4.2.0", &[&["open", "postgres://me@HOST:{port}/app"], &["query", "SELECT 1"]], BLOCKED),
    ("spin:mysql/mysql@3.0.0", &[&["open", "mysql://me@HOST:{port}/app"], &["query", "SELECT 1"]], BLOCKED),
    ("spin:mqtt/mqtt@3.0.0", &[&["open", "mqtt://HOST:{port}"], &["publish", "a", "b", "0"]], BLOCKED),
    ("wasi:sockets@0.2", &[&["tcp-name", "HOST", "{port}", "a"]], DENIED),
    ("wasi:sockets@0.3", &[&["tcp-name", "HOST", "{port}", "a"]], DENIED),
];

/// The same for a datagram.
const SENDERS: [Client; 2] = [
    ("wasi:sockets@0.2", &[&["udp-name", "HOST", "{port}", "a"]], DENIED),
    ("wasi:sockets@0.3", &[&["udp-name", "HOST", "{port}", "a"]], DENIED),
];

fn answers(stage: &Stage, (interface, calls, _): Client, host: &str) -> Vec<String> {
    // A socket looks a name up, which has no brackets.
    let host = if interface.starts_with("wasi:sockets") { host.trim_matches(['[', ']']) } else { host };
    let calls: Vec<Vec<String>> =
        calls.iter().map(|call| call.iter().map(|word| word.replace("HOST", host)).collect()).collect();
    stage.calls("allowed", interface, &calls).unwrap_or_else(|| panic!("{interface} {host} traps"))
}

/// What a client must say of a host.
fn refusal(client: Client, host: &str) -> &'static str {
    // No address at all, or one of version 4 in one of version 6.
    let is_unusable = ["0", "0.0.0.0"].contains(&host) || host.starts_with("[::") && host != "[::1]";
    // Redis has no address of all addresses.
    let is_no_address = client.0.contains("redis") && ["0.0.0.0", "[::]"].contains(&host);
    match client.2 {
        DENIED if is_unusable => UNUSABLE,
        _ if is_no_address => "err(invalid-address)",
        refusal => refusal,
    }
}

fn blocking(port: u16) -> Stage {
    Stage::reaching_everything(port, "[outbound_networking]\nblock_networks = [\"private\"]\n")
}

/// Every host, and who must be refused it.
fn refused(clients: &'static [Client]) -> impl Iterator<Item = (&'static str, Client)> {
    PRIVATE_HOST.all().into_iter().flat_map(|case| clients.iter().map(move |client| (case[0], *client)))
}

#[test]
fn no_client_connects_to_a_private_host_when_those_are_blocked() {
    // Whoever connects is sent away at once.
    let server = Upstream::start(|_, _| Ok(()));
    let port = server.address().port();
    let open = Stage::reaching_everything(port, "");
    for client in CLIENTS {
        let before = server.connections();
        answers(&open, client, "127.0.0.1");
        assert!(server.connections() > before, "{} would connect", client.0);
    }
    let stage = blocking(port);
    let before = server.connections();
    let mut others = Vec::new();
    for (host, client) in refused(&CLIENTS) {
        let answers = answers(&stage, client, host);
        let said = answers.iter().find(|answer| answer.starts_with("err("));
        if !said.is_some_and(|said| said.contains(refusal(client, host))) {
            others.push(format!("{} {host}: {answers:?}", client.0));
        }
        assert_eq!(server.connections(), before, "{} {host}: {answers:?}", client.0);
    }
    assert!(others.is_empty(), "other answers than refusals: {others:#?}");
}

#[test]
fn no_datagram_is_sent_to_a_private_host_when_those_are_blocked() {
    let echo = Echo::start();
    let open = Stage::reaching_everything(echo.port(), "");
    for client in SENDERS {
        assert_eq!(answers(&open, client, "127.0.0.1"), ["ok(\"a\")"], "{}", client.0);
    }
    let stage = blocking(echo.port());
    echo.clear();
    let mut others = Vec::new();
    for (host, client) in refused(&SENDERS) {
        let answers = answers(&stage, client, host);
        if answers != [refusal(client, host)] {
            others.push(format!("{} {host}: {answers:?}", client.0));
        }
        assert_eq!(echo.heard("udp a"), Err(Vec::new()), "{} {host}", client.0);
    }
    assert!(others.is_empty(), "other answers than refusals: {others:#?}");
}
