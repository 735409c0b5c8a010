//! Instances that serve more than one request.

use spin_tests::http;

use super::{entry, serve};

#[test]
fn instances_of_0_2_are_reused_if_asked_for_one_request_at_a_time() {
    let manifest = entry("old", "/flag/...", "probe-p2", "")
        + "[[trigger.http]]\nroute = \"/off/...\"\ncomponent = \"old\"\nreuse_p2_instances = false\n";
    let flags = ["--reuse-p2-instances", "--max-instance-reuse-count", "3", "--idle-instance-timeout", "30s"];
    let served = serve(&manifest, &flags);
    let counts = |route: &str| -> Vec<String> {
        (0..4).map(|_| http::get(served.address, &format!("/{route}/count")).text().trim().to_owned()).collect()
    };
    assert_eq!(counts("flag"), ["1", "2", "3", "1"]);
    assert_eq!(counts("off"), ["1"; 4]);
    // Two at once have an instance each: neither waits for the other.
    let mut clients: Vec<_> = (0..2)
        .map(|_| {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send("GET /flag/sleep?ms=1000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            client
        })
        .collect();
    let began = std::time::Instant::now();
    for client in &mut clients {
        assert_eq!(client.read_response("GET").unwrap().text(), "slept\n");
    }
    assert!(began.elapsed().as_millis() < 1900, "{:?}", began.elapsed());
    // What streams is the instance's until it ends.
    let mut streaming = http::Client::connect(served.address).unwrap();
    streaming.send("GET /flag/drip?ms=100&n=8 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(streaming.read_head("GET").unwrap().status, 200);
    assert_eq!(http::get(served.address, "/flag/headers").status, 200);
    let mut body = Vec::new();
    while let Some(part) = streaming.next_part().unwrap() {
        body.extend(part);
    }
    assert!(body.ends_with(b"chunk 8\n"));
    // One that trapped is not used again.
    assert_eq!(http::get(served.address, "/flag/trap").status, 500);
    assert_eq!(http::get(served.address, "/flag/count").text(), "1\n");
}

#[test]
fn the_flags_take_ranges_and_suffixes() {
    let flags = [
        "--max-instance-reuse-count=2..3",
        "--max-instance-concurrent-reuse-count=1..2",
        "--idle-instance-timeout=30000ms",
        "--request-timeout=3000000us..4000000μs",
    ];
    let served = serve(&entry("new", "/...", "probe-p3", ""), &flags);
    let count = || http::get(served.address, "/count").text();
    assert_eq!([count(), count(), count()], ["1\n", "2\n", "1\n"]);
    assert_eq!(http::get(served.address, "/sleep?ms=20000").status, 504);
    // An instance that serves one has no room for another, so that nobody is touched by a trap.
    let mut innocent = http::Client::connect(served.address).unwrap();
    innocent.send("GET /sleep?ms=300 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(http::get(served.address, "/trap").status, 500);
    assert_eq!(innocent.read_response("GET").unwrap().text(), "slept\n");
}

#[test]
fn an_idle_instance_is_not_kept_if_asked() {
    let served = serve(&entry("new", "/...", "probe-p3", "idle_instance_timeout = 0"), &[]);
    for _ in 0..3 {
        assert_eq!(http::get(served.address, "/count").text(), "1\n");
    }
}

#[test]
fn who_shared_an_instance_with_one_that_trapped_is_told_to_try_again() {
    for culprit in ["trap", "trap-after"] {
        // The requests may come to have an instance each, or those that count another one than those that trap: then it is
        // tried again.
        let shared = (0..20).any(|_| {
            let served = serve(&entry("new", "/...", "probe-p3", "idle_instance_timeout = \"30s\""), &[]);
            let first = http::get(served.address, "/count").text();
            let mut innocent = http::Client::connect(served.address).unwrap();
            innocent.send("GET /sleep?ms=700 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            // An answer from the same instance says that the other request is in it.
            let second = http::get(served.address, "/count").text();
            let guilty = http::get(served.address, &format!("/{culprit}"));
            match culprit {
                "trap" => assert_eq!((guilty.status, guilty.text().as_str()), (500, "")),
                _ => assert_eq!((guilty.status, guilty.complete), (200, false)),
            }
            let answer = innocent.read_response("GET").unwrap();
            match answer.status {
                503 => {
                    assert_eq!((answer.header("retry-after"), answer.text().as_str()), (Some("1"), ""));
                    // Who comes while the instance is ending is told the same.
                    let mut third = http::get(served.address, "/count");
                    while third.status == 503 {
                        third = http::get(served.address, "/count");
                    }
                    // The instance that has counted to two is not used again.
                    (first.as_str(), second.as_str(), third.text().as_str()) == ("1\n", "2\n", "1\n")
                }
                status => {
                    assert_eq!(status, 200, "{culprit}");
                    false
                }
            }
        });
        assert!(shared, "{culprit}");
    }
}
