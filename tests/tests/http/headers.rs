//! What a component is told about its request, and what a client can't make it believe.

use std::collections::BTreeMap;

use spin_tests::http;

use super::frames::{Connection, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, frame, request};
use super::{BOTH, GENERATIONS, hostile_cases, serve};

/// The headers that a probe got, by name; every value of a name.
fn told(response: &http::Response) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in response.text().lines().skip(3) {
        if let Some((name, value)) = line.split_once(": ").or_else(|| line.strip_suffix(":").map(|name| (name, ""))) {
            told.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    told
}

#[test]
fn every_header_is_there_once_and_right() {
    for guest in GENERATIONS {
        let manifest = format!(
            "[[trigger.http]]\nroute = \"/base/:user_id/:Name/...\"\ncomponent = \"probe\"\n\
             [component.probe]\nsource = \"{guest}.wasm\"\n"
        );
        let served = serve(&manifest, &[]);
        let host = served.address.to_string();
        let mut client = http::Client::connect(served.address).unwrap();
        let response = client.request("GET", "/base/42/anna/x/headers?a=b", &[("x-own", "kept")], b"").unwrap();
        assert_eq!(response.status, 200, "{guest}");
        let told = told(&response);
        let client_addr = &told["spin-client-addr"];
        assert!(client_addr.len() == 1 && client_addr[0].starts_with("127.0.0.1:"), "{guest}: {client_addr:?}");
        let expected = [
            ("spin-path-info", "/x/headers".to_owned()),
            ("spin-full-url", format!("http://{host}/base/42/anna/x/headers?a=b")),
            ("spin-matched-route", "/base/:user_id/:Name/...".to_owned()),
            ("spin-base-path", "/".to_owned()),
            ("spin-raw-component-route", "/base/:user_id/:Name/...".to_owned()),
            ("spin-component-route", "/base/:user_id/:Name".to_owned()),
            ("spin-path-match-user-id", "42".to_owned()),
            ("spin-path-match-name", "anna".to_owned()),
            ("x-own", "kept".to_owned()),
        ];
        for (name, value) in &expected {
            assert_eq!(told.get(*name), Some(&vec![value.clone()]), "{guest}: {name}");
        }
        let ours = told.keys().filter(|name| name.starts_with("spin-")).count();
        // Those above but `x-own`, and the client's address.
        assert_eq!(ours, expected.len(), "{guest}: no header of ours beside those: {told:?}");
        assert!(!told.contains_key("host"), "{guest}: the host is the authority");
        assert!(response.text().contains(&format!("authority: {host}")), "{guest}: {}", response.text());
    }
}

#[test]
fn headers_of_our_names_from_a_client_are_removed() {
    let served = serve(BOTH, &[]);
    let forged: Vec<(&str, &str)> = hostile_cases::CLIENT_HEADER.all().iter().map(|case| (case[0], case[1])).collect();
    for generation in ["p2", "p3"] {
        let response = http::request(served.address, "GET", &format!("/{generation}/headers"), &forged, b"");
        assert_eq!(response.status, 200, "{generation}");
        let told = told(&response);
        assert!(
            !response.text().contains("evil") && !told.contains_key("spin-path-match-admin"),
            "{}",
            response.text()
        );
        assert_eq!(told["spin-path-info"], ["/headers"], "{generation}");
        assert!(told.values().all(|values| values.len() == 1), "{generation}: {told:?}");
    }
}

#[test]
fn a_request_must_name_one_host() {
    let fixed = "[[trigger.http]]\nroute = \"/static\"\nstatic_response = { status_code = 202 }\n";
    let served = serve(&format!("{BOTH}{fixed}"), &[]);
    let ask = |target: &str, hosts: &str| {
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(format!("GET {target} HTTP/1.1\r\n{hosts}\r\n")).unwrap();
        client.read_response("GET").map(|response| response.status).ok()
    };
    // Whoever would answer it.
    for (path, status) in [
        ("/p2/headers", 200),
        ("/p3/headers", 200),
        ("/static", 202),
        ("/.well-known/spin/health", 200),
        ("/.well-known/spin/info", 200),
        ("/.well-known/spin/other", 404),
        ("/nowhere", 404),
    ] {
        let absolute = format!("http://a{path}");
        assert_eq!(ask(path, "Host: a\r\n"), Some(status), "{path}");
        assert_eq!(ask(&absolute, "Host: a\r\n"), Some(status), "{path}");
        for (target, hosts) in [
            (path, ""),
            (path, "Host: a\r\nHost: b\r\n"),
            (path, "Host: a\r\nHost: a\r\n"),
            (&absolute, "Host: b\r\n"),
            (path, "Host: user@a\r\n"),
            (path, "Host: a:70000\r\n"),
            // A client can't pretend to be a component that calls another.
            (path, "Host: new.spin.internal\r\n"),
        ] {
            assert_eq!(ask(target, hosts), Some(400), "{target} {hosts:?}");
        }
    }
}

#[test]
fn a_value_that_is_no_text_reaches_who_takes_bytes() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        let mut client = http::Client::connect(served.address).unwrap();
        let head = format!("GET /{generation}/headers HTTP/1.1\r\nhost: a\r\nx-own: a");
        client.send([head.as_bytes(), b"\xff\r\n\r\n"].concat()).unwrap();
        let response = client.read_response("GET").unwrap();
        // The probe tells what is no text with the sign for it.
        assert_eq!(
            (response.status, &told(&response)["x-own"][..]),
            (200, &["a\u{fffd}".to_owned()][..]),
            "{generation}"
        );
    }
}

#[test]
fn what_concerns_the_connection_is_told_to_no_component() {
    let served = serve(BOTH, &[]);
    let sent = [
        ("connection", "keep-alive, x-kept"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authenticate", "Basic"),
        ("proxy-authorization", "Basic eDp5"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"),
        ("x-kept", "1"),
    ];
    for generation in ["p2", "p3"] {
        let response = http::request(served.address, "GET", &format!("/{generation}/headers"), &sent, b"");
        let told = told(&response);
        assert_eq!(told.get("x-kept").map(Vec::len), Some(1), "{generation}: {told:?}");
        for (name, _) in &sent[..7] {
            assert!(!told.contains_key(*name), "{generation}: {name}: {told:?}");
        }
    }
}

#[test]
fn what_a_component_must_not_say_is_not_sent() {
    let served = serve(BOTH, &[]);
    let tried = hostile_cases::GUEST_HEADER.all();
    let expected: String = tried.iter().map(|case| format!("{}: {}\n", case[0], case[1])).collect();
    let ours = ["content-type", "x-good", "transfer-encoding", "content-length", "date"];
    for generation in ["p2", "p3"] {
        let response = http::get(served.address, &format!("/{generation}/odd-headers"));
        assert_eq!((response.status, response.text()), (200, expected.clone()), "{generation}");
        assert!(response.headers.iter().all(|(name, _)| ours.contains(&name.as_str())), "{:?}", response.headers);
    }
}

#[test]
fn a_length_that_is_not_the_bodys_is_no_way_to_a_second_response() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        for case in hostile_cases::GUEST_LENGTH.all() {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /{generation}/length?n={} HTTP/1.1\r\nhost: a\r\n\r\n", case[0])).unwrap();
            client.send("GET /p3/other HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
            let first = client.read_response("GET").unwrap();
            let rest = String::from_utf8(client.read_to_close().unwrap()).unwrap();
            let text = first.text();
            assert!(first.status == 200 && "hello".starts_with(&text), "{generation} {case:?}: {text:?}");
            // Who got all that was announced is answered once more, and nobody else.
            let answers = rest.matches("HTTP/1.1 200 OK").count();
            assert_eq!(
                (answers, rest.is_empty()),
                (first.complete.into(), !first.complete),
                "{generation} {case:?}: {rest}"
            );
            match case[1] {
                "whole" => assert!(first.complete && text == "hello", "{generation} {case:?}: {text:?}"),
                "cut" => assert!(!first.complete, "{generation} {case:?}: {text:?}"),
                _ => assert!(text.len() <= case[0].parse().unwrap(), "{generation} {case:?}: {text:?}"),
            }
        }
    }
}

#[test]
fn over_http_2_nobody_gets_more_than_was_announced() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        for case in hostile_cases::GUEST_LENGTH.all() {
            let mut client = Connection::open(served.address);
            let path = format!("/{generation}/length?n={}", case[0]);
            assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &request("GET", &path))));
            let mut data = Vec::new();
            let ended_well = loop {
                let frame = client.next_of(&[HEADERS, DATA, RST_STREAM]).expect("the connection goes on");
                if frame.kind == DATA {
                    data.extend(frame.payload);
                }
                if frame.kind == RST_STREAM || frame.flags & END_STREAM != 0 {
                    break frame.kind != RST_STREAM;
                }
            };
            let text = String::from_utf8(data).unwrap();
            let announced: usize = case[0].parse().unwrap();
            assert!("hello".starts_with(&text) && text.len() <= announced, "{path}: {text:?}");
            assert_eq!(ended_well, case[1] == "whole", "{path}: {text:?}");
        }
    }
}

#[test]
fn what_a_proxy_would_say_decides_nothing() {
    let served = serve(BOTH, &[]);
    let claims =
        [("x-forwarded-host", "evil"), ("x-forwarded-proto", "https"), ("forwarded", "host=evil"), ("x-host", "evil")];
    for generation in ["p2", "p3"] {
        let path = format!("/{generation}/headers");
        let response = http::request(served.address, "GET", &path, &claims, b"");
        let (text, told) = (response.text(), told(&response));
        assert!(text.contains(&format!("authority: {}\n", served.address)), "{text}");
        assert!(text.contains("scheme: http\n"), "{text}");
        assert_eq!(told["spin-full-url"], [format!("http://{}{path}", served.address)], "{generation}");
        assert_eq!(told["x-forwarded-host"], ["evil"], "a component may look at it: {generation}");
    }
}

#[test]
fn a_request_has_a_name_and_a_place_in_its_trace() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        let path = format!("/{generation}/headers");
        let ask = |headers: &[(&str, &str)]| {
            let response = http::request(served.address, "GET", &path, headers, b"");
            let told = told(&response);
            let [id] = &told["x-request-id"][..] else { panic!("{generation}: {told:?}") };
            (id.clone(), told)
        };
        let (id, told) = ask(&[]);
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{generation}: {id}");
        assert!(!told.contains_key("traceparent"), "{generation}");
        assert_ne!(ask(&[]).0, id, "{generation}");

        let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let (id, told) = ask(&[("x-request-id", "mine"), ("traceparent", &parent), ("tracestate", "a=b")]);
        assert_eq!(id, "mine", "{generation}");
        let [handed_on] = &told["traceparent"][..] else { panic!("{generation}: {told:?}") };
        assert!(
            handed_on.starts_with(&format!("00-{TRACE}-")) && handed_on.ends_with("-01"),
            "{generation}: {handed_on}"
        );
        assert_ne!(*handed_on, parent, "{generation}: a span of the server's own");
        assert_eq!(told["tracestate"], ["a=b"], "{generation}");

        let (id, told) = ask(&[("x-request-id", "two words"), ("traceparent", "00-zz-b7-01"), ("tracestate", "a=b")]);
        assert_eq!(id.len(), 32, "{generation}: {id}");
        assert!(!told.contains_key("traceparent") && !told.contains_key("tracestate"), "{generation}: {told:?}");
    }
}
