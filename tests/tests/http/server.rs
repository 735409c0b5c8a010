//! Connections: keeping them, streaming over them, listening, and what can't be listened on.

use std::net::TcpListener;

use spin_tests::{World, http, probes};

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
fn trailers_are_handed_on_to_who_wants_them() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        for (wants, expected) in [("te: trailers\r\n", "\r\n0\r\nx-sum: 1\r\n\r\n"), ("", "\r\n0\r\n\r\n")] {
            let mut client = http::Client::connect(served.address).unwrap();
            client
                .send(format!(
                    "POST /{generation}/echo HTTP/1.1\r\nhost: a\r\n{wants}trailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
                     5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"
                ))
                .unwrap();
            let answer = String::from_utf8(client.read_to_close().unwrap()).unwrap();
            assert!(answer.ends_with(&format!("5\r\nhello{expected}")), "{generation} {wants:?}: {answer}");
        }
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
    let app = probes::app(&world, BOTH);
    let refused = world.spin(["up", "--listen", &address]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("--find-free-port") && refused.stderr.contains(&address), "{}", refused.snapshot());
    assert_eq!(refused.stderr.matches("already in use").count(), 1, "said once\n{}", refused.snapshot());
    let up = world.spin(["up", "--listen", &address, "--find-free-port"]).in_dir(app.dir()).start();
    assert_eq!(http::get(up.serving(), "/p3/other").status, 200);
}

#[test]
fn several_addresses_are_served() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let up = |arguments: &[&str]| world.spin(["up"].iter().chain(arguments)).in_dir(app.dir());

    let plain = up(&["--listen", "127.0.0.1:0", "--listen", "localhost:0"]).start();
    let addresses = [(); 2].map(|()| plain.serving());
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses {
        assert!(address.is_ipv4(), "of the addresses of a name: {address}");
        assert_eq!(http::get(address, "/p3/other").status, 200, "{address}");
    }
    drop(plain);

    let address = format!("127.0.0.1:{}", spin_tests::free_port());
    let twice = ["--listen", &address, "--listen", &address];
    let refused = up(&twice).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("--find-free-port"), "{}", refused.snapshot());
    let searching = up(&[&twice[..], &["--find-free-port", "--format", "json"]].concat()).start();
    let last = searching.stdout().line_within(std::time::Duration::from_secs(60), |line| line == "}");
    assert!(last.is_ok(), "{last:?}");
    let listing: serde_json::Value = serde_json::from_str(&searching.stdout().text()).unwrap();
    assert_eq!(listing["base_url"], format!("http://{address}"), "the first address");
}

#[test]
fn addresses_share_the_places_for_connections() {
    let served = serve(BOTH, &["--listen", "127.0.0.1:0", "--max-connections", "1"]);
    let addresses = [served.address, served.up.serving()];
    for address in addresses.into_iter().cycle().take(6) {
        // Each time the one place is free, whichever address had it before.
        assert_eq!(
            http::request(address, "GET", "/p3/other", &[("connection", "close")], b"").status,
            200,
            "{address}"
        );
    }
    let holder = http::Client::connect(addresses[0]).unwrap();
    let waiting: Vec<_> = addresses
        .map(|address| {
            let mut client = http::Client::connect(address).unwrap();
            client.send("GET /p3/other HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
            client
        })
        .into();
    drop(holder);
    for mut client in waiting {
        assert_eq!(client.read_response("GET").unwrap().status, 200);
    }
    let ended = served.up.stop();
    assert_eq!(ended.stderr.matches("have to wait").count(), 1, "said once\n{}", ended.snapshot());
}

#[test]
fn the_address_is_the_flags_or_the_variables_or_the_usual_one() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let up = |flags: &[&str]| world.spin(["up"].iter().chain(flags)).in_dir(app.dir());
    let (one, other) = (spin_tests::free_port(), spin_tests::free_port());
    let variable = format!("127.0.0.1:{one}");
    let by_variable = up(&[]).env("SPIN_HTTP_LISTEN_ADDR", &variable).start();
    assert_eq!(by_variable.serving().port(), one);
    let flag = format!("--listen=127.0.0.1:{other}");
    let by_flag = up(&[&flag]).env("SPIN_HTTP_LISTEN_ADDR", &variable).start();
    assert_eq!(by_flag.serving().port(), other);
    // Somebody else may have the usual port.
    let usual = up(&["--find-free-port"]).start().serving();
    assert!(usual.ip().to_string() == "127.0.0.1" && (3000..3010).contains(&usual.port()), "{usual}");
}

#[test]
fn a_range_without_a_free_port_and_the_last_port_have_texts_of_their_own() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    // Other programs of this machine may have some of them; then they are taken as well.
    let taken = |first: u16, count: u16| -> Vec<_> {
        (first..=first.saturating_add(count - 1))
            .filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .collect()
    };
    for (first, expected) in [(61_230, "in the range 61230-61239"), (65_530, "the last port was reached")] {
        let _taken = taken(first, 10);
        let address = format!("127.0.0.1:{first}");
        let refused = world.spin(["up", "--listen", &address, "--find-free-port"]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.snapshot());
    }
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        let mut client = http::Client::connect(served.address).unwrap();
        let head = format!(
            "POST /{generation}/echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\
             connection: close\r\n\r\n"
        );
        client.send(head).unwrap();
        assert_eq!(client.read_interim().unwrap().status, 100, "{generation}");
        client.send("hello").unwrap();
        let response = client.read_response("POST").unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, "hello"), "{generation}");
        // Who isn't routed sends no body.
        let mut client = http::Client::connect(served.address).unwrap();
        client.send("POST /nowhere HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").unwrap();
        assert_eq!(client.read_response("POST").unwrap().status, 404);
    }
}

#[test]
fn a_head_must_fit_the_buffer() {
    let served = serve(BOTH, &["--http1-max-buf-size", "8192"]);
    let ask = |length: usize| {
        let mut client = http::Client::connect(served.address).unwrap();
        client.request("GET", "/p3/other", &[("x-long", &"x".repeat(length))], b"").unwrap().status
    };
    assert_eq!((ask(7000), ask(9000)), (200, 431));
}

#[test]
fn limits_that_make_no_sense_are_usage_errors() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    for (flag, expected) in [
        ("--http1-max-buf-size=8191", "8192 bytes or more"),
        ("--max-connections=0", "1 or more"),
        ("--body-timeout=0", "more than 0"),
        ("--idle-connection-timeout=soon", "is not a duration"),
        ("--listen=3000", "not an address"),
    ] {
        let refused = world.spin(["up", flag]).in_dir(app.dir()).run();
        assert_eq!(refused.code, Some(2), "{flag}: {}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{flag}: {}", refused.snapshot());
    }
    let small = world.spin(["up"]).env("SPIN_HTTP1_MAX_BUF_SIZE", "1").in_dir(app.dir()).run();
    assert_eq!(small.code, Some(2), "{}", small.snapshot());
}

#[test]
fn the_last_response_of_a_kept_connection_says_that_it_is_the_last() {
    let served = serve(BOTH, &[]);
    let mut client = http::Client::connect(served.address).unwrap();
    assert_eq!(client.request("GET", "/p3/other", &[], b"").unwrap().header("connection"), None);
    client.send("GET /p3/sleep?ms=1500 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    // A second client's answer shows that the server had time to see the request of the first.
    assert_eq!(http::get(served.address, "/p2/other").status, 200);
    served.up.signal(spin_tests::Signal::TERM);
    let response = client.read_response("GET").unwrap();
    assert_eq!((response.status, response.text().as_str()), (200, "slept\n"));
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(client.read_to_close().unwrap(), b"");
    assert_eq!(served.up.finish_within(std::time::Duration::from_secs(20)).code, Some(0));
}

#[test]
fn the_listing_is_json_on_demand() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let up = world.spin(["up", "--listen", "127.0.0.1:0", "--format", "json"]).in_dir(app.dir()).start();
    let last = up.stdout().line_within(std::time::Duration::from_secs(60), |line| line == "}");
    assert!(last.is_ok(), "{last:?}");
    let listing: serde_json::Value = serde_json::from_str(&up.stdout().text()).unwrap();
    assert_eq!(listing["routes"][0], serde_json::json!({"id": "old", "route": "/p2", "wildcard": true}));
    let address = listing["base_url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(http::get(address, "/p3/other").status, 200);
}
