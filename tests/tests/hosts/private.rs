//! Hosts that are in private networks, in whatever way they are written: no client connects to one when such networks are
//! blocked, however much the manifest allows.

use spin_tests::Upstream;

use super::hostile_cases::PRIVATE_HOST;
use super::stage::Stage;

/// Interfaces, and the calls that would connect to `HOST`, at the port of a server of the test's own.
const CLIENTS: [(&str, &[&[&str]]); 7] = [
    ("fermyon:spin/redis@2.0.0", &[&["open", "redis://me@HOST:{port}"], &["get", "a"]]),
    ("spin:redis/redis@3.0.0", &[&["open", "redis://HOST:{port}"], &["get", "a"]]),
    ("spin:postgres/postgres@4.2.0", &[&["open", "postgres://me@HOST:{port}/app"], &["query", "SELECT 1"]]),
    ("spin:mysql/mysql@3.0.0", &[&["open", "mysql://me@HOST:{port}/app"], &["query", "SELECT 1"]]),
    ("spin:mqtt/mqtt@3.0.0", &[&["open", "mqtt://HOST:{port}"], &["publish", "a", "b", "0"]]),
    ("wasi:sockets@0.2", &[&["tcp-name", "HOST", "{port}", "a"]]),
    ("wasi:sockets@0.3", &[&["tcp-name", "HOST", "{port}", "a"]]),
];

fn answers(stage: &Stage, (interface, calls): (&str, &[&[&str]]), host: &str) -> Vec<String> {
    // A socket looks a name up, which has no brackets.
    let host = if interface.starts_with("wasi:sockets") { host.trim_matches(['[', ']']) } else { host };
    let calls: Vec<Vec<String>> =
        calls.iter().map(|call| call.iter().map(|word| word.replace("HOST", host)).collect()).collect();
    stage.calls("allowed", interface, &calls).unwrap_or_else(|| panic!("{interface} {host} traps"))
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
    let stage = Stage::reaching_everything(port, "[outbound_networking]\nblock_networks = [\"private\"]\n");
    let before = server.connections();
    for case in PRIVATE_HOST.all() {
        for client in CLIENTS {
            let answers = answers(&stage, client, case[0]);
            assert!(answers.iter().any(|answer| answer.starts_with("err(")), "{} {case:?}: {answers:?}", client.0);
            assert_eq!(server.connections(), before, "{} {case:?}: {answers:?}", client.0);
        }
    }
}
