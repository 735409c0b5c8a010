//! What may be shown to whom, and what counts as local. Real servers are asked in the tests of `fetch` and `source`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Instant;

use super::*;
use crate::testing::{After, Server, runtime};

const LONG: Duration = Duration::from_secs(600);

fn get(web: &Web, url: &str, total: Duration) -> Result<usize, &'static str> {
    let got = runtime().block_on(web.bytes(&url.parse().unwrap(), 1 << 20, total));
    got.map(|bytes| bytes.len()).map_err(|error| error.code())
}

#[test]
fn neither_silence_nor_dripping_holds_us_for_long() {
    let server = Server::start();
    let begun = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx";
    for (path, answer, after) in
        [("/mute", "", After::Silence), ("/half", begun, After::Silence), ("/drip", begun, After::Drip)]
    {
        server.answer(path, answer, after);
    }
    let started = Instant::now();
    let impatient = Web::impatient(Duration::from_millis(300));
    assert_eq!(get(&impatient, &server.url("/mute"), LONG), Err("web::failed"));
    assert_eq!(get(&impatient, &server.url("/half"), LONG), Err("web::failed"));
    let patient = Web::new(Network::Online, Vec::new());
    assert_eq!(get(&patient, &server.url("/drip"), Duration::from_millis(300)), Err("web::failed"), "in total");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn nothing_is_followed_to_this_machine_from_outside_of_it() {
    let outside = ["https://example.org/".parse().unwrap()];
    for local in ["http://127.0.0.1/", "https://127.0.0.1/", "https://192.168.0.1/", "https://localhost/"] {
        assert!(obstacle(&outside, &local.parse().unwrap()).is_some(), "{local}");
    }
    assert_eq!(obstacle(&outside, &"http://example.com/".parse().unwrap()), Some("redirect from https to http"));
    assert_eq!(obstacle(&outside, &"https://example.com/".parse().unwrap()), None);
}

#[test]
fn a_credential_is_for_one_host_and_only_over_tls() {
    let shown = |host: &str, url: &str| {
        let credential = Credential { host: host.to_owned(), authorization: Secret::new("Bearer x") };
        credential.is_for(&url.parse().unwrap())
    };
    assert!(shown("example.org", "https://example.org/a"));
    assert!(shown("Example.org", "https://EXAMPLE.org:443/a"));
    assert!(shown("example.org:8443", "https://example.org:8443/a"));
    assert!(shown("[::1]:8443", "https://[::1]:8443/a"));
    for (host, url) in [
        ("example.org", "http://example.org/a"),
        ("example.org", "https://example.org:8443/a"),
        ("example.org", "https://sub.example.org/a"),
        ("example.org", "https://example.org.evil.example/a"),
        ("example.org", "https://example.org@evil.example/a"),
        ("example.org:8443", "https://example.org/a"),
        ("example.org:99999999", "https://example.org/a"),
        ("", "https://example.org/a"),
    ] {
        assert!(!shown(host, url), "{host} {url}");
    }
}

#[test]
fn a_secret_is_not_told_by_debugging() {
    let credential = Credential { host: "example.org".into(), authorization: Secret::new("Bearer hush") };
    let web = Web::new(Network::Online, vec![credential.clone()]);
    assert!(!format!("{credential:?} {web:?}").contains("hush"));
}

#[test]
fn what_is_protected_on_its_way() {
    let protected = |url: &str| is_protected(&url.parse().unwrap());
    for url in ["https://example.org/", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/"] {
        assert!(protected(url), "{url}");
    }
    for url in ["http://example.org/", "http://192.168.1.1/", "git://example.org/x", "http://localhost.example.org/"] {
        assert!(!protected(url), "{url}");
    }
}

#[test]
fn local_places_are_recognised() {
    let local = |url: &str| is_local(&url.parse().unwrap());
    for url in [
        "http://localhost/",
        "http://a.localhost./",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
    ] {
        assert!(local(url), "{url}");
    }
    for url in ["https://example.org/", "https://8.8.8.8/", "https://[2001:db8::1]/", "https://localhost.example.org/"]
    {
        assert!(!local(url), "{url}");
    }
}
