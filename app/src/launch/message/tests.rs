//! The exact lines of the channel, and what happens to lines that are not messages.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;

use super::*;
use crate::launch::MAX_LINE_BYTES;
use crate::launch::metrics::Metric;

fn hello() -> Hello {
    Hello::new("http".parse().unwrap(), "0.1.0")
}

fn metrics() -> Vec<Metric> {
    let of_hello = |metric: Metric| metric.with_label("component".parse().unwrap(), "hello");
    vec![
        of_hello(Metric::counter("spin_events_total".parse().unwrap(), 12.0).unwrap()),
        of_hello(
            Metric::histogram("spin_event_duration_seconds".parse().unwrap(), vec![(0.005, 3)], 0.31, 12).unwrap(),
        ),
        Metric::gauge("spin_memory_bytes".parse().unwrap(), 0.5).unwrap(),
    ]
}

/// These texts are the protocol: a change here breaks triggers written in other languages.
#[test]
fn lines_are_spelled_as_the_protocol_says() {
    let cases = [
        (
            TriggerMessage::Hello(hello()),
            r#"{"hello":{"protocols":[1],"type":"http","version":"0.1.0","features":[]}}"#,
        ),
        (
            TriggerMessage::Progress(Progress::new("compile", 1, 3)),
            r#"{"progress":{"phase":"compile","done":1,"of":3}}"#,
        ),
        (
            TriggerMessage::Ready(Ready::new(vec![Endpoint::new("http", "http://127.0.0.1:3000")])),
            r#"{"ready":{"endpoints":[{"kind":"http","address":"http://127.0.0.1:3000"}]}}"#,
        ),
        (
            TriggerMessage::Failed(Failed::new("http::address-in-use", "no")),
            r#"{"failed":{"code":"http::address-in-use","message":"no"}}"#,
        ),
        (TriggerMessage::Prepared(Generation::new(2)), r#"{"prepared":{"id":2}}"#),
        (
            TriggerMessage::Rejected(Rejected::new(2, "http::route", "no")),
            r#"{"rejected":{"id":2,"code":"http::route","message":"no"}}"#,
        ),
        (TriggerMessage::Committed(Generation::new(2)), r#"{"committed":{"id":2}}"#),
        (TriggerMessage::Retired(Generation::new(2)), r#"{"retired":{"id":2}}"#),
        (
            TriggerMessage::Status(Status::new(7, true, metrics())),
            concat!(
                r#"{"status":{"id":7,"ready":true,"metrics":["#,
                r#"{"type":"counter","name":"spin_events_total","labels":{"component":"hello"},"value":12.0},"#,
                r#"{"type":"histogram","name":"spin_event_duration_seconds","labels":{"component":"hello"},"#,
                r#""buckets":[[0.005,3]],"sum":0.31,"count":12},"#,
                r#"{"type":"gauge","name":"spin_memory_bytes","labels":{},"value":0.5}]}}"#,
            ),
        ),
    ];
    for (message, line) in cases {
        assert_eq!(message.encode(), format!("{line}\n"));
        assert_eq!(TriggerMessage::decode(line.as_bytes()), Ok(Some(message.clone())));
        assert!(line.starts_with(&format!("{{\"{}\"", message.name())));
    }
    let cases = [
        (HostMessage::Welcome(Welcome::new(1)), r#"{"welcome":{"protocol":1,"features":[]}}"#),
        (HostMessage::Drain(Drain::new(Duration::from_secs(30))), r#"{"drain":{"grace_ms":30000}}"#),
        (
            HostMessage::Reload(Reload::new(2, "file:///run/spin-1/gen-2/spin.lock", "/run/spin-1/gen-2")),
            concat!(
                r#"{"reload":{"id":2,"locked_url":"file:///run/spin-1/gen-2/spin.lock","#,
                r#""working_dir":"/run/spin-1/gen-2"}}"#,
            ),
        ),
        (HostMessage::Commit(Generation::new(2)), r#"{"commit":{"id":2}}"#),
        (HostMessage::Abort(Generation::new(2)), r#"{"abort":{"id":2}}"#),
        (HostMessage::Status(StatusRequest::new(7)), r#"{"status":{"id":7}}"#),
    ];
    for (message, line) in cases {
        assert_eq!(message.encode(), format!("{line}\n"));
        assert_eq!(HostMessage::decode(line.as_bytes()), Ok(Some(message.clone())));
        assert!(line.starts_with(&format!("{{\"{}\"", message.name())));
    }
}

#[test]
fn what_a_newer_side_adds_is_ignored() {
    assert_eq!(TriggerMessage::decode(br#"{"suspended":{"id":7}}"#), Ok(None));
    assert_eq!(HostMessage::decode(br#"{"suspend":null}"#), Ok(None));
    let commit = HostMessage::Commit(Generation::new(7));
    assert_eq!(HostMessage::decode(br#"{"commit":{"id":7,"at":"noon"}}"#), Ok(Some(commit)));
    let line = br#"{"status":{"id":7,"ready":true,"mood":1,"metrics":[{"type":"summary","quantiles":[]},
        {"type":"gauge","name":"spin_memory_bytes","labels":{},"value":0.5,"unit":"B"}]}}"#;
    let status = TriggerMessage::Status(Status::new(7, true, metrics().split_off(2)));
    assert_eq!(TriggerMessage::decode(line), Ok(Some(status)));
    let status = TriggerMessage::Status(Status::new(7, false, Vec::new()));
    assert_eq!(TriggerMessage::decode(br#"{"status":{"id":7,"ready":false}}"#), Ok(Some(status)));
    let line = br#"{"hello":{"protocols":[1,2],"type":"http","version":"9","colour":"blue"}}"#;
    let Ok(Some(TriggerMessage::Hello(hello))) = TriggerMessage::decode(line) else { panic!("not read") };
    assert_eq!(hello.protocols, [1, 2]);
    let line = br#"{"ready":{"endpoints":[{"kind":"http","address":"a","tls":true}]}}"#;
    assert!(matches!(TriggerMessage::decode(line), Ok(Some(TriggerMessage::Ready(_)))));
}

#[test]
fn lines_that_are_not_messages_are_refused() {
    for line in ["", " ", "hello", "[]", "null", "{}", r#"{"hello":{},"ready":{}}"#, "{\"hello\":", "\u{1b}[2J"] {
        let error = TriggerMessage::decode(line.as_bytes()).unwrap_err();
        assert!(matches!(error, MessageError::NotAMessage { .. }), "{line:?}: {error}");
        assert!(!error.to_string().contains('\u{1b}'), "the message must be harmless to print");
    }
    assert_eq!(TriggerMessage::decode(b"{\"a\xff\":1}"), Err(MessageError::NotUtf8 { at: 3 }));
    let deep = "[".repeat(100_000);
    assert!(TriggerMessage::decode(deep.as_bytes()).is_err());
}

#[test]
fn wrong_fields_name_the_message() {
    let error = TriggerMessage::decode(br#"{"hello":{"protocols":1}}"#).unwrap_err();
    assert!(error.to_string().starts_with("bad \"hello\" message on the control channel: "), "{error}");
    let error = TriggerMessage::decode(br#"{"hello":{"protocols":[1],"type":"../x","version":""}}"#).unwrap_err();
    assert!(error.to_string().contains("is not a trigger type"), "{error}");
    assert!(HostMessage::decode(br#"{"drain":{"grace_ms":-1}}"#).is_err());
    assert!(HostMessage::decode(br#"{"commit":{"id":"2"}}"#).is_err());
    for metric in [r#"{"name":"a","value":1}"#, r#"{"type":"gauge","name":"no name","value":1}"#, "1"] {
        let line = format!(r#"{{"status":{{"id":7,"ready":true,"metrics":[{metric}]}}}}"#);
        let error = TriggerMessage::decode(line.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with("bad \"status\" message on the control channel: "), "{error}");
    }
}

#[test]
fn an_enormous_failure_still_fits_a_line() {
    let line = TriggerMessage::Failed(Failed::new("x", "\u{1}é".repeat(MAX_LINE_BYTES))).encode();
    assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
    let line = TriggerMessage::Rejected(Rejected::new(1, "x", "\u{1}é".repeat(MAX_LINE_BYTES))).encode();
    assert!(line.len() <= MAX_LINE_BYTES, "{}", line.len());
}

#[test]
fn more_metrics_than_fit_a_line_are_left_out() {
    let many = metrics().into_iter().cycle().take(20_000).collect();
    let status = Status::new(u64::MAX, false, many);
    let left = status.metrics.len();
    assert!((5_000..20_000).contains(&left), "{left}");
    let line = TriggerMessage::Status(status).encode();
    assert!((MAX_LINE_BYTES - 2048..=MAX_LINE_BYTES).contains(&line.len()), "{}", line.len());
}

#[test]
fn an_endless_grace_saturates() {
    assert_eq!(Drain::new(Duration::MAX).grace_ms, u64::MAX);
}

proptest! {
    #[test]
    fn no_line_makes_decoding_panic(line in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = (TriggerMessage::decode(&line), HostMessage::decode(&line));
    }

    #[test]
    fn any_text_stays_on_one_line(code in ".{0,20}", message in "(.|\n){0,40}") {
        let sent = TriggerMessage::Failed(Failed::new(code, message));
        let line = sent.encode();
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert_eq!(TriggerMessage::decode(line.as_bytes()), Ok(Some(sent)));
    }
}
