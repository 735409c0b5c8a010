//! What becomes of a component's response on its way out.

use spin_tests::{World, http};

use super::{BOTH, both_allowed, serve, serve_in};

#[test]
fn an_empty_response_says_that_it_is_empty() {
    let served = serve(BOTH, &[]);
    // Without a body, and with one into which nothing is written.
    for path in ["/p2/bodiless", "/p2/status/200", "/p3/bodiless", "/p3/status/200"] {
        // Of a fresh instance, and of one that has answered before.
        for _ in 0..20 {
            let response = http::get(served.address, path);
            let header = |name| response.header(name);
            let framing = (header("content-length"), header("transfer-encoding"));
            assert_eq!((response.status, framing, response.complete), (200, (Some("0"), None), true), "{path}");
        }
    }
}

#[test]
fn a_response_has_the_headers_of_the_component_with_date_and_framing_and_no_others() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        for path in ["other", "bodiless", "status/404", "length?n=5", "drip?n=2&ms=1", "echo"] {
            let response = http::get(served.address, &format!("/{generation}/{path}"));
            let mut names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
            names.sort_unstable();
            let framing = match response.header("content-length") {
                Some(_) => "content-length",
                None => "transfer-encoding",
            };
            let mut expected = ["content-type", "date", framing];
            expected.sort_unstable();
            assert_eq!(names, expected, "{generation} {path}");
        }
    }
}

#[test]
fn a_body_may_be_written_before_the_response_is_given() {
    let served = serve(BOTH, &[]);
    for (length, more) in [(0, ""), (1, ""), (4096, ""), (4096, "&flush")] {
        let response = http::get(served.address, &format!("/p2/body-first?{length}{more}"));
        assert_eq!((response.status, response.text().as_str()), (200, "x".repeat(length).as_str()), "{length}");
        assert!(response.complete, "{length}");
    }
}

#[test]
fn the_error_of_a_request_arrives_in_its_future() {
    let world = World::new();
    let served = serve_in(world, &both_allowed("[]"), &[]);
    assert_eq!(http::get(served.address, "/p2/denied-where").text(), "the future: http-request-denied");
}
