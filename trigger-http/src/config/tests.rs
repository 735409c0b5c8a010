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
    let wagi = |argv: &str| Ok(Some(ExecutorConfig::Wagi(WagiConfig { argv: argv.to_owned() })));
    assert_eq!(executor("null"), Ok(None));
    assert_eq!(executor(r#"{"type":"http"}"#), Ok(Some(ExecutorConfig::Http)));
    assert_eq!(executor(r#"{"type":"spin"}"#), Ok(Some(ExecutorConfig::Http)));
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
fn the_last_entry_of_a_component_decides_about_its_executor() {
    let wagi = read(r#"{"route":"/a","component":"c","executor":{"type":"wagi"}}"#).unwrap();
    let http = read(r#"{"route":"/b","component":"c"}"#).unwrap();
    assert!(check_executors([("t1", &wagi), ("t2", &http)]).is_ok());
    let error = check_executors([("t1", &http), ("t2", &wagi)]).unwrap_err();
    assert!(error.to_string().starts_with("trigger t2 asks for the executor `wagi`"), "{error}");
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
