//! TLS, users and sockets of the file system.

use spin_tests::certificates::{Certificates, Key};
use spin_tests::redis::Redis;

use super::super::{ONE, Trigger, until};
use super::hostile_cases::{CREDENTIALS, TLS};

fn tables(url: &str) -> String {
    format!("[[trigger.redis]]\naddress = \"{url}\"\nchannel = \"c\"\ncomponent = \"one\"\n{ONE}")
}

fn is_served(redis: &Redis, trigger: &Trigger, flags: &[&str]) {
    let serving = trigger.start(flags);
    assert_eq!(redis.publish("c", "message"), 1);
    assert_eq!(trigger.wait_for_printed("one", 1), ["message"]);
    serving.up.stop().success();
}

#[test]
fn a_user_needs_the_right_password_and_permission() {
    let redis = Redis::start();
    let address = redis.address();
    for [user, channels] in [["alice", "&c"], ["bob", "&other"]] {
        let set = [b"ACL".as_slice(), b"SETUSER", user.as_bytes(), b"on", b">secret", channels.as_bytes(), b"+@all"];
        assert_eq!(redis.command(&set), "+OK");
    }
    is_served(&redis, &Trigger::new(&tables(&format!("redis://alice:secret@{address}"))), &[]);
    for case in CREDENTIALS.all() {
        let [credentials, expected] = case.try_into().unwrap();
        let trigger = Trigger::new(&tables(&format!("redis://{credentials}@{address}")));
        let refused = trigger.up(&[]).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        for part in [expected, &format!("redis://{address} refuses")] {
            assert!(refused.stderr.contains(part), "{credentials}: {part}\n{}", refused.snapshot());
        }
        assert!(!refused.stderr.contains("secret"), "{}", refused.snapshot());
    }
}

/// A user for whom all is permitted that `rules` don't take away.
fn allow(redis: &Redis, rules: &[&str]) {
    let set = ["ACL", "SETUSER", "carol", "reset", "on", ">secret", "~*", "+@all"];
    let words: Vec<&[u8]> = set.iter().chain(rules).map(|word| word.as_bytes()).collect();
    assert_eq!(redis.command(&words), "+OK");
}

fn kept(redis: &Redis, source: &str) -> Trigger {
    let address = redis.address();
    Trigger::new(&format!(
        "[[trigger.redis]]\naddress = \"redis://carol:secret@{address}\"\n{source}\ncomponent = \"one\"\n{ONE}"
    ))
}

const LIST: &str = "list = \"jobs\"";
const STREAM: &str = "stream = \"events\"\ngroup = \"g\"";

#[test]
fn a_command_that_is_not_permitted_is_named_at_start_with_its_keys() {
    let redis = Redis::start();
    let table: &[(&str, &[&str], &str)] = &[
        (LIST, &["-blmove"], "the user may not run BLMOVE on \"jobs\" and \"jobs:processing:"),
        (LIST, &["-lrem"], "the user may not run LREM on \"jobs:processing:"),
        (LIST, &["-exec"], "the user may not run EXEC ("),
        (LIST, &["resetkeys", "~jobs", "~jobs:processing:*", "~jobs:instances"], "LPUSH on \"jobs:dead\""),
        (LIST, &["resetkeys", "~jobs", "~jobs:processing:*", "~jobs:dead"], "ZADD on \"jobs:instances\""),
        (STREAM, &["-xautoclaim"], "the user may not run XAUTOCLAIM on \"events\""),
        (STREAM, &["-xreadgroup"], "the user may not run XREADGROUP on \"events\""),
        (STREAM, &["resetkeys", "~events"], "the user may not run XADD on \"events:dead\""),
    ];
    for (source, rules, expected) in table {
        allow(&redis, rules);
        let refused = kept(&redis, source).up(&[]).run();
        assert_eq!(refused.code, Some(1), "{rules:?}\n{}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{rules:?}: {expected}\n{}", refused.snapshot());
        assert!(refused.stderr.to_lowercase().contains("noperm"), "{rules:?}\n{}", refused.snapshot());
    }
    assert_eq!(redis.command(&[b"KEYS", b"*"]), "*0", "nothing was done to find that out");
}

#[test]
fn a_permission_that_is_taken_away_is_told_once_and_waited_for() {
    let redis = Redis::start();
    for (source, rule, add) in [
        (LIST, "-blmove", &["LPUSH", "jobs", "late"][..]),
        (STREAM, "-xreadgroup", &["XADD", "events", "*", "payload", "late"]),
    ] {
        allow(&redis, &[]);
        let trigger = kept(&redis, source);
        let serving = trigger.start(&[]);
        allow(&redis, &[rule]);
        until("it is not ready", || !serving.is_ready());
        let words: Vec<&[u8]> = add.iter().map(|word| word.as_bytes()).collect();
        redis.command(&words);
        assert!(trigger.printed("one").is_empty());
        allow(&redis, &[]);
        assert_eq!(trigger.wait_for_printed("one", 1), ["late"]);
        until("it is ready", || serving.is_ready());
        let command = rule[1..].to_uppercase();
        let ended = serving.up.stop().success();
        let told = ended.stderr.lines().filter(|line| line.contains(&format!("the user may not run {command} on")));
        assert_eq!(told.count(), 1, "{}", ended.snapshot());
        assert!(!ended.stderr.contains("connection is lost"), "{}", ended.snapshot());
    }
}

#[test]
fn a_socket_of_the_file_system_is_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis.sock");
    let redis = Redis::start_with(&["--unixsocket", socket.to_str().unwrap()]);
    is_served(&redis, &Trigger::new(&tables(&format!("redis+unix://{}", socket.display()))), &[]);
}

#[test]
fn a_server_proves_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Certificates::new(folder.path().join("ours"));
    let stranger = Certificates::new(folder.path().join("theirs"));
    let issued = authority.issue("redis", Key::Pkcs8);
    let port = spin_tests::free_port().to_string();
    let (certificate, key) = (issued.certificate.to_str().unwrap(), issued.key.to_str().unwrap());
    let ca = authority.root();
    let options = ["--tls-port", &port, "--tls-cert-file", certificate, "--tls-key-file", key];
    let more = ["--tls-ca-cert-file", ca.to_str().unwrap(), "--tls-auth-clients", "no"];
    // The certificate is for the first address alone.
    let addresses = ["--bind", "127.0.0.1 127.0.0.2"];
    let redis = Redis::start_with(&[&options[..], &more, &addresses].concat());
    let url = format!("rediss://127.0.0.1:{port}");
    let flags = ["--redis-ca", ca.to_str().unwrap()];
    is_served(&redis, &Trigger::new(&tables(&url)), &flags);
    for case in TLS.all() {
        let [case, expected] = case.try_into().unwrap();
        let theirs = stranger.root();
        let (url, flags) = match case {
            "unknown authority" => (url.clone(), vec!["--redis-ca", theirs.to_str().unwrap()]),
            "system alone" => (url.clone(), vec![]),
            "no TLS at the other end" => (redis.url().replace("redis://", "rediss://"), flags.to_vec()),
            "another name" => (format!("rediss://127.0.0.2:{port}"), flags.to_vec()),
            "insecure" => (format!("{url}/#insecure"), flags.to_vec()),
            "no certificate" => (url.clone(), vec!["--redis-ca", key]),
            other => panic!("no such case: {other}"),
        };
        let trigger = Trigger::new(&tables(&url));
        let refused = trigger.up(&[&flags[..], &["--exit-on-disconnect"]].concat()).run();
        assert_eq!(refused.code, Some(1), "{case}\n{}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{case}\n{}", refused.snapshot());
    }
    until("nobody but the first was let in", || redis.publish("c", "message") == 0);
}
