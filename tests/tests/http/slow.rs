//! Clients that are slow, silent or gone (hostile cases, rows 12 and 13): each has its time, and keeps nobody waiting.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use spin_tests::{World, http, probes};

use super::{BOTH, hostile_cases, serve, serve_in};

/// More than the limits that the tests set, also on a busy machine, and less than the defaults.
const SOON: Duration = Duration::from_secs(20);

/// Sends `byte` again and again, not too fast, until the server ends the connection; gives what it said.
fn drip(mut stream: TcpStream, byte: &[u8]) -> (Duration, Vec<u8>) {
    let began = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while began.elapsed() < SOON {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => said.extend(&buffer[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stream.write_all(byte).is_err() {
                    break;
                }
            }
            Err(_) => break,
        }
    }
    (began.elapsed(), said)
}

#[test]
fn a_head_has_its_time_however_it_drips() {
    let served = serve(BOTH, &["--idle-connection-timeout", "1s"]);
    for case in hostile_cases::SLOW_HEAD.all() {
        let begin = case[0].replace("\\r", "\r").replace("\\n", "\n");
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.write_all(begin.as_bytes()).unwrap();
        let (time, said) = drip(stream, b"x");
        assert!(time < SOON, "{begin:?}: {}", String::from_utf8_lossy(&said));
        assert_eq!(http::get(served.address, "/p3/other").status, 200);
    }
}

#[test]
fn a_connection_that_is_not_used_is_ended() {
    let served = serve(BOTH, &["--idle-connection-timeout", "1s"]);
    let mut client = http::Client::connect(served.address).unwrap();
    assert_eq!(client.request("GET", "/p3/other", &[], b"").unwrap().status, 200);
    let began = Instant::now();
    assert_eq!(client.read_to_close().unwrap(), b"");
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[test]
fn a_body_that_stops_ends_and_one_that_drips_does_not() {
    let served = serve(BOTH, &["--body-timeout", "1s"]);
    let length = hostile_cases::SLOW_BODY.only()[0];
    for generation in ["p2", "p3"] {
        let head = format!("POST /{generation}/echo HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\nx");
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(&head).unwrap();
        let began = Instant::now();
        let _ = client.read_to_close().unwrap();
        assert!(began.elapsed() < SOON, "{generation}: {:?}", began.elapsed());

        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.write_all(head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
        let (time, said) = drip(stream, b"x");
        let said = String::from_utf8_lossy(&said);
        // Longer than the limit in all, and complete.
        assert!(
            time > Duration::from_secs(1) && said.matches('x').count() >= length.parse().unwrap(),
            "{generation}: {time:?}\n{said}"
        );
    }
}

#[test]
fn who_never_reads_is_cut() {
    let served = serve(BOTH, &["--body-timeout", "1s"]);
    let length = hostile_cases::NO_READER.only()[0];
    for generation in ["p2", "p3"] {
        let mut stream = TcpStream::connect(served.address).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        let head = format!("POST /{generation}/echo HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let part = vec![b'x'; 1 << 20];
        let mut sent = 0;
        let error = loop {
            match stream.write_all(&part) {
                Ok(()) => sent += part.len(),
                Err(error) => break error,
            }
        };
        // It is ended, not only kept waiting; and what it sent isn't kept in memory.
        assert!(!matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{generation}: {error}");
        assert!(sent < 100 << 20, "{generation}: {sent} bytes were taken");
        assert_eq!(http::get(served.address, "/p3/other").status, 200);
    }
}

#[test]
fn a_component_that_forgets_its_response_is_cut() {
    let served = serve(BOTH, &["--body-timeout", "1s"]);
    for generation in ["p2", "p3"] {
        let response = http::get(served.address, &format!("/{generation}/drip?n=2&ms=600000"));
        assert_eq!((response.status, response.complete), (200, false), "{generation}");
        // One that says something in time is not.
        let response = http::get(served.address, &format!("/{generation}/drip?n=8&ms=300"));
        assert!(response.complete, "{generation}");
    }
}

#[test]
fn who_goes_away_gives_the_instance_back() {
    let served = serve(BOTH, &["--max-instances", "1"]);
    for generation in ["p2", "p3"] {
        for case in hostile_cases::GONE.all() {
            let path = case[0];
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /{generation}/{path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            if path.starts_with("drip") {
                assert_eq!(client.read_head("GET").unwrap().status, 200);
            }
            drop(client);
            let began = Instant::now();
            assert_eq!(http::get(served.address, "/p2/other").status, 200, "{generation}/{path}");
            // Less than what processor time and deadlines would allow it.
            assert!(began.elapsed() < Duration::from_secs(5), "{generation}/{path}: {:?}", began.elapsed());
        }
    }
    let ended = served.up.stop();
    assert!(!ended.stderr.contains("instance ended"), "it is nobody's error\n{}", ended.snapshot());
}

/// One event of a shared instance ends before its time, one goes on, and a later one has an instance of its own that is
/// busy too: who comes then is served at once.
#[test]
fn who_goes_away_or_is_too_slow_makes_nobody_wait() {
    for (leaves, timeout) in [(true, "60s"), (false, "1s")] {
        let served = serve(BOTH, &["--request-timeout", timeout]);
        let begun = |path: &str| {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /p3/{path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            client
        };
        let mut slow = begun("sleep?ms=600000");
        let mut neighbour = begun("drip?n=1000&ms=100");
        assert_eq!(neighbour.read_head("GET").unwrap().status, 200);
        match leaves {
            true => drop(slow),
            false => assert_eq!(slow.read_response("GET").unwrap().status, 504),
        }
        // Each of these has its place in an instance before the next one comes.
        let mut later: Vec<_> = (0..3).map(|_| begun("drip?n=2&ms=600000")).collect();
        for client in &mut later {
            assert_eq!(client.read_head("GET").unwrap().status, 200);
            let began = Instant::now();
            assert_eq!(http::get(served.address, "/p3/other").status, 200, "{timeout}");
            assert!(began.elapsed() < Duration::from_secs(5), "{timeout}: {:?}", began.elapsed());
        }
    }
}

/// The neighbour had its whole response, before or after, so that its guest may still have had something to do: for a
/// moment, not for as long as after a response that nobody left.
#[test]
fn who_goes_away_beside_one_that_was_served_gives_the_instance_back() {
    for neighbour_first in [true, false] {
        let served = serve(BOTH, &["--max-instances", "2"]);
        let begun = |path: &str| {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /p3/{path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            client
        };
        let gone = begun("sleep?ms=600000");
        let mut neighbour = begun("drip?n=2&ms=300");
        assert_eq!(neighbour.read_head("GET").unwrap().status, 200);
        let mut read_all = || while neighbour.next_part().unwrap().is_some() {};
        match neighbour_first {
            true => {
                read_all();
                drop(gone);
            }
            false => {
                drop(gone);
                read_all();
            }
        }
        let mut other = begun("drip?n=2&ms=600000");
        assert_eq!(other.read_head("GET").unwrap().status, 200);
        let began = Instant::now();
        assert_eq!(http::get(served.address, "/p2/other").status, 200, "the other place is free");
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}

/// A guest of the 0.2 generation that takes no call: it says so before the first one, and nothing could change that.
const NEVER_READY: &str = r#"(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $outparam))
  (core func $not-now (canon backpressure.inc))
  (core module $code
    (import "" "not-now" (func $not-now))
    (func (export "handle") (param i32 i32))
    (start $not-now))
  (core instance $instance (instantiate $code (with "" (instance (export "not-now" (func $not-now))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $instance "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#;

#[test]
fn a_guest_that_is_never_ready_costs_its_client_an_error_and_nobody_else_anything() {
    let world = World::new();
    world.write("apps/never.wat", NEVER_READY);
    let never = r#"
[[trigger.http]]
route = "/never"
component = "never"
[component.never]
source = "../never.wat"
"#;
    let served = serve_in(world, &format!("{BOTH}{never}"), &["--request-timeout", "1s"]);
    assert_eq!(http::get(served.address, "/never").status, 500);
    assert_eq!(http::get(served.address, "/p2/other").status, 200);
}

#[test]
fn too_many_connections_wait_for_their_turn() {
    let served = serve(BOTH, &["--max-connections", "2"]);
    let mut held: Vec<_> = (0..2).map(|_| http::Client::connect(served.address).unwrap()).collect();
    for client in &mut held {
        assert_eq!(client.request("GET", "/p3/other", &[], b"").unwrap().status, 200);
    }
    let mut third = http::Client::connect(served.address).unwrap();
    third.send("GET /p3/other HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert!(served.up.stderr().wait_for("have to wait").contains("--max-connections"));
    assert_eq!(held[1].request("GET", "/p3/other", &[], b"").unwrap().status, 200, "who is in is served");
    held.pop();
    assert_eq!(third.read_response("GET").unwrap().status, 200);
}

#[test]
fn a_lack_of_descriptors_is_survived() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let spin = world.dist().bin("spin");
    let case = hostile_cases::DESCRIPTORS.only();
    let [descriptors, connections] = case[..] else { panic!("{case:?}") };
    let command =
        format!("ulimit -n {descriptors}; exec '{}' up --listen 127.0.0.1:0 --disable-pooling", spin.display());
    let up = world.command("/bin/sh").args(["-c", &command]).in_dir(app.dir()).start();
    let address = up.serving();
    for _ in 0..2 {
        let hold: Vec<_> =
            (0..connections.parse().unwrap()).filter_map(|_| http::Client::connect(address).ok()).collect();
        up.stderr().wait_for("can't accept a connection");
        drop(hold);
        assert_eq!(http::get(address, "/p3/other").status, 200);
    }
    let ended = up.stop();
    // Said when it begins, not with every attempt.
    assert!(ended.stderr.matches("can't accept").count() < 20, "{}", ended.snapshot());
}
