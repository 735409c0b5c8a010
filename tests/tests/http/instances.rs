//! Instances: fresh or reused, and what becomes of those that trap, loop, or take too much.

use std::time::{Duration, Instant};

use spin_tests::http;

use super::{BOTH, serve};

#[test]
fn instances_of_0_2_are_fresh_and_those_of_0_3_are_reused() {
    let served = serve(BOTH, &["--max-instance-reuse-count", "3"]);
    let counts = |path: &str| -> Vec<String> {
        (0..6).map(|_| http::get(served.address, path).text().trim().to_owned()).collect()
    };
    assert_eq!(counts("/p2/count"), ["1"; 6]);
    assert_eq!(counts("/p3/count"), ["1", "2", "3", "1", "2", "3"]);
}

#[test]
fn a_looping_guest_gets_504_and_others_answer_meanwhile() {
    let served = serve(BOTH, &["--max-cpu-time", "1s"]);
    for generation in ["p2", "p3"] {
        let mut loops: Vec<_> = (0..4)
            .map(|_| {
                let mut client = http::Client::connect(served.address).unwrap();
                let request = format!("GET /{generation}/loop HTTP/1.1\r\nhost: a\r\n\r\n");
                client.send(request).unwrap();
                client
            })
            .collect();
        let began = Instant::now();
        for other in ["/p2/other", "/p3/other"] {
            assert_eq!(http::get(served.address, other).status, 200, "{generation}: {other}");
        }
        let answered = began.elapsed();
        for client in &mut loops {
            let response = client.read_response("GET").unwrap();
            // One that shared its instance with the one to blame is told to try again.
            assert!([504, 503].contains(&response.status), "{generation}: {}", response.status);
            if response.status == 503 {
                assert_eq!(response.header("retry-after"), Some("1"));
            }
        }
        assert!(answered < began.elapsed(), "others were answered while the loops ran");
        served.up.stderr().wait_for("processor time");
        assert_eq!(http::get(served.address, &format!("/{generation}/other")).status, 200);
    }
}

#[test]
fn a_guest_that_only_waits_uses_no_processor_time() {
    let served = serve(BOTH, &["--max-cpu-time", "100ms"]);
    for generation in ["p2", "p3"] {
        let response = http::get(served.address, &format!("/{generation}/sleep?ms=600"));
        assert_eq!((response.status, response.text().as_str()), (200, "slept\n"), "{generation}");
        let response = http::get(served.address, &format!("/{generation}/drip?ms=60&n=10"));
        assert!(response.complete && response.text().ends_with("chunk 10\n"), "{generation}: {}", response.text());
    }
}

#[test]
fn no_response_in_time_is_504() {
    let served = serve(BOTH, &["--request-timeout", "300ms"]);
    for generation in ["p2", "p3"] {
        let began = Instant::now();
        let response = http::get(served.address, &format!("/{generation}/sleep?ms=20000"));
        assert_eq!(response.status, 504, "{generation}");
        assert!(began.elapsed() < Duration::from_secs(10), "{generation}");
        // The deadline is for the head: a body may take longer.
        let response = http::get(served.address, &format!("/{generation}/drip?ms=100&n=8"));
        assert!(response.complete && response.text().ends_with("chunk 8\n"), "{generation}: {}", response.text());
    }
}

#[test]
fn what_a_guest_does_wrong_is_500() {
    let served = serve(BOTH, &[]);
    for generation in ["p2", "p3"] {
        for path in ["trap", "no-response", "refuse"] {
            let response = http::get(served.address, &format!("/{generation}/{path}"));
            assert_eq!((response.status, response.text().as_str()), (500, ""), "{generation}/{path}");
        }
        served.up.stderr().wait_for("error processing request");
        // The response began: it can only be cut.
        let response = http::get(served.address, &format!("/{generation}/trap-after"));
        assert_eq!((response.status, response.complete), (200, false), "{generation}");
        // A trapped instance isn't used again.
        assert_eq!(http::get(served.address, &format!("/{generation}/count")).text(), "1\n");
    }
}

#[test]
fn memory_is_limited() {
    let served = serve(BOTH, &["--max-instance-memory", "33554432"]);
    for generation in ["p2", "p3"] {
        let response = http::get(served.address, &format!("/{generation}/grow"));
        let text = response.text();
        let megabytes: u64 =
            text.strip_prefix("memory ended after ").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap();
        assert!((16..32).contains(&megabytes), "{generation}: {text}");
    }
}

#[test]
fn too_many_at_once_are_told_to_come_back() {
    let served = serve(BOTH, &["--max-instances", "1"]);
    // One runs, one waits, and there is no room for a third.
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send("GET /p2/sleep?ms=1500 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            client
        })
        .collect();
    let mut statuses: Vec<u16> = clients.iter_mut().map(|client| client.read_response("GET").unwrap().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503]);
    assert_eq!(http::get(served.address, "/p2/other").status, 200, "there is room again");
}

#[test]
fn an_idle_instance_gives_its_place_to_another_component() {
    let served = serve(BOTH, &["--max-instances", "1", "--idle-instance-timeout", "30s"]);
    assert_eq!(http::get(served.address, "/p3/count").text(), "1\n");
    assert_eq!(http::get(served.address, "/p3/count").text(), "2\n", "it is kept as long as nobody needs its place");
    let began = Instant::now();
    assert_eq!(http::get(served.address, "/p2/other").status, 200);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
