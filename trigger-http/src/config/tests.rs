//! Entries and settings as users write them.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn read(json: &str) -> Result<HttpTriggerConfig, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn routes() {
    let route = |json: &str| {
        read(&format!(r#"{{"component":"c","route":{json}}}"#)).map(|entry| entry.route).map_err(|error| {
            // Without the position, which is one of a generated text.
            error.split(" at line").next().unwrap_or_default().to_owned()
        })
    };
    assert_eq!(route(r#""/a/...""#), Ok(RouteConfig::Path("/a/...".to_owned())));
    assert_eq!(route(r#"{"private":true}"#), Ok(RouteConfig::Private));
    let message = |json: &str| route(json).unwrap_err();
    assert_eq!(message(r#"{"private":false}"#), "`route` is { private = false }: write the route itself instead");
    assert_eq!(message(r#"{"public":true}"#), "unknown field `public`, expected `private`");
    assert_eq!(message("{}"), "missing field `private`");
    assert_eq!(
        message("7"),
        "invalid type: integer `7`, expected a route such as \"/users/:id/...\" or { private = true }"
    );
    assert!(read(r#"{"component":"c"}"#).unwrap_err().contains("missing field `route`"));
}

#[test]
fn executors() {
    let executor = |json: &str| {
        read(&format!(r#"{{"component":"c","route":"/","executor":{json}}}"#))
            .map(|entry| entry.executor)
            .map_err(|error| error.split(" at line").next().unwrap_or_default().to_owned())
    };
    let wagi = |argv: &str| Ok(ExecutorConfig::Wagi(WagiConfig { argv: argv.to_owned() }));
    assert_eq!(read(r#"{"component":"c","route":"/"}"#).unwrap().executor, ExecutorConfig::Http);
    assert_eq!(executor(r#"{"type":"http"}"#), Ok(ExecutorConfig::Http));
    assert_eq!(executor(r#"{"type":"spin"}"#), Ok(ExecutorConfig::Http));
    assert_eq!(executor(r#"{"type":"wagi"}"#), wagi("${SCRIPT_NAME} ${ARGS}"));
    assert_eq!(executor(r#"{"argv":"x","type":"wagi","entrypoint":"_start"}"#), wagi("x"));
    let message = |json: &str| executor(json).unwrap_err();
    assert_eq!(
        message(r#"{"type":"wagi","entrypoint":"main"}"#),
        "deprecated 'entrypoint': only `_start` is possible, not `main`; remove the key"
    );
    assert_eq!(message(r#"{"type":"http","argv":"x"}"#), "`argv` and `entrypoint` belong to the executor `wagi` only");
    assert_eq!(
        message(r#"{"type":"fcgi"}"#),
        "invalid value: string \"fcgi\", expected `http`, `spin` or `wagi` as `type`"
    );
    assert_eq!(message("{}"), "missing field `type`");
    assert_eq!(message(r#"{"type":"http","x":1}"#), "unknown field `x`, expected one of `type`, `argv`, `entrypoint`");
}

#[test]
fn exactly_one_of_component_and_static_response() {
    let target = |json: &str| read(json).unwrap().target("t").map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(target(r#"{"route":"/","component":"c"}"#), Ok(()));
    assert_eq!(target(r#"{"route":"/","static_response":{}}"#), Ok(()));
    assert_eq!(
        target(r#"{"route":"/"}"#),
        Err("triggers must specify either component or static_response - t has neither".to_owned())
    );
    assert_eq!(
        target(r#"{"route":"/","component":"c","static_response":{}}"#),
        Err("triggers must specify either component or static_response - t has both".to_owned())
    );
}

#[test]
fn unknown_keys_are_refused() {
    let message = read(r#"{"route":"/","component":"c","methods":[]}"#).unwrap_err();
    assert!(message.contains("unknown field `methods`"), "{message}");
}

#[test]
fn an_entry_is_named_by_its_component_or_its_trigger() {
    assert_eq!(read(r#"{"route":"/","component":"c"}"#).unwrap().name("t"), "c");
    assert_eq!(read(r#"{"route":"/","static_response":{}}"#).unwrap().name("t"), "t");
}

#[test]
fn an_entry_has_the_instance_flags_as_keys() {
    let entry = |keys: &str| {
        read(&format!(r#"{{"component":"c","route":"/",{keys}}}"#))
            .map_err(|error| error.split(" at line").next().unwrap_or_default().to_owned())
    };
    let read = entry(
        r#""max_instance_reuse_count":"2..5","max_instance_concurrent_reuse_count":3,
           "idle_instance_timeout":0,"request_timeout":"250ms","reuse_p2_instances":true"#,
    )
    .unwrap();
    assert_eq!(read.max_instance_reuse_count, Some(Range::Between { start: 2, end: 5 }));
    assert_eq!(read.max_instance_concurrent_reuse_count, Some(Range::Fixed(3)));
    assert_eq!(read.idle_instance_timeout, Some(Range::Fixed(Duration::ZERO)));
    assert_eq!(read.request_timeout, Some(Range::Fixed(Duration::from_millis(250))));
    assert_eq!(read.reuse_p2_instances, Some(true));
    for (text, time) in [
        ("2", Duration::from_secs(2)),
        ("2s", Duration::from_secs(2)),
        ("2ms", Duration::from_millis(2)),
        ("2us", Duration::from_micros(2)),
        ("2\u{b5}s", Duration::from_micros(2)),
        ("2\u{3bc}s", Duration::from_micros(2)),
        ("2ns", Duration::from_nanos(2)),
    ] {
        let read = entry(&format!(r#""request_timeout":"{text}","idle_instance_timeout":"{text}""#)).unwrap();
        assert_eq!(read.request_timeout, Some(Range::Fixed(time)), "{text}");
        assert_eq!(read.idle_instance_timeout, Some(Range::Fixed(time)), "{text}");
    }
    let message = |keys: &str| entry(keys).unwrap_err();
    assert_eq!(
        message(r#""max_instance_reuse_count":0"#),
        "`max_instance_reuse_count`: must be at least 1, not `0`; expected a count such as 128 or \"64..129\""
    );
    assert!(message(r#""max_instance_reuse_count":-1"#).contains("count`: `-1` is not a whole number"));
    assert!(message(r#""request_timeout":0"#).contains("timeout`: must be at least 1ns, not `0`"));
    assert!(message(r#""request_timeout":true"#).contains("expected `request_timeout` as a duration such as 30"));
}

#[test]
fn settings() {
    let check = |json: &str| {
        let settings: HttpSettings = serde_json::from_str(json).map_err(|error| error.to_string())?;
        settings.check().map_err(|error| error.to_string())
    };
    assert_eq!(check("{}"), Ok(None));
    assert_eq!(check(r#"{"base":"/"}"#), Ok(Some(BaseIsIgnored)));
    assert!(check(r#"{"base":"/v1"}"#).unwrap_err().contains("put it in front of every route"));
    assert!(check(r#"{"bass":"/"}"#).unwrap_err().contains("unknown field `bass`"));
}
