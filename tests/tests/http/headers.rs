//! What a component is told about its request, and what a client can't make it believe.

use std::collections::BTreeMap;

use spin_tests::http;

use super::{BOTH, GENERATIONS, serve};

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
    let forged = [
        ("spin-path-info", "/env/HOME"),
        ("Spin-Full-Url", "http://evil/"),
        ("spin-matched-route", "evil"),
        ("spin-base-path", "/evil"),
        ("spin-raw-component-route", "evil"),
        ("spin-component-route", "evil"),
        ("spin-client-addr", "1.2.3.4:5"),
        ("spin-path-match-admin", "true"),
        ("SPIN-PATH-MATCH-ADMIN", "true"),
    ];
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
    let served = serve(BOTH, &[]);
    let ask = |bytes: &str| {
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(bytes).unwrap();
        client.read_response("GET").map(|response| response.status).ok()
    };
    assert_eq!(ask("GET /p3/headers HTTP/1.1\r\nHost: a\r\n\r\n"), Some(200));
    assert_eq!(ask("GET http://a/p3/headers HTTP/1.1\r\nHost: a\r\n\r\n"), Some(200));
    for bad in [
        "GET /p3/headers HTTP/1.1\r\n\r\n",
        "GET /p3/headers HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET http://a/p3/headers HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET /p3/headers HTTP/1.1\r\nHost: user@a\r\n\r\n",
        // A client can't pretend to be a component that calls another.
        "GET /p3/headers HTTP/1.1\r\nHost: new.spin.internal\r\n\r\n",
    ] {
        assert_eq!(ask(bad), Some(400), "{bad}");
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
            (response.header("x-request-id").unwrap().to_owned(), told(&response))
        };
        let (id, told) = ask(&[]);
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{generation}: {id}");
        assert_eq!(told["x-request-id"], std::slice::from_ref(&id), "{generation}");
        assert!(!told.contains_key("traceparent"), "{generation}");
        assert_ne!(ask(&[]).0, id, "{generation}");

        let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
        let (id, told) = ask(&[("x-request-id", "mine"), ("traceparent", &parent), ("tracestate", "a=b")]);
        assert_eq!((id.as_str(), &told["x-request-id"][..]), ("mine", &["mine".to_owned()][..]), "{generation}");
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
