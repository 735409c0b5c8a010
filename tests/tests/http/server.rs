//! Connections: keeping them, streaming over them, listening, and what can't be listened on.

use std::net::TcpListener;

use spin_tests::{World, http};

use super::{BOTH, serve};

#[test]
fn one_connection_serves_many_requests() {
    let served = serve(BOTH, &[]);
    let mut client = http::Client::connect(served.address).unwrap();
    for path in ["/p2/other", "/p3/other", "/nowhere", "/p2/trap", "/p3/other"] {
        let response = client.request("GET", path, &[], b"").unwrap();
        assert_ne!(response.status, 0, "{path}");
    }
}

#[test]
fn bodies_stream_both_ways() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        let mut client = http::Client::connect(served.address).unwrap();
        let head = format!("POST /{generation}/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(head).unwrap();
        client.send("5\r\nfirst\r\n").unwrap();
        assert_eq!(client.read_head("POST").unwrap().status, 200, "{generation}");
        // The answer to the first part comes before the second is sent.
        assert_eq!(client.next_part().unwrap().unwrap(), b"first", "{generation}");
        client.send("6\r\nsecond\r\n0\r\n\r\n").unwrap();
        assert_eq!(client.next_part().unwrap().unwrap(), b"second", "{generation}");
        assert_eq!(client.next_part().unwrap(), None, "{generation}");
        let large = vec![b'x'; 4 << 20];
        let response = http::request(served.address, "POST", &format!("/{generation}/echo"), &[], &large);
        assert!(response.complete && response.body == large, "{generation}: {} bytes", response.body.len());
    }
}

#[test]
fn requests_that_are_no_http_disturb_nobody() {
    let served = serve(BOTH, &[]);
    for nonsense in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"\0\0\0\0", b"GET / HTTP/9.9\r\n\r\n"] {
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(nonsense).unwrap();
        client.finish_sending().unwrap();
        let _ = client.read_to_close();
    }
    assert_eq!(http::get(served.address, "/p3/other").status, 200);
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let world = World::new();
    world.install("trigger-http");
    let manifest = format!("spin_manifest_version = 2\napplication.name = \"app\"\n{BOTH}");
    let app = world.app("app", &manifest, &super::GENERATIONS);
    let refused = world.spin(["up", "--listen", &address]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("--find-free-port") && refused.stderr.contains(&address), "{}", refused.snapshot());
    assert_eq!(refused.stderr.matches("already in use").count(), 1, "said once\n{}", refused.snapshot());
    let up = world.spin(["up", "--listen", &address, "--find-free-port"]).in_dir(app.dir()).start();
    assert_eq!(http::get(up.serving(), "/p3/other").status, 200);
}

#[test]
fn the_accept_loop_survives_a_lack_of_descriptors() {
    let world = World::new();
    world.install("trigger-http");
    let manifest = format!("spin_manifest_version = 2\napplication.name = \"app\"\n{BOTH}");
    let app = world.app("app", &manifest, &super::GENERATIONS);
    let spin = world.dist().bin("spin");
    let command = format!("ulimit -n 64; exec '{}' up --listen 127.0.0.1:0 --disable-pooling", spin.display());
    let up = world.command("/bin/sh").args(["-c", &command]).in_dir(app.dir()).start();
    let address = up.serving();
    let hold: Vec<_> = (0..120).filter_map(|_| http::Client::connect(address).ok()).collect();
    up.stderr().wait_for("can't accept a connection");
    drop(hold);
    assert_eq!(http::get(address, "/p3/other").status, 200);
}

#[test]
fn the_listing_is_json_on_demand() {
    let world = World::new();
    world.install("trigger-http");
    let manifest = format!("spin_manifest_version = 2\napplication.name = \"app\"\n{BOTH}");
    let app = world.app("app", &manifest, &super::GENERATIONS);
    let up = world.spin(["up", "--listen", "127.0.0.1:0", "--format", "json"]).in_dir(app.dir()).start();
    let last = up.stdout().line_within(std::time::Duration::from_secs(60), |line| line == "}");
    assert!(last.is_ok(), "{last:?}");
    let listing: serde_json::Value = serde_json::from_str(&up.stdout().text()).unwrap();
    assert_eq!(listing["routes"][0], serde_json::json!({"id": "old", "route": "/p2", "wildcard": true}));
    let address = listing["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(http::get(address, "/p3/other").status, 200);
}
