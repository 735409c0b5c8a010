//! Requests of an app to itself and from component to component, which never leave the process.

use std::net::SocketAddr;

use hyper::Request;
use spin_tests::{World, http};

use super::client::{ask, converse, empty, http2};
use super::{both_allowed, forward, hostile_cases, serve};

/// Sends a body in two parts, and wants the first one back before it sends the second.
#[track_caller]
pub(super) fn echoes_while_it_comes(address: SocketAddr, path: &str) {
    let mut client = http::Client::connect(address).unwrap();
    client.send(format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ntransfer-encoding: chunked\r\n\r\n")).unwrap();
    client.send("5\r\nfirst\r\n").unwrap();
    assert_eq!(client.read_head("POST").unwrap().status, 200, "{path}");
    let mut read = |length: usize| {
        let mut body = Vec::new();
        while body.len() < length {
            body.extend(client.next_part().unwrap().expect("the body goes on"));
        }
        String::from_utf8(body).unwrap()
    };
    assert_eq!(read(5), "first", "{path}");
    client.send("6\r\nsecond\r\n0\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    while let Some(part) = client.next_part().unwrap() {
        rest.extend(part);
    }
    assert_eq!(rest, b"second", "{path}");
}

/// The probes of both generations, each also behind a private route only, and one with a name in capitals.
fn app(hosts: &str) -> String {
    let private = r#"
[[trigger.http]]
route = { private = true }
component = "back-p2"
[[trigger.http]]
route = { private = true }
component = "BACK-p3"
[[trigger.http]]
route = "/static"
static_response = { status_code = 201, body = "static" }
[component.back-p2]
source = "probe-p2.wasm"
[component.BACK-p3]
source = "probe-p3.wasm"
"#;
    let back = private.replace(".wasm\"", &format!(".wasm\"\nallowed_outbound_hosts = {hosts}"));
    format!("{}{back}", both_allowed(hosts))
}

const CHAINED: &str = r#"["http://*.spin.internal", "https://*.spin.internal"]"#;

#[test]
fn a_component_reaches_another_by_its_name() {
    let served = serve(&app(CHAINED), &[]);
    for generation in ["p2", "p3"] {
        for back in ["back-p2", "back-p3", "BACK-P3"] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{back}.spin.internal/headers/a?b=c");
                let headers =
                    [("host", "front.example.com"), ("spin-client-addr", "1.2.3.4:5"), ("x-request-id", "mine")];
                let path = forward(generation, &url, "&header=x-one%3A1&header=spin-path-info%3A%2Ffake&method=PUT");
                let response = http::request(served.address, "GET", &path, &headers, b"");
                let expected = format!(
                    "PUT /headers/a?b=c\nscheme: http\nauthority: {}.spin.internal\n\
                     spin-base-path: /\nspin-client-addr: 0.0.0.0:0\nspin-component-route: \n\
                     spin-full-url: http://localhost/headers/a?b=c\nspin-matched-route: /...\nspin-path-info: /headers/a\n\
                     spin-raw-component-route: /...\nx-one: 1\nx-request-id: mine\n",
                    back.to_lowercase()
                );
                assert_eq!((response.status, response.text()), (200, expected), "{generation} {url}");
            }
        }
        // Any port will do: there is none.
        let url = "http://back-p2.spin.internal/other";
        assert_eq!(http::get(served.address, &forward(generation, url, "")).status, 200);
        // What fails there is a response here.
        for (behaviour, status) in [("trap", 500), ("status/404", 404), ("no-response", 500)] {
            let url = format!("http://back-p3.spin.internal/{behaviour}");
            assert_eq!(http::get(served.address, &forward(generation, &url, "")).status, status, "{behaviour}");
        }
        let url = "http://back-p2.spin.internal/trap-after";
        assert!(!http::get(served.address, &forward(generation, url, "")).complete, "{generation}");
        let url = "http://back-p2.spin.internal/drip?ms=5000";
        let response = http::get(served.address, &forward(generation, url, "&between-bytes-ms=200"));
        assert_eq!((response.text().as_str(), response.complete), ("chunk 1\n", false), "{generation}");
        let url = "http://back-p2.spin.internal/sleep?ms=5000";
        let response = http::get(served.address, &forward(generation, url, "&first-byte-ms=200"));
        assert_eq!(response.text(), "error: connection-read-timeout\n", "{generation}");
    }
}

#[test]
fn the_app_reaches_itself_by_a_path_and_by_its_own_name() {
    let served = serve(&app(r#"["http://self"]"#), &[]);
    for generation in ["p2", "p3"] {
        for own in ["", "http://self.alt", "https://self.alt:444", "http://SELF.ALT."] {
            let headers = [("host", "steering.example.com"), ("x-request-id", "mine")];
            let path = forward(generation, &format!("{own}/p2/headers/a?b"), "");
            let response = http::request(served.address, "GET", &path, &headers, b"");
            let expected = format!(
                "GET /p2/headers/a?b\nscheme: http\nauthority: {address}\nspin-base-path: /\nspin-client-addr: 0.0.0.0:0\n\
                 spin-component-route: /p2\nspin-full-url: http://{address}/p2/headers/a?b\nspin-matched-route: /p2/...\n\
                 spin-path-info: /headers/a\nspin-raw-component-route: /p2/...\nx-request-id: mine\n",
                address = served.address
            );
            assert_eq!((response.status, response.text()), (200, expected), "{generation} {own}");
        }
        for (path, status, body) in
            [("/static", 201, "static"), ("/nowhere", 404, ""), ("/.well-known/spin/health", 200, "OK")]
        {
            let response = http::get(served.address, &forward(generation, path, ""));
            assert_eq!((response.status, response.text().as_str()), (status, body), "{generation} {path}");
        }
        // Permission to reach the app is none to reach its private components.
        let url = "http://back-p2.spin.internal/other";
        assert_eq!(http::get(served.address, &forward(generation, url, "")).text(), "error: http-request-denied\n");
    }
}

#[test]
fn a_chained_request_has_the_name_and_the_trace_of_the_one_that_caused_it() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c";
    let parent = format!("{TRACE}-b7ad6b7169203331-01");
    let served = serve(&app(r#"["http://*.spin.internal", "http://self"]"#), &[]);
    for (generation, target) in [
        ("p2", "http://back-p3.spin.internal/headers"),
        ("p3", "http://back-p2.spin.internal/headers"),
        ("p2", "/p3/headers"),
        ("p3", "/p2/headers"),
    ] {
        // What the innermost of two components that are called on the way is told.
        let nested = format!("http://new.spin.internal{}", forward("any", target, ""));
        for target in [target, &nested] {
            let told = |headers: &[(&str, &str)], more: &str| {
                let response = http::request(served.address, "GET", &forward(generation, target, more), headers, b"");
                let told: Vec<String> = response.text().lines().map(str::to_owned).collect();
                let line = |name: &str| told.iter().find_map(|line| line.strip_prefix(name).map(str::to_owned));
                (line("x-request-id: "), line("traceparent: "))
            };
            let (inner, _) = told(&[], "");
            assert_eq!(inner.map(|id| id.len()), Some(32), "{generation} {target}");
            let sent = [("x-request-id", "mine"), ("traceparent", parent.as_str()), ("tracestate", "a=b")];
            let (inner, trace) = told(&sent, "");
            assert_eq!(inner.as_deref(), Some("mine"), "{generation} {target}");
            let trace = trace.unwrap();
            assert!(trace.starts_with(&format!("{TRACE}-")) && trace != parent, "{generation} {target}: {trace}");
        }
        // What a guest names itself keeps its name.
        let named = forward(generation, target, "&header=x-request-id%3Aits-own");
        let response = http::get(served.address, &named);
        assert!(response.text().contains("x-request-id: its-own\n"), "{generation} {target}: {}", response.text());
    }
}

#[test]
fn bodies_are_streamed_through_several_components() {
    let served = serve(&app(r#"["http://*.spin.internal", "http://self"]"#), &[]);
    for (generation, back) in [("p2", "back-p3"), ("p3", "back-p2")] {
        let echo = format!("http://{back}.spin.internal/echo");
        echoes_while_it_comes(served.address, &forward(generation, &echo, ""));
        echoes_while_it_comes(served.address, &forward(generation, "/p3/echo", ""));
        // Three components in a row: each forwards to the next, the last one echoes.
        let nested = format!("http://{back}.spin.internal{}", forward("any", "http://new.spin.internal/echo", ""));
        echoes_while_it_comes(served.address, &forward(generation, &nested, ""));
    }
}

#[test]
fn a_loop_is_ended() {
    // Each step adds a percent sign to every one before it, so a URL can hold as many steps as it takes.
    let nested = |steps: usize, hosts: &[&str]| {
        (0..steps)
            .fold("/other".to_owned(), |path, step| forward("any", &format!("{}{path}", hosts[step % hosts.len()]), ""))
    };
    let served = serve(&app(r#"["http://*.spin.internal", "http://self"]"#), &[]);
    for hosts in [
        &["http://old.spin.internal"][..],
        &["http://new.spin.internal"],
        &["http://new.spin.internal", "http://old.spin.internal"],
        &["http://self.alt/p3"],
    ] {
        for generation in ["p2", "p3"] {
            let response = http::get(served.address, &nested(16, hosts).replacen("/any", &format!("/{generation}"), 1));
            assert_eq!(response.status, 200, "{hosts:?} {generation}: {}", response.text());
            let response = http::get(served.address, &nested(17, hosts).replacen("/any", &format!("/{generation}"), 1));
            assert_eq!(response.text(), "error: loop-detected\n", "{hosts:?} {generation}");
        }
    }
    served.up.stderr().wait_for("looks like a loop");
    // Who is nested in nothing is not taken for a loop because others in the same instance are.
    assert_eq!(
        http::get(served.address, &nested(2, &["http://new.spin.internal"]).replacen("/any", "/p3", 1)).status,
        200
    );
}

#[test]
fn what_is_no_component_is_an_error_and_no_crash() {
    let served = serve(&app(r#"["*://*:*"]"#), &[]);
    for generation in ["p2", "p3"] {
        let url = "http://nobody.spin.internal/";
        assert_eq!(http::get(served.address, &forward(generation, url, "")).text(), "error: destination-not-found\n");
        assert_eq!(http::get(served.address, &forward(generation, "/p2/other", "")).status, 200, "{generation}");
    }
    served.up.stderr().wait_for("nobody.spin.internal");
}

#[test]
fn a_client_does_not_decide_where_a_request_of_the_app_goes() {
    let served = serve(&app(r#"["http://self"]"#), &[]);
    let path = forward("p3", "/p2/headers", "");
    let own = format!("authority: {}\n", served.address);
    let others: Vec<(&str, &str)> = hostile_cases::HEADER.all().iter().map(|case| (case[0], case[1])).collect();
    for case in hostile_cases::HOST.all() {
        let [target, host, status] = case[..] else { panic!("{case:?}") };
        let headers = [&[("host", host)], &others[..]].concat();
        let response = http::request(served.address, "GET", &target.replace("PATH", &path), &headers, b"");
        assert_eq!(response.status.to_string(), status, "{target} {host}");
        // A component's name is taken away, and then there is none.
        assert!(status == "400" || response.text().contains(&own), "{target} {host}: {}", response.text());
    }
    converse(async {
        let mut client = http2(served.address).await;
        for case in hostile_cases::AUTHORITY.all() {
            let [authority, host, status] = case[..] else { panic!("{case:?}") };
            let mut request = Request::get(format!("http://{authority}{path}"));
            if host != "-" {
                request = request.header("host", host);
            }
            let answer = ask(&mut client, request.body(empty()).unwrap()).await;
            assert_eq!(answer.status.as_str(), status, "{authority} {host}");
            assert!(status == "400" || answer.text.contains(&own), "{authority} {host}: {}", answer.text);
        }
    });
}

#[test]
fn chained_requests_do_not_wait_for_places_that_their_callers_hold() {
    let served = serve(&app(r#"["http://*.spin.internal", "http://self"]"#), &["--max-instances", "2"]);
    let paths: Vec<String> = (0..8)
        .map(|index| {
            let (generation, back) = if index % 2 == 0 { ("p2", "back-p3") } else { ("p3", "back-p2") };
            forward(generation, &format!("http://{back}.spin.internal/sleep?ms=50"), "")
        })
        .collect();
    std::thread::scope(|scope| {
        let address = served.address;
        for path in &paths {
            // Some find no place; nobody waits for ever.
            scope.spawn(move || assert!([200, 503].contains(&http::get(address, path).status), "{path}"));
        }
    });
    assert_eq!(http::get(served.address, "/p2/other").status, 200);
}

#[test]
fn a_trigger_that_can_not_chain_refuses_an_app_that_wants_it() {
    let world = World::new();
    world.install("trigger-redis");
    let manifest = r#"
        spin_manifest_version = 2
        application = { name = "app", trigger = { redis = { address = "redis://127.0.0.1:1" } } }
        [[trigger.redis]]
        channel = "channel"
        component = "probe"
        [component.probe]
        source = "redis-probe.wasm"
        allowed_outbound_hosts = ["http://other.spin.internal"]
    "#;
    let app = world.app("app", manifest, &["redis-probe"]);
    let refused = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("local_service_chaining"), "{}", refused.snapshot());
}
