//! The access log, as text and as JSON.

use serde_json::Value;
use spin_tests::http;

use super::client::{ask, converse, get, http2};
use super::{BOTH, serve};

/// The objects behind the listing.
fn objects(served: &super::Served, path: &str) -> Value {
    let line = served.up.stdout().wait_for(&format!("\"path\":\"{path}\""));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn a_request_gives_an_object() {
    let served = serve(BOTH, &["--access-log=json", "--format=json"]);
    let named = [("x-request-id", "mine"), ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let response = http::request(served.address, "POST", "/p2/echo?secret=1", &named, b"hello");
    assert_eq!(response.text(), "hello");
    let line = objects(&served, "/p2/echo");
    for (field, expected) in [
        ("method", "POST".into()),
        ("status", Value::from(200)),
        ("bytes", 5.into()),
        ("component", "old".into()),
        ("request_id", "mine".into()),
        ("trace_id", "0af7651916cd43dd8448eb211c80319c".into()),
    ] {
        assert_eq!(line[field], expected, "{field}: {line}");
    }
    assert!(line["client"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    let time = line["time"].as_str().unwrap();
    assert!(time.len() == "2026-01-01T00:00:00.000Z".len() && time.ends_with('Z'), "{time}");
    assert!(line["duration_ms"].is_u64(), "{line}");
    assert!(!served.up.stdout().text().contains("secret"), "no query: {}", served.up.stdout().text());

    http::get(served.address, "/nowhere");
    let line = objects(&served, "/nowhere");
    assert_eq!((&line["status"], &line["component"]), (&404.into(), &Value::Null));
    http::get(served.address, "/p3/trap");
    let line = objects(&served, "/p3/trap");
    assert_eq!((&line["status"], &line["component"]), (&500.into(), &"new".into()));
    converse(async { ask(&mut http2(served.address).await, get("http://a/p3/other")).await });
    assert_eq!(objects(&served, "/p3/other")["status"], 200);
}

#[test]
fn who_goes_away_is_in_the_log_and_so_is_the_last_request() {
    let served = serve(BOTH, &["--access-log"]);
    // Each has a line. One that goes at once may be gone before it is known whose request it was.
    let routed = (0..20).any(|attempt| {
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(format!("GET /p3/{attempt}/sleep?ms=600000 HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
        drop(client);
        let line = served.up.stdout().wait_for(&format!("\"GET /p3/{attempt}/sleep\""));
        assert!(line.contains("\" - 0 "), "{line}");
        line.contains("ms new ")
    });
    assert!(routed, "{}", served.up.stdout().text());
    assert_eq!(http::get(served.address, "/p3/count").status, 200);
    let ended = served.up.stop();
    assert!(ended.stdout.contains("\"GET /p3/count\" 200 2 "), "{}", ended.snapshot());
}

#[test]
fn what_components_print_is_no_line_of_it_and_without_the_flag_there_is_none() {
    let served = serve(BOTH, &["--access-log"]);
    http::get(served.address, "/p3/print");
    served.up.stdout().wait_for("\"GET /p3/print\"");
    assert!(!served.up.stdout().text().contains("probe: "), "{}", served.up.stdout().text());

    let served = serve(BOTH, &[]);
    http::get(served.address, "/p3/print");
    let ended = served.up.stop();
    assert!(!ended.stdout.contains("print"), "{}", ended.snapshot());
}
