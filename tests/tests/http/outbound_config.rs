//! What the operator's configuration says about requests that components send: blocked networks, and connections.

use std::time::{Duration, Instant};

use spin_tests::hostile::Cases;
use spin_tests::{Upstream, World, http};

use super::{Served, both_allowed, forward, serve_in};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Both probes, which may reach everything, with this runtime configuration.
#[track_caller]
fn serve(config: &str) -> Served {
    let world = World::new();
    let file = world.write("config.toml", config);
    serve_in(world, &both_allowed(r#"["*://*:*"]"#), &["--runtime-config-file", file.to_str().unwrap()])
}

#[test]
fn blocked_networks_are_out_of_reach_in_every_form_and_the_app_itself_is_not() {
    let upstream = Upstream::answering(OK);
    let port = upstream.address().port();
    let private: Vec<&str> = Cases::of("16 private host").all().iter().map(|case| case[0]).collect();
    let loopback = ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"];
    for (networks, hosts) in [(r#"["private"]"#, &private[..]), (r#"["127.0.0.0/8", "::1"]"#, &loopback[..])] {
        let served = serve(&format!("[outbound_networking]\nblock_networks = {networks}\n"));
        for generation in ["p2", "p3"] {
            // What isn't ASCII is no host of a request: guests can't say it.
            for host in hosts.iter().filter(|host| host.is_ascii()) {
                let url = format!("http://{host}:{port}/");
                let text = http::get(served.address, &forward(generation, &url, "")).text();
                assert_eq!(text, "error: destination-ip-prohibited\n", "{networks} {generation} {url}");
            }
            for own in ["/p2/other", "http://self.alt/p3/other", "http://old.spin.internal/other"] {
                assert_eq!(http::get(served.address, &forward(generation, own, "")).status, 200, "{generation} {own}");
            }
        }
    }
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn connections_are_kept_or_not() {
    for (config, kept) in [
        ("[outbound_http]\n", true),
        ("[outbound_http]\nconnection_pooling = true\n", true),
        ("[outbound_http]\nconnection_pooling = false\n", false),
    ] {
        let upstream = Upstream::answering(OK);
        let served = serve(config);
        let url = format!("http://{}/", upstream.address());
        for generation in ["p2", "p3", "p2", "p3"] {
            assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "ok", "{config}");
        }
        // A connection is given back a moment after its response was read, so the next request may just miss it.
        assert_eq!(upstream.connections() < 4, kept, "{config}: {}", upstream.connections());
    }
}

#[test]
fn who_wants_one_connection_more_waits_for_it() {
    for config in [
        "[outbound_http]\nmax_connections = 1\n",
        "[outbound_http]\nmax_concurrent_requests = 1\n",
        "[outbound_networking]\nmax_total_connections = 1\n",
    ] {
        let (held, free) = (Upstream::stalling("HTTP/1.1 200 OK\r\n\r\n"), Upstream::answering(OK));
        let served = serve(config);
        let url = |upstream: &Upstream| format!("http://{}/", upstream.address());
        for generation in ["p2", "p3"] {
            let mut holding = http::Client::connect(served.address).unwrap();
            let path = forward(generation, &url(&held), "");
            holding.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            held.next_head();
            // The wait is a part of the time to connect.
            let began = Instant::now();
            let text = http::get(served.address, &forward(generation, &url(&free), "&connect-ms=300")).text();
            assert_eq!(text, "error: connection-timeout\n", "{config} {generation}");
            assert!(began.elapsed() >= Duration::from_millis(300), "{config} {generation}");
            // Who waits longer has its turn when the place is free.
            let mut waiting = http::Client::connect(served.address).unwrap();
            let path = forward(generation, &url(&free), "");
            waiting.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            drop(holding);
            assert_eq!(waiting.read_response("GET").unwrap().text(), "ok", "{config} {generation}");
        }
    }
}
