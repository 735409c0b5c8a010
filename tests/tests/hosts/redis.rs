//! Redis servers that components name: what needs more than one request or one connection.

use spin_tests::certificates::{Certificates, Key};
use spin_tests::memory::Memory;
use spin_tests::redis::Redis;

use crate::stage::Stage;

const INTERFACES: [&str; 3] = ["fermyon:spin/redis", "fermyon:spin/redis@2.0.0", "spin:redis/redis@3.0.0"];

/// How many connections a server has taken so far.
fn connections_made(stage: &Stage) -> usize {
    let info = stage.redis(&["INFO".to_owned(), "stats".to_owned()]);
    let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).expect("a count");
    line.trim().parse().expect("a number")
}

#[test]
fn a_server_that_was_killed_gives_errors_and_then_is_used_again() {
    let mut stage = Stage::start("redis");
    let set = |stage: &Stage, interface| stage.answers(interface, &[&["open", "{redis}"], &["set", "a", "1"]]);
    for interface in INTERFACES {
        assert_eq!(set(&stage, interface), ["ok", "ok"], "{interface}");
    }
    let address = stage.kill_redis();
    for interface in INTERFACES {
        assert!(set(&stage, interface).iter().any(|answer| answer.starts_with("err(")), "{interface}");
    }
    stage.revive_redis(address);
    for interface in INTERFACES {
        assert_eq!(set(&stage, interface), ["ok", "ok"], "{interface}");
    }
    assert_eq!(stage.redis(&["GET".to_owned(), "a".to_owned()]), "1");
}

#[test]
fn a_server_with_tls_proves_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Certificates::new(folder.path().join("ours"));
    let stranger = Certificates::new(folder.path().join("theirs"));
    let issued = authority.issue("redis", Key::Pkcs8);
    let (certificate, key) = (issued.certificate.to_str().unwrap(), issued.key.to_str().unwrap());
    for (roots, is_trusted) in [(authority.root(), true), (stranger.root(), false)] {
        let port = spin_tests::free_port().to_string();
        let options = ["--tls-port", &port, "--tls-cert-file", certificate, "--tls-key-file", key];
        let ca = authority.root();
        let more = ["--tls-ca-cert-file", ca.to_str().unwrap(), "--tls-auth-clients", "no"];
        let redis = Redis::start_with(&[&options[..], &more].concat());
        let stage = Stage::on_redis_with_tls(redis, &format!("rediss://127.0.0.1:{port}"), roots);
        for interface in INTERFACES {
            let answers = stage.answers(interface, &[&["open", "{rediss}"], &["set", "a", interface]]);
            match is_trusted {
                true => assert_eq!(answers, ["ok", "ok"], "{interface}"),
                false => assert!(answers.iter().any(|answer| answer.starts_with("err(")), "{interface}: {answers:?}"),
            }
            let found = stage.redis(&["GET".to_owned(), "a".to_owned()]);
            assert_eq!(found == interface, is_trusted, "{interface}: {found}");
        }
        let stored = stage.answers("fermyon:spin/key-value@2.0.0", &[&["open", "default"], &["set", "b", "1"]]);
        assert_eq!(stored[1] == "ok", is_trusted, "{stored:?}");
        assert_eq!(stage.redis(&["GET".to_owned(), "b".to_owned()]) == "1", is_trusted);
    }
}

#[test]
fn requests_share_a_connection_until_one_changes_its_state() {
    let stage = Stage::start("redis");
    let id = |extra: &[&'static str]| {
        let mut calls: Vec<Vec<&str>> = vec![vec!["open", "{redis}"]];
        calls.push(extra.to_vec());
        calls.push(vec!["execute", "EVAL", "return redis.call('INCR', 'calls')", "#0"]);
        let calls: Vec<&[&str]> = calls.iter().map(Vec::as_slice).collect();
        stage.answers("fermyon:spin/redis@2.0.0", &calls)
    };
    let connections = || {
        let info = stage.redis(&["INFO".to_owned(), "clients".to_owned()]);
        let line = info.lines().find_map(|line| line.strip_prefix("connected_clients:")).expect("a count").to_owned();
        line.trim().parse::<usize>().expect("a number")
    };
    for _ in 0..5 {
        id(&["get", "a"]);
    }
    // One of the app's, one that asks.
    assert_eq!(connections(), 2);
    // In a transaction commands are queued; nobody else's are.
    let queued = id(&["execute", "MULTI"]);
    assert_eq!(queued, ["ok", "ok([\"status(OK)\"])", "ok([\"status(QUEUED)\"])"]);
    assert_eq!(id(&["get", "a"])[2], "ok([\"int64(6)\"])");
}

#[test]
fn a_command_that_others_would_notice_is_noticed_by_nobody() {
    let stage = Stage::start("redis");
    let get: &[&[&str]] = &[&["open", "{redis}"], &["get", "a"]];
    stage.answers("fermyon:spin/redis@2.0.0", get);
    for name in ["POST", "Host:", "MULTI", "QUIT", "SUBSCRIBE", "no such command"] {
        let before = connections_made(&stage);
        let answers =
            stage.answers("fermyon:spin/redis@2.0.0", &[&["open", "{redis}"], &["get", "a"], &["execute", name]]);
        assert_eq!(answers[1], "ok(none)", "{name}: {answers:?}");
        for _ in 0..3 {
            assert_eq!(stage.answers("fermyon:spin/redis@2.0.0", get), ["ok", "ok(none)"], "{name}");
        }
        // The one of that command's own, and the one that asks.
        assert_eq!(connections_made(&stage) - before, 2, "{name}: {answers:?}");
    }
}

#[test]
fn an_answer_that_is_too_large_is_not_read() {
    let stage = Stage::start("redis");
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    stage.redis(&text(&["SETRANGE", "large", "199999999", "x"]));
    stage.redis(&text(&["RPUSH", "list", "a", "b"]));
    for interface in &INTERFACES[1..] {
        stage.answers(interface, &[&["open", "{redis}"], &["get", "none"]]);
        let before = connections_made(&stage);
        let memory = Memory::watch(stage.up.child());
        let calls: &[&[&str]] = &[
            &["open", "{redis}"],
            &["get", "large"],
            &["execute", "MGET", "large", "large"],
            &["execute", "LRANGE", "list", "#0", "#-1"],
        ];
        let too_large = "err(other(\"query result exceeds limit of 134217728 bytes\"))";
        let answers = stage.answers(interface, calls);
        assert_eq!(answers, ["ok", too_large, too_large, "ok([\"binary(a)\", \"binary(b)\"])"], "{interface}");
        assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
        // Each such answer ends its connection, and what comes next has another one; the last is the one that asks.
        assert_eq!(connections_made(&stage) - before, 3, "{interface}");
    }
}

#[test]
fn what_a_server_says_is_no_secret_of_the_log() {
    let stage = Stage::start("redis");
    let calls: &[&[&str]] =
        &[&["open", "{redis}"], &["execute", "NOSUCH", "pass-word"], &["execute", "NOSUCH", "pass-word"]];
    let answers = stage.answers("fermyon:spin/redis", calls);
    assert!(answers[1..].iter().all(|answer| answer.starts_with("err(error ")), "{answers:?}");
    stage.up.stderr().wait_for_text("the server refuses a command: ERR");
    let log = stage.up.stderr().text();
    assert!(!log.contains("pass-word"), "{log}");
    assert_eq!(log.matches("the server refuses a command: ERR").count(), 1, "{log}");
}

#[test]
fn an_address_has_an_end() {
    let stage = Stage::start("redis");
    let long = format!("{{redis}}/?{}", "x".repeat(4096));
    for interface in &INTERFACES[1..] {
        assert_eq!(stage.answers(interface, &[&["open", &long]]), ["err(invalid-address)"], "{interface}");
    }
}

#[test]
fn an_instance_has_so_many_connections_and_no_more() {
    let stage = Stage::start("redis");
    let calls: &[&[&str]] = &[&["open-many", "{redis}", "1024"], &["open", "{redis}"]];
    assert_eq!(stage.answers("fermyon:spin/redis@2.0.0", calls), ["ok", "err(too-many-connections)"]);
    assert_eq!(stage.answers("fermyon:spin/redis@2.0.0", &[&["open", "{redis}"]]), ["ok"]);
}

#[test]
fn a_denial_says_which_line_to_add() {
    let stage = Stage::start("redis");
    let call = vec![vec!["open".to_owned(), "rediss://other.example".to_owned()]];
    assert_eq!(stage.calls("denied", "fermyon:spin/redis@2.0.0", &call), Some(vec!["err(invalid-address)".to_owned()]));
    stage.up.stderr().wait_for_text("allowed_outbound_hosts = [\"rediss://other.example:6379\"]");
}
