//! Components of `fermyon:spin/inbound-http`.

use spin_tests::http;

use super::{Served, entry, serve};

fn probe(flags: &[&str]) -> Served {
    serve(&entry("probe", "/base/:id/...", "inbound-probe", ""), flags)
}

#[test]
fn a_request_is_told_whole() {
    let served = probe(&[]);
    let host = served.address.to_string();
    let sent = [("x-own", "1"), ("spin-client-addr", "forged"), ("x-own", "2")];
    let response = http::request(served.address, "PATCH", "/base/42/headers?a=%20b", &sent, b"body");
    assert_eq!((response.status, response.header("content-type")), (200, Some("text/plain")));
    let text = response.text();
    let has = |line: &str| text.lines().any(|found| found == line);
    for line in [
        "PATCH /base/42/headers?a=%20b",
        "params: 0",
        "body: Some(\"body\")",
        "x-own: 1",
        "x-own: 2",
        &format!("host: {host}"),
        "spin-path-info: /headers",
        &format!("spin-full-url: http://{host}/base/42/headers?a=%20b"),
        "spin-matched-route: /base/:id/...",
        "spin-base-path: /",
        "spin-raw-component-route: /base/:id/...",
        "spin-component-route: /base/:id",
        "spin-path-match-id: 42",
    ] {
        assert!(has(line), "no line `{line}` in\n{text}");
    }
    assert!(!text.contains("forged") && text.matches("spin-client-addr: 127.0.0.1:").count() == 1, "{text}");
    let order = text.lines().find_map(|line| line.strip_prefix("order: ")).unwrap();
    let (own, ours) = (order.find("x-own").unwrap(), order.find("spin-path-info").unwrap());
    assert!(order.contains("x-own x-own") && own < ours, "the client's come first and keep their order: {order}");
}

#[test]
fn methods_are_those_of_the_interface() {
    let served = probe(&[]);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let response = http::request(served.address, method, "/base/1/headers", &[], b"");
        assert!(response.text().starts_with(&format!("{method} /base/1/headers\n")), "{}", response.text());
        assert!(response.text().contains("body: Some(\"\")"), "there is always a body: {}", response.text());
    }
    let response = http::request(served.address, "HEAD", "/base/1/headers", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (200, ""));
    for method in ["TRACE", "PURGE", "get"] {
        let response = http::request(served.address, method, "/base/1/headers", &[], b"");
        assert_eq!((response.status, response.text().as_str()), (405, ""), "{method}");
        assert_eq!(response.header("allow"), Some("GET, POST, PUT, DELETE, PATCH, HEAD, OPTIONS"), "{method}");
    }
}

#[test]
fn responses_are_what_a_server_may_send() {
    let served = probe(&[]);
    let get = |path: &str| http::get(served.address, &format!("/base/1/{path}"));
    for (status, seen) in [(200, 200), (404, 404), (600, 600), (99, 500), (0, 500), (601, 500), (101, 500)] {
        let response = get(&format!("status/{status}"));
        assert_eq!((response.status, response.text().as_str()), (seen, ""), "{status}");
    }
    served.up.stderr().wait_for("the guest answered with status 99");
    let response = get("no-response");
    assert_eq!((response.status, response.text().as_str()), (200, ""), "no body is an empty one");

    let response = get("odd-headers");
    assert_eq!((response.status, response.text().as_str(), response.complete), (200, "whole", true));
    let all = |name: &str| -> Vec<&str> {
        response.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(all("x-own"), ["last"], "the last one counts");
    assert_eq!(all("set-cookie"), ["a=1", "b=2"], "but every cookie is set");
    assert_eq!(all("content-length"), ["5"]);
    for name in ["connection", "transfer-encoding", "x-split", "x-evil", "x bad"] {
        assert!(all(name).is_empty(), "{name}: {:?}", response.headers);
    }
    served.up.stderr().wait_for("x-split");
}

#[test]
fn bodies_are_held_up_to_a_limit() {
    let served = probe(&["--max-whole-body", "100000"]);
    let send = |size: usize| http::request(served.address, "POST", "/base/1/echo", &[], &vec![b'x'; size]);
    let response = send(100_000);
    assert_eq!((response.status, response.body.len()), (200, 100_000));
    assert_eq!(send(100_001).status, 413);
    let answer = |size: usize| http::get(served.address, &format!("/base/1/large-body?n={size}"));
    assert_eq!(answer(100_000).body.len(), 100_000);
    assert_eq!((answer(100_001).status, answer(100_001).text().as_str()), (500, ""));
    served.up.stderr().wait_for("the response has more than 100000 bytes");
    // One that doesn't say how long it is.
    let mut client = http::Client::connect(served.address).unwrap();
    client.send("POST /base/1/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    client.send(format!("{chunk}{chunk}")).unwrap();
    assert_eq!(client.read_response("POST").unwrap().status, 413);
}

#[test]
fn a_header_that_is_no_text_is_a_bad_request() {
    let served = probe(&[]);
    let mut client = http::Client::connect(served.address).unwrap();
    client.send(b"GET /base/1/headers HTTP/1.1\r\nhost: a\r\nx-own: \xff\r\n\r\n").unwrap();
    assert_eq!(client.read_response("GET").unwrap().status, 400);
}

#[test]
fn every_request_has_an_instance_of_its_own_and_the_capabilities_of_all() {
    let served = probe(&["--request-timeout", "300ms"]);
    let get = |path: &str| http::get(served.address, &format!("/base/1/{path}"));
    for _ in 0..3 {
        assert_eq!(get("count").text(), "1\n");
    }
    assert_eq!(get("file/read?path=/file").text(), "a file\n");
    assert_eq!(get("sleep?ms=20000").status, 504);
    get("print");
    served.up.stderr().wait_for("probe: a line on stdout");
    let log = served.app.dir().join(".spin/logs/probe_stderr.txt");
    assert_eq!(std::fs::read_to_string(log).unwrap(), "probe: a line on stderr\n");
}
