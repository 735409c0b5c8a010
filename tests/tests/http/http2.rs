//! HTTP/2 beside HTTP/1.1 on one port.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use spin_tests::http;

use super::client::{ask, converse, empty, full, get, http2, parts, read};
use super::frames::{Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame, request};
use super::{BOTH, serve};

#[test]
fn both_versions_are_served_on_one_port() {
    let served = serve(BOTH, &[]);
    assert_eq!(http::get(served.address, "/p3/other").status, 200);
    converse(async {
        let mut client = http2(served.address).await;
        for generation in ["p2", "p3"] {
            let answer = ask(&mut client, get(&format!("http://example.com/{generation}/headers?a=b"))).await;
            assert_eq!(answer.status, 200, "{generation}");
            assert!(answer.text.contains("\nx-request-id: "), "{generation}: {}", answer.text);
            // A body that is whole with the head has a length.
            let is_framing = |name: &&str| *name == "content-length";
            let mut names: Vec<&str> =
                answer.headers.keys().map(|name| name.as_str()).filter(|name| !is_framing(name)).collect();
            names.sort_unstable();
            assert_eq!(names, ["content-type", "date"], "{generation}");
            for part in
                ["authority: example.com\n", &format!("spin-full-url: http://example.com/{generation}/headers?a=b\n")]
            {
                assert!(answer.text.contains(part), "{generation}: {part} is not in\n{}", answer.text);
            }
        }
        assert_eq!(ask(&mut client, get("http://a/nowhere")).await.status, 404);
    });
}

#[test]
fn bodies_stream_both_ways() {
    let served = serve(BOTH, &[]);
    converse(async {
        let mut client = http2(served.address).await;
        for generation in ["p2", "p3"] {
            let uri = format!("http://a/{generation}/echo");
            let (mut sender, body) = parts();
            sender.send_data(Bytes::from_static(b"first")).await.unwrap();
            let response = client.send_request(Request::post(&uri).body(body).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200, "{generation}");
            let mut body = response.into_body();
            // The end may come with a part that is empty.
            let mut next = async || {
                while let Some(frame) = body.frame().await {
                    match frame.unwrap().into_data().unwrap() {
                        data if data.is_empty() => {}
                        data => return Some(data),
                    }
                }
                None
            };
            // The answer to the first part comes before the second is sent.
            assert_eq!(next().await.unwrap(), "first", "{generation}");
            sender.send_data(Bytes::from_static(b"second")).await.unwrap();
            drop(sender);
            assert_eq!(next().await.unwrap(), "second", "{generation}");
            assert_eq!(next().await, None, "{generation}");

            let large = vec![b'x'; 4 << 20];
            let answer = ask(&mut client, Request::post(&uri).body(full(large.clone())).unwrap()).await;
            assert!(answer.text.as_bytes() == large, "{generation}: {} bytes", answer.text.len());
        }
    });
}

#[test]
fn trailers_are_handed_on_both_ways() {
    let served = serve(BOTH, &[]);
    converse(async {
        let mut client = http2(served.address).await;
        for generation in ["p2", "p3"] {
            let (mut sender, body) = parts();
            let request = Request::post(format!("http://a/{generation}/echo")).body(body).unwrap();
            let response = client.send_request(request);
            sender.send_data(Bytes::from_static(b"body")).await.unwrap();
            let trailers =
                [("x-sum", "1"), ("x-more", "2")].map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            sender.send_trailers(trailers.into_iter().collect()).await.unwrap();
            drop(sender);
            let answer = response.await.unwrap().into_body().collect().await.unwrap();
            let trailers = answer.trailers().unwrap_or_else(|| panic!("{generation}: no trailers"));
            assert!(trailers["x-sum"] == "1" && trailers["x-more"] == "2", "{generation}: {trailers:?}");
            assert_eq!(answer.to_bytes(), "body", "{generation}");
        }
    });
}

#[test]
fn many_requests_share_a_connection() {
    let served = serve(BOTH, &[]);
    converse(async {
        let mut client = http2(served.address).await;
        // More than the server takes at once: the others wait in the client.
        let answers: Vec<_> = (0..300).map(|_| client.send_request(get("http://a/p3/other"))).collect();
        for answer in answers {
            assert_eq!(answer.await.unwrap().status(), 200);
        }
        client.ready().await.unwrap();
    });
}

#[test]
fn a_request_must_name_one_host() {
    let served = serve(BOTH, &[]);
    converse(async {
        let mut client = http2(served.address).await;
        for (authority, host, status) in [
            ("a", None, 200),
            ("a", Some("a"), 200),
            ("a", Some("b"), 400),
            ("back.spin.internal", None, 400),
            ("back.spin.internal", Some("back.spin.internal"), 400),
        ] {
            let mut request = Request::get(format!("http://{authority}/p3/headers"));
            if let Some(host) = host {
                request = request.header("host", host);
            }
            let answer = ask(&mut client, request.body(empty()).unwrap()).await;
            assert_eq!(answer.status, status, "{authority} {host:?}");
            assert!(!answer.text.contains("spin.internal"), "{}", answer.text);
        }
    });
}

#[test]
fn too_many_headers_are_refused() {
    let served = serve(BOTH, &[]);
    converse(async {
        let mut client = http2(served.address).await;
        let with = |count: usize| {
            let mut request = Request::get("http://a/p3/other");
            for number in 0..count {
                request = request.header(format!("x-{number}"), "");
            }
            request.body(empty()).unwrap()
        };
        assert_eq!(ask(&mut client, with(100)).await.status, 200);
        assert_eq!(ask(&mut client, with(101)).await.status, 431);
        assert_eq!(ask(&mut client, get("http://a/p3/other")).await.status, 200, "the connection goes on");
    });
}

#[test]
fn a_request_that_began_before_the_end_is_answered() {
    let served = serve(BOTH, &[]);
    let up = served.up;
    converse(async {
        let mut client = http2(served.address).await;
        let response = client.send_request(get("http://a/p3/drip?n=2&ms=1500")).await.unwrap();
        let mut body = response.into_body();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "chunk 1\n");
        up.signal(spin_tests::Signal::TERM);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "chunk 2\n");
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
        // GOAWAY has come meanwhile.
        assert!(client.ready().await.is_err() || client.send_request(get("http://a/p3/other")).await.is_err());
    });
    assert_eq!(up.finish_within(std::time::Duration::from_secs(20)).code, Some(0));
}

#[test]
fn what_has_no_body_on_the_wire_has_none() {
    let served = serve(BOTH, &[]);
    let mut client = Connection::open(served.address);
    let paths =
        ["/p2/other", "/p3/other", "/p2/drip?n=1000&ms=20", "/p3/drip?n=1000&ms=20", "/.well-known/spin/health", "/-"];
    for (stream, path) in (1..).step_by(2).zip(paths) {
        assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, &request("HEAD", path))), "{path}");
        let head = client.next_of(&[HEADERS, DATA, RST_STREAM, GOAWAY]).unwrap();
        assert_eq!(
            (head.kind, head.stream, head.flags & END_STREAM),
            (HEADERS, stream, END_STREAM),
            "{path}: {head:?}"
        );
        assert_eq!(head.status(), Some(if path == "/-" { 404 } else { 200 }), "{path}");
    }
    // Nothing came afterwards: the next frame that is no housekeeping answers this one.
    assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, 99, &request("GET", "/p3/other"))));
    assert_eq!(client.next_of(&[HEADERS, DATA, RST_STREAM, GOAWAY]).unwrap().stream, 99);
}

#[test]
fn a_request_that_is_reset_gives_its_instance_back() {
    let served = serve(BOTH, &["--max-instances", "1"]);
    converse(async {
        let mut client = http2(served.address).await;
        for generation in ["p2", "p3"] {
            let url = format!("http://a/{generation}/drip?n=2&ms=1");
            read(client.send_request(get(&url)).await.unwrap()).await;
            let request = client.send_request(get(&format!("http://a/{generation}/sleep?ms=3000000")));
            // Sent, and after a time the client loses interest.
            assert!(tokio::time::timeout(std::time::Duration::from_millis(300), request).await.is_err());
            assert_eq!(ask(&mut client, get("http://a/p2/other")).await.status, 200, "{generation}");
        }
    });
}
