//! Requests that components send out: what is let through, what comes back, and what errors are called.
//!
//! Nothing here connects to anything but loopback: what is denied is denied before there is a connection.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType};
use spin_tests::{Upstream, World, http, probes, upstream};

use super::{BOTH, both_allowed, forward, serve};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn what_a_guest_is_told() {
    let upstream = Upstream::answering(OK);
    let redirects =
        Upstream::answering("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    let silent = Upstream::stalling("");
    let rude = Upstream::answering("220 mail.example.com ESMTP\r\n\r\n");
    let plain = Upstream::start(|_, stream| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let gone = Upstream::start(|_, stream| upstream::read_head(stream).map(drop));
    let closed = spin_tests::free_port();
    let full = Full::new();
    let long = format!("http://{}.test", "a".repeat(64));
    let at = |scheme: &str, upstream: &Upstream| format!("{scheme}://{}/", upstream.address());
    let hosts = |hosts: &[&str]| format!("{hosts:?}");
    let any = hosts(&["*://*:*"]);
    // allowed_outbound_hosts, URL, timeouts, status, body
    let table: Vec<(String, String, &str, u16, &str)> = vec![
        (any.clone(), at("http", &upstream), "", 200, "ok"),
        (hosts(&["http://127.0.0.1:*"]), at("http", &upstream), "", 200, "ok"),
        (hosts(&["http://127.0.0.0/8:*"]), at("http", &upstream), "", 200, "ok"),
        ("[]".to_owned(), at("http", &upstream), "", 502, "error: http-request-denied\n"),
        (hosts(&["https://127.0.0.1:*"]), at("http", &upstream), "", 502, "error: http-request-denied\n"),
        (hosts(&["http://127.0.0.1"]), at("http", &upstream), "", 502, "error: http-request-denied\n"),
        (hosts(&["http://localhost:*"]), at("http", &upstream), "", 502, "error: http-request-denied\n"),
        (hosts(&["http://self"]), at("http", &upstream), "", 502, "error: http-request-denied\n"),
        (any.clone(), "http://300.0.0.1/".to_owned(), "", 502, "error: http-request-denied\n"),
        (hosts(&["http://127.0.0.1:*"]), "/p2/other".to_owned(), "", 502, "error: http-request-denied\n"),
        (hosts(&["http://127.0.0.1:*"]), "http://self.alt/".to_owned(), "", 502, "error: http-request-denied\n"),
        (any.clone(), "ftp://127.0.0.1/".to_owned(), "", 502, "error: http-protocol-error\n"),
        // This name is too long to be looked up anywhere.
        (any.clone(), long, "", 502, "error: dns-error (address not available)\n"),
        (any.clone(), format!("http://127.0.0.1:{closed}/"), "", 502, "error: connection-refused\n"),
        (any.clone(), format!("http://{}/", full.address), "&connect-ms=200", 502, "error: connection-timeout\n"),
        (any.clone(), at("http", &silent), "&first-byte-ms=200", 502, "error: connection-read-timeout\n"),
        (
            any.clone(),
            format!("http://{}/", full.address),
            "&first-byte-ms=200",
            502,
            "error: connection-read-timeout\n",
        ),
        (any.clone(), at("https", &plain), "", 502, "error: tls-protocol-error\n"),
        (any.clone(), at("http", &rude), "", 502, "error: http-protocol-error\n"),
        (any.clone(), at("http", &gone), "", 502, "error: http-protocol-error\n"),
        (any, at("http", &redirects), "", 302, ""),
    ];
    let mut lists: Vec<&String> = table.iter().map(|row| &row.0).collect();
    lists.dedup();
    for allowed in lists {
        let served = serve(&both_allowed(allowed), &[]);
        for (_, url, timeouts, status, body) in table.iter().filter(|row| row.0 == *allowed) {
            for generation in ["p2", "p3"] {
                let response = http::get(served.address, &forward(generation, url, timeouts));
                let found = (response.status, response.text());
                assert_eq!(found, (*status, (*body).to_owned()), "{allowed} {url} {timeouts} {generation}");
            }
        }
    }
}

/// A port whose queue of connections is full, so that new ones hang.
struct Full {
    address: SocketAddr,
    _queue: (rustix::fd::OwnedFd, Vec<TcpStream>),
}

impl Full {
    fn new() -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&socket, &"127.0.0.1:0".parse::<SocketAddr>().unwrap()).unwrap();
        rustix::net::listen(&socket, 0).unwrap();
        let address = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let waiting: Vec<_> = std::iter::from_fn(connect).collect();
        assert!(!waiting.is_empty());
        Self { address, _queue: (socket, waiting) }
    }
}

#[test]
fn a_body_that_stops_coming_is_cut() {
    let stalling = Upstream::stalling("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nsome");
    let served = serve(&both_allowed(r#"["http://127.0.0.1:*"]"#), &[]);
    for generation in ["p2", "p3"] {
        let began = Instant::now();
        let url = format!("http://{}/", stalling.address());
        let response = http::get(served.address, &forward(generation, &url, "&between-bytes-ms=300"));
        assert_eq!(
            (response.status, response.text().as_str(), response.complete),
            (200, "some", false),
            "{generation}"
        );
        assert!(began.elapsed() < Duration::from_secs(30), "{generation}");
    }
}

#[test]
fn addresses_are_judged_in_whatever_way_they_are_written() {
    // None of them is in the list, so none of them is connected to.
    let elsewhere = [
        "http://127.0.0.1:81",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://0",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::1]",
        "http://[::ffff:127.0.0.1]:81",
        "http://[::127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://[2002:7f00:1::]",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://10.0.0.1",
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.169.254./",
        "http://example.com@169.254.169.254/",
        "http://example.com:80@169.254.169.254/",
        "http://localhost",
        "http://localhost.",
        "http://example.com.evil.test",
        "http://evil.test/example.com",
        "http://evil.test?@example.com",
        "http://evil.test:80",
        "https://example.com",
    ];
    let upstream = Upstream::answering(OK);
    let port = upstream.address().port();
    // All of these are what the list names.
    let listed = [
        format!("http://127.0.0.1:{port}"),
        format!("http://127.1:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://0x7f.1:{port}"),
        format!("http://0177.0.0.1:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://[::ffff:7f00:1]:{port}"),
        format!("http://127.0.0.1.:{port}"),
        format!("http://me@127.0.0.1:{port}"),
    ];
    let served = serve(&both_allowed(&format!(r#"["http://example.com", "http://127.0.0.1:{port}"]"#)), &[]);
    for generation in ["p2", "p3"] {
        for url in elsewhere {
            let text = http::get(served.address, &forward(generation, url, "")).text();
            assert!(
                ["error: http-request-denied\n", "error: no usable url\n"].contains(&text.as_str()),
                "{generation} {url}: {text}"
            );
        }
        for url in &listed {
            let response = http::get(served.address, &forward(generation, url, ""));
            assert_eq!((response.status, response.text().as_str()), (200, "ok"), "{generation} {url}");
            let head = upstream.next_head();
            assert!(head.contains(&format!("host: 127.0.0.1:{port}")), "what was checked is what is asked for: {head}");
        }
    }
}

#[test]
fn a_denial_is_told_once_with_the_line_that_allows_it() {
    let served = serve(&both_allowed(r#"["https://example.com"]"#), &[]);
    for path in ["/a", "/b", "/c"] {
        for generation in ["p2", "p3"] {
            http::get(served.address, &forward(generation, &format!("http://example.com{path}"), ""));
        }
    }
    http::get(served.address, &forward("p3", "http://example.com:8080/", ""));
    http::get(served.address, &forward("p3", "/", ""));
    served.up.stderr().wait_for("http://self");
    let told = served.up.stderr().text();
    for (component, destination) in [
        ("old", "http://example.com"),
        ("new", "http://example.com"),
        ("new", "http://example.com:8080"),
        ("new", "http://self"),
    ] {
        let line = format!(
            "component \"{component}\" tried to make an outbound network connection to disallowed destination '{destination}'; \
             to allow it, add 'allowed_outbound_hosts = [\"{destination}\"]' to [component.{component}] in spin.toml"
        );
        assert_eq!(told.matches(&line).count(), 1, "{line}\n{told}");
    }
}

#[test]
fn hosts_come_from_variables_and_what_can_not_be_read_denies_all() {
    let upstream = Upstream::answering(OK);
    let url = format!("http://{}/", upstream.address());
    let manifest = both_allowed(r#"["http://{{ host }}:{{ port }}"]"#);
    let variables = "[variables]\nhost = { default = \"127.0.0.1\" }\nport = { default = \"1\" }\n";
    for (port, expected) in [(upstream.address().port().to_string(), 200), ("nonsense".to_owned(), 502)] {
        let served = serve(&format!("{variables}{manifest}"), &["--variable", &format!("port={port}")]);
        for generation in ["p2", "p3"] {
            assert_eq!(
                http::get(served.address, &forward(generation, &url, "")).status,
                expected,
                "{port} {generation}"
            );
        }
    }
}

#[test]
fn an_entry_that_a_variable_makes_empty_is_passed_over() {
    let upstream = Upstream::answering(OK);
    let manifest = both_allowed(r#"["{{ more }}", "http://127.0.0.1:*"]"#);
    let served = serve(&format!("[variables]\nmore = {{ default = \"\" }}\n{manifest}"), &[]);
    let url = format!("http://{}/", upstream.address());
    for generation in ["p2", "p3"] {
        assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "ok", "{generation}");
    }
}

#[test]
fn what_a_server_gets_is_what_the_guest_sends_and_a_host_of_ours() {
    let upstream = Upstream::answering(OK);
    let served = serve(&both_allowed(r#"["http://127.0.0.1:*"]"#), &[]);
    let url = format!("http://{}/path?query=1", upstream.address());
    for generation in ["p2", "p3"] {
        let path = forward(generation, &url, "&method=DELETE&header=x-one%3A1&header=x-one%3A2");
        let (trace_id, parent) = ("00-0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let trace = format!("{trace_id}-{parent}-01");
        let headers =
            [("host", "steering.example.com"), ("traceparent", &trace), ("x-of-client", "not handed on by the guest")];
        assert_eq!(http::request(served.address, "GET", &path, &headers, b"").status, 200);
        let head = upstream.next_head();
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("DELETE /path?query=1 HTTP/1.1"));
        let mut lines: Vec<&str> = lines.filter(|line| !line.starts_with("transfer-encoding")).collect();
        lines.sort_unstable();
        let host = format!("host: {}", upstream.address());
        // The trace is the client's, and the parent in it is this server.
        let handed_on = lines.remove(1);
        assert!(
            handed_on.starts_with(&format!("traceparent: {trace_id}-")) && handed_on.ends_with("-01"),
            "{handed_on}"
        );
        assert!(!handed_on.contains(parent), "{handed_on}");
        assert_eq!(lines, [host.as_str(), "x-one: 1", "x-one: 2"], "{generation}");

        assert_eq!(http::get(served.address, &forward(generation, &url, "")).status, 200);
        assert!(!upstream.next_head().contains("traceparent"), "there was no trace to hand on");
        // A guest can't say whose host it is.
        let text = http::get(served.address, &forward(generation, &url, "&header=host%3Aevil.test")).text();
        assert!(text.starts_with("error: header host"), "{generation}: {text}");
    }
}

#[test]
fn connections_are_used_again() {
    let upstream = Upstream::answering(OK);
    let served = serve(&both_allowed(r#"["http://127.0.0.1:*"]"#), &[]);
    let url = format!("http://{}/", upstream.address());
    for generation in ["p2", "p3", "p2", "p3"] {
        assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "ok", "{generation}");
    }
    // A connection is given back a moment after its response was read, so the next request may just miss it.
    assert!(upstream.connections() < 4, "{}", upstream.connections());
}

#[test]
fn bodies_are_streamed_both_ways_while_they_come() {
    let served = serve(&both_allowed(r#"["http://127.0.0.1:*"]"#), &[]);
    for (generation, other) in [("p2", "p3"), ("p3", "p2")] {
        // Out of the process, and back in by the port.
        let path = forward(generation, &format!("http://{}/{other}/echo", served.address), "");
        super::chaining::echoes_while_it_comes(served.address, &path);
    }
}

#[test]
fn a_server_known_to_speak_http_2_is_spoken_to_that_way() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let upstream = Upstream::start(|heads, stream| {
        let mut preface = [0; PREFACE.len()];
        std::io::Read::read_exact(stream, &mut preface)?;
        let _ = heads.send(String::from_utf8_lossy(&preface).into_owned());
        Ok(())
    });
    let other = Upstream::answering(OK);
    let world = World::new();
    world.install("trigger-http");
    let manifest = both_allowed(r#"["http://127.0.0.1:*"]"#);
    let app = probes::app(&world, &manifest);
    let up = world
        .spin(["up", "--listen", "127.0.0.1:0"])
        .env("SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE", upstream.address().to_string())
        .in_dir(app.dir())
        .start();
    let address = up.serving();
    for generation in ["p2", "p3"] {
        let url = format!("http://{}/", upstream.address());
        let text = http::get(address, &forward(generation, &url, "")).text();
        assert_eq!(text, "error: http-protocol-error\n", "it said no more");
        assert_eq!(upstream.next_head().as_bytes(), PREFACE);
        let url = format!("http://{}/", other.address());
        assert_eq!(http::get(address, &forward(generation, &url, "")).text(), "ok", "{generation}");
    }
}

#[test]
fn http_2_without_tls_carries_requests_and_bodies() {
    // Of another app, whose server speaks it with those who know that it does.
    let upstream = serve(BOTH, &[]);
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, &both_allowed(r#"["http://127.0.0.1:*"]"#));
    let up = world
        .spin(["up", "--listen", "127.0.0.1:0"])
        .env("SPIN_OUTBOUND_H2C_PRIOR_KNOWLEDGE", upstream.address.to_string())
        .in_dir(app.dir())
        .start();
    let address = up.serving();
    for generation in ["p2", "p3"] {
        let url = format!("http://{}/p3/echo", upstream.address);
        let body = "a body in pieces".repeat(10_000);
        let response = http::request(address, "POST", &forward(generation, &url, ""), &[], body.as_bytes());
        assert_eq!((response.status, response.text() == body), (200, true), "{generation}: {}", response.text().len());
    }
}

#[test]
fn an_app_without_permissions_is_served_all_the_same() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        let url = format!("/{generation}/outbound?url=http%3A%2F%2F{}%2Fp2%2Fother", served.address);
        assert_eq!(http::get(served.address, &url).text(), "error: http-request-denied\n", "{generation}");
    }
}
