//! Networks that the operator blocks, in every form in which a component can write an address, through every client of servers.

use spin_tests::Upstream;

use crate::stage::Stage;

const CONFIG: &str = "[outbound_networking]\nblock_networks = [\"private\"]\n";

/// Ways to write an address of this machine, or of a network that nobody on the internet reaches.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "0.0.0.0",
    "10.0.0.1",
    "169.254.169.254",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fd00::1]",
    "[fe80::1]",
];

/// Those that stand for every address of a machine.
const UNSPECIFIED: &[&str] = &["0.0.0.0", "[::]"];

/// Interfaces, how each names a server, and whether it connects with `open`.
const CLIENTS: &[(&str, &str, &[&str])] = &[
    ("fermyon:spin/redis@2.0.0", "redis://HOST", &[]),
    ("spin:redis/redis@3.0.0", "redis://user:word@HOST/1", &[]),
    ("fermyon:spin/postgres@2.0.0", "postgres://user@HOST/db?sslmode=disable", &[]),
    ("spin:postgres/postgres@3.0.0", "postgres://user@HOST/db?sslmode=disable", &[]),
    ("spin:postgres/postgres@4.2.0", "postgres://user@HOST/db?sslmode=disable", &[]),
    ("fermyon:spin/mysql@2.0.0", "mysql://user@HOST/db", &[]),
    ("spin:mysql/mysql@3.0.0", "mysql://user@HOST/db", &[]),
    ("fermyon:spin/mqtt@2.0.0", "mqtt://HOST?client_id=one", &["publish", "topic", "payload", "0"]),
    ("spin:mqtt/mqtt@3.0.0", "mqtt://HOST?client_id=one", &["publish", "topic", "payload", "0"]),
];

#[test]
fn blocked_networks_are_out_of_reach_of_every_client_in_every_form() {
    let upstream = Upstream::answering("");
    let port = upstream.address().port();
    let stage = Stage::reaching_everything(0, CONFIG);
    let mut wrong = Vec::new();
    for (interface, form, then) in CLIENTS {
        for host in HOSTS {
            let address = form.replace("HOST", &format!("{host}:{port}"));
            let open = ["open", &address];
            let calls: Vec<&[&str]> = std::iter::once(&open[..]).chain((!then.is_empty()).then_some(*then)).collect();
            let answers = stage.answers(interface, &calls);
            let last = answers.last().expect("an answer");
            // The client for Redis takes an address that stands for all for none.
            let none = interface.contains("redis") && UNSPECIFIED.contains(host) && last == "err(invalid-address)";
            let blocked = last.starts_with("err(") && last.contains("is in a blocked network");
            if !(blocked || none) {
                wrong.push(format!("{interface} {address}: {answers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_redirect_does_not_lead_into_a_blocked_network() {
    let inside = Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ninside");
    let port = inside.address().port();
    let redirect = |host: &str| {
        Upstream::answering(format!(
            "HTTP/1.1 302 Found\r\nlocation: http://{host}:{port}/\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    let config = "[outbound_networking]\nblock_networks = [\"127.0.0.2/32\"]\n";
    let stage = Stage::reaching_everything(0, config);
    let send = |server: &Upstream| {
        let url = format!("http://{}/", server.address());
        stage.answers("fermyon:spin/http", &[&["send", "GET", &url]])
    };
    // The server listens at one address only; whoever is let through to the other one finds nobody.
    assert_eq!(send(&redirect("127.0.0.1")), ["ok(200 [(\"content-length\", \"6\")] \"inside\")"]);
    assert_eq!(send(&redirect("127.0.0.2")), ["err(destination-not-allowed)"]);
}
