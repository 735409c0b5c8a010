//! Raw sockets beside the matrix: blocked networks, what is said of a denial, and connections that are bounded.

use std::io::{ErrorKind, Read};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use spin_tests::Upstream;
use spin_tests::output::PATIENCE;

use super::stage::Stage;

const GENERATIONS: [&str; 2] = ["wasi:sockets@0.2", "wasi:sockets@0.3"];

#[test]
fn blocked_networks_are_out_of_reach_by_address_and_by_name() {
    let stage = Stage::on_sockets(true, "[outbound_networking]\nblock_networks = [\"private\"]\n");
    for interface in GENERATIONS {
        let calls: [&[&str]; 4] = [
            &["tcp", "{server}", "one"],
            &["udp", "{server}", "two"],
            &["tcp-name", "localhost", "{port}", "three"],
            &["resolve", "localhost"],
        ];
        for answer in stage.answers(interface, &calls) {
            assert!(answer.starts_with("err("), "{interface}: {answer}");
        }
        assert_eq!(stage.echo().heard("tcp"), Err(Vec::new()), "{interface}");
    }
    stage.up.stderr().wait_for("is in a blocked network");
}

#[test]
fn a_denial_says_what_to_write() {
    let stage = Stage::on_sockets(true, "");
    for interface in GENERATIONS {
        let calls = [["tcp", "127.0.0.2:9", "a"], ["udp", "127.0.0.3:9", "a"], ["resolve", "db.test", ""]];
        let calls: Vec<Vec<&str>> =
            calls.iter().map(|call| call.iter().copied().filter(|word| !word.is_empty()).collect()).collect();
        let calls: Vec<&[&str]> = calls.iter().map(Vec::as_slice).collect();
        stage.answers(interface, &calls);
    }
    for entry in ["tcp://127.0.0.2:9", "udp://127.0.0.3:9", "tcp://db.test:*"] {
        stage.up.stderr().wait_for(&format!("add 'allowed_outbound_hosts = [\"{entry}\"]' to [component.allowed]"));
    }
}

#[test]
fn the_call_tells_what_is_wrong_with_a_name_and_its_stream_what_became_of_it() {
    let stage = Stage::on_sockets(true, "[outbound_networking]\nblock_networks = [\"private\"]\n");
    let calls: [&[&str]; 4] =
        [&["where", "a b"], &["where", "other.test"], &["where", "localhost"], &["where", "0x7f.1"]];
    let expected = [
        "call: invalid-argument",
        "call: access-denied",
        "stream: err(access-denied)",
        // Nobody is asked for it.
        "stream: ok([\"127.0.0.1\"])",
    ];
    assert_eq!(stage.answers(GENERATIONS[0], &calls), expected);
}

#[test]
fn an_instance_has_so_many_sockets_and_a_component_without_hosts_none() {
    let stage = Stage::on_sockets(true, "");
    for (interface, failure) in
        [(GENERATIONS[0], "new-socket-limit"), (GENERATIONS[1], "other(Some(\"too many sockets\"))")]
    {
        // Those of the first call are gone when the second begins.
        let calls: [&[&str]; 3] = [&["many", "128"], &["many", "129"], &["tcp", "{server}", "one"]];
        assert_eq!(stage.answers(interface, &calls), ["128", &format!("128: err({failure})"), "ok(\"one\")"]);
        assert_eq!(stage.answers_of("denied", interface, &[&["many", "1"]]), ["0: err(access-denied)"]);
    }
    stage.up.stderr().wait_for("add 'allowed_outbound_hosts = [\"tcp://HOST:PORT\"]' to [component.denied]");
}

#[test]
fn while_a_connection_waits_for_its_place_the_guest_goes_on() {
    let server = Upstream::start(|_, stream| stream.read_to_end(&mut Vec::new()).map(drop));
    let config = "[outbound_networking]\nmax_socket_connections = 1\n";
    let stage = Stage::reaching_everything(server.address().port(), config);
    for interface in GENERATIONS {
        assert_eq!(stage.answers(interface, &[&["two", "127.0.0.1:{port}"]]), ["ok"], "{interface}");
    }
}

#[test]
fn a_connection_that_fails_gives_its_place_back() {
    let stage =
        Stage::reaching_everything(spin_tests::free_port(), "[outbound_networking]\nmax_total_connections = 1\n");
    for interface in GENERATIONS {
        let call: &[&str] = &["again", "127.0.0.1:{port}"];
        assert_eq!(stage.answers(interface, &[call]), ["err(connection-refused)"], "{interface}");
    }
}

#[test]
fn a_connection_has_its_place_as_long_as_somebody_uses_it() {
    for limit in ["max_total_connections", "max_socket_connections"] {
        let (release, released) = channel::<()>();
        let released = Mutex::new(released);
        // Answers who has said all, when the test lets it.
        let server = Upstream::start(move |heads, stream| {
            stream.read_to_end(&mut Vec::new())?;
            let _ = heads.send(String::new());
            let _ = released.lock().unwrap().recv();
            Ok(())
        });
        let config = format!("[outbound_networking]\n{limit} = 1\n");
        let stage = Stage::reaching_everything(server.address().port(), &config);
        for interface in GENERATIONS {
            let before = server.connections();
            let call: &[&[&str]] = &[&["tcp", "127.0.0.1:{port}", "a"]];
            let mut first = stage.begin(interface, call);
            server.next_head();
            let mut second = stage.begin(interface, call);
            second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
            let nothing = second.read(&mut [0]).expect_err("it waits");
            assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{limit} {nothing}");
            assert_eq!(server.connections() - before, 1, "{limit} {interface}");
            // Who may not connect waits for no place, and holds none.
            let refused = stage.answers_of("denied", interface, call);
            assert_eq!(refused, ["err(access-denied)"], "{limit} {interface}");
            // With the first socket its place is free, and the second call goes on.
            release.send(()).unwrap();
            server.next_head();
            release.send(()).unwrap();
            for stream in [&mut first, &mut second] {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut answer = [0; 15];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"HTTP/1.1 200 OK", "{limit} {interface}");
            }
        }
    }
}
