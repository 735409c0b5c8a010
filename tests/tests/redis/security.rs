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
