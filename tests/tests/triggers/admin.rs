//! The admin listener of an app.

use std::net::{SocketAddr, TcpListener};

use spin_tests::{Signal, http};

use super::super::{SOON, Stubs, WAITS, admin, all_said, until};

const LISTEN: &[&str] = &["--admin-listen", "127.0.0.1:0"];

/// The status and the body of a path.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = http::get(address, path);
    (response.status, response.text())
}

fn status(address: SocketAddr, path: &str) -> u16 {
    http::get(address, path).status
}

/// The samples that are told.
fn samples(address: SocketAddr) -> Vec<String> {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200);
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn an_app_that_is_well_says_so_and_counts() {
    let stubs = Stubs::new().stub("left").script("plain", WAITS);
    let app = stubs.app(&[("left", "value = 'one'"), ("plain", "")]);
    let up = stubs.up(&app, &[LISTEN, &["--on-trigger-exit", "left=restart"]].concat()).start();
    let address = admin(&up);
    assert!(address.ip().is_loopback());
    all_said(&up, 2);
    until("it has said all", || samples(address).len() == 8);
    let triggers = r#"[{"on_exit":"restart","restarts":0,"state":"ready","type":"left"},{"on_exit":"end","restarts":0,"state":"ready","type":"plain"}]"#;
    assert_eq!(get(address, "/readyz"), (200, format!("{{\"status\":\"ready\",\"triggers\":{triggers}}}\n")));
    assert_eq!(get(address, "/healthz"), (200, format!("{{\"status\":\"healthy\",\"triggers\":{triggers}}}\n")));
    assert_eq!(
        samples(address),
        [
            r#"spin_events_total{component="a",trigger="left"} 12"#,
            r#"spin_reloads_total{outcome="committed"} 0"#,
            r#"spin_reloads_total{outcome="refused"} 0"#,
            r#"spin_reloads_total{outcome="aborted"} 0"#,
            r#"spin_trigger_restarts_total{trigger="left"} 0"#,
            r#"spin_trigger_restarts_total{trigger="plain"} 0"#,
            r#"spin_trigger_up{trigger="left"} 1"#,
            r#"spin_trigger_up{trigger="plain"} 1"#,
        ]
    );
    let kind = http::get(address, "/metrics").header("content-type").unwrap().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    up.stop().success();
}

#[test]
fn only_what_there_is_can_be_read_and_nothing_can_be_written() {
    let stubs = Stubs::new().stub("left");
    let app = stubs.app(&[("left", "value = 'one'")]);
    let up = stubs.up(&app, &["--admin-listen", "0"]).start();
    let address = admin(&up);
    up.stdout().wait_for("serves");
    let head = http::request(address, "HEAD", "/healthz", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let refused = http::request(address, method, "/readyz", &[], b"");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!((status(address, "/"), status(address, "/metrics/x")), (404, 404));
    let long = "x".repeat(64 * 1024);
    assert_eq!(http::request(address, "GET", "/healthz", &[("x-long", &long)], b"").status, 431);
    assert_eq!(status(address, "/healthz"), 200);
    up.stop().success();
}

#[test]
fn an_app_is_not_ready_before_every_trigger_is() {
    let stubs = Stubs::new().stub("left").stub("late");
    let app = stubs.app(&[("left", "value = 'one'"), ("late", "value = 'one'\nstart = 'never-ready'")]);
    let up = stubs.up(&app, LISTEN).start();
    let address = admin(&up);
    all_said(&up, 2);
    until("it is known to start", || get(address, "/readyz").1.contains("starting"));
    assert_eq!((status(address, "/readyz"), status(address, "/healthz")), (503, 200));
    assert!(samples(address).contains(&r#"spin_trigger_up{trigger="late"} 0"#.to_owned()));
    up.stop().success();
}

#[test]
fn a_trigger_that_is_down_is_seen_and_so_are_its_starts() {
    let stubs = Stubs::new().stub("strong").script("weak", "exit 3").script("job", "exit 0");
    let app = stubs.app(&[("strong", "value = 'one'"), ("weak", ""), ("job", "")]);
    let arguments = [LISTEN, &["--on-trigger-exit", "weak=restart", "--on-trigger-exit=job=ignore"]].concat();
    let up = stubs.up(&app, &arguments).start();
    let address = admin(&up);
    up.stdout().wait_for("[strong] serves");
    up.stderr().wait_for("trigger-weak ended (exit code 3); it is started again in 4 s");
    let (code, body) = get(address, "/healthz");
    assert_eq!(code, 200, "what waits for its restart is looked after: {body}");
    for part in [
        r#"{"on_exit":"restart","restarts":2,"state":"waiting for its restart","type":"weak"}"#,
        r#"{"on_exit":"ignore","restarts":0,"state":"ended","type":"job"}"#,
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert_eq!(status(address, "/readyz"), 503);
    let samples = samples(address);
    for sample in [
        r#"spin_events_total{component="a",trigger="strong"} 12"#,
        r#"spin_trigger_restarts_total{trigger="weak"} 2"#,
        r#"spin_trigger_up{trigger="job"} 0"#,
        r#"spin_trigger_up{trigger="strong"} 1"#,
        r#"spin_trigger_up{trigger="weak"} 0"#,
    ] {
        assert!(samples.iter().any(|said| said == sample), "{sample} in {samples:?}");
    }
    up.stop().success();
}

#[test]
fn a_trigger_that_does_not_answer_is_not_up() {
    let stubs = Stubs::new().stub("mute").stub("unready");
    let app = stubs.app(&[("mute", "value = 'm'\nstatus = 'never'"), ("unready", "value = 'u'\nstatus = 'unready'")]);
    let up = stubs.up(&app, LISTEN).start();
    let address = admin(&up);
    up.stdout().wait_for("serves");
    up.stdout().wait_for("serves");
    until("both are known to run", || !get(address, "/readyz").1.contains("starting"));
    let (code, body) = get(address, "/readyz");
    assert_eq!(code, 503);
    assert!(body.contains(r#""state":"not answering","type":"mute""#), "{body}");
    assert!(body.contains(r#""state":"not ready","type":"unready""#), "{body}");
    assert_eq!(status(address, "/healthz"), 200, "that is for the supervisor to say");
    let samples = samples(address);
    for sample in [r#"spin_trigger_up{trigger="mute"} 0"#, r#"spin_trigger_up{trigger="unready"} 1"#] {
        assert!(samples.iter().any(|said| said == sample), "{sample} in {samples:?}");
    }
    up.stop().success();
}

#[test]
fn an_app_that_drains_is_not_ready_and_not_ill() {
    let slow = "trap 'echo drains; read line < $0.end; exit 0' TERM\nmkfifo $0.end $0.never; echo runs\n\
        exec 3<>$0.never; read line <&3";
    let stubs = Stubs::new().script("slow", slow).stub("quick");
    let app = stubs.app(&[("slow", ""), ("quick", "value = 'q'")]);
    let up = stubs.up(&app, LISTEN).start();
    let address = admin(&up);
    all_said(&up, 2);
    up.signal(Signal::TERM);
    up.stdout().wait_for("[slow] drains");
    let (code, body) = get(address, "/readyz");
    assert_eq!((code, body.contains("\"status\":\"draining\"")), (503, true), "{body}");
    assert_eq!(status(address, "/healthz"), 200);
    std::fs::write(stubs.world.path("trigger-slow.end"), "\n").unwrap();
    up.finish_within(SOON).success();
}

#[test]
fn reloads_are_counted_by_how_they_went() {
    let stubs = Stubs::new().stub("left");
    let app = stubs.app(&[("left", "value = 'one'")]);
    let up = stubs.up(&app, LISTEN).start();
    let address = admin(&up);
    up.stdout().wait_for("serves");
    for (entry, said) in [
        ("value = 'two'", "The app is reloaded"),
        ("value = 'two'\nprepare = 'reject'", "can't run the app"),
        ("value =", "code: manifest::"),
        ("value = 'three'", "The app is reloaded"),
    ] {
        stubs.rewrite(&[("left", entry)]);
        up.signal(Signal::USR1);
        up.stderr().wait_for(said);
    }
    let samples = samples(address);
    for sample in [
        r#"spin_reloads_total{outcome="committed"} 2"#,
        r#"spin_reloads_total{outcome="aborted"} 1"#,
        r#"spin_reloads_total{outcome="refused"} 1"#,
    ] {
        assert!(samples.iter().any(|said| said == sample), "{sample} in {samples:?}");
    }
    up.stop().success();
}

#[test]
fn a_port_that_is_taken_is_found_out_before_anything_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let stubs = Stubs::new().stub("left");
    let app = stubs.app(&[("left", "value = 'one'")]);
    let refused = stubs.up(&app, &["--admin-listen", &taken.local_addr().unwrap().to_string()]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("code: admin::listen"), "{}", refused.snapshot());
    assert_eq!(refused.stdout, "");
}

#[test]
fn connections_that_say_nothing_lose_their_places() {
    let stubs = Stubs::new().stub("left");
    let app = stubs.app(&[("left", "value = 'one'")]);
    let up = stubs.up(&app, LISTEN).start();
    let address = admin(&up);
    up.stdout().wait_for("serves");
    // As many as there are places.
    let silent: Vec<_> = (0..16).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    assert_eq!(status(address, "/healthz"), 200);
    drop(silent);
    up.stop().success();
}
