//! What a dependency inherits by each key of stores, databases, models and the network: the probe, behind a component that
//! hands requests on to it. Nobody listens where it connects to, which it gets to know if it may connect.

use spin_tests::{World, http, probes};

const MAIN: &str = include_str!("../../guests/generations/forwarding.wat");

const TABLES: &str = r#"
[[trigger.http]]
route = "/..."
component = "main"
[component.main]
source = "main.wat"
allowed_outbound_hosts = ["*://127.0.0.1:*"]
key_value_stores = ["default"]
sqlite_databases = ["default"]
ai_models = ["llama2"]
[component.main.dependencies]
"wasi:http/handler@0.3.0" = { path = "host-probe.wasm", inherit_configuration = [KEYS] }
"#;

const STORES: &str = "key_value_stores";
const DATABASES: &str = "sqlite_databases";
const MODELS: &str = "ai_models";
const HOSTS: &str = "allowed_outbound_hosts";
const NOT_INHERITED: &str = "(\"dependency \\\"wasi:http/handler@0.3.0\\\" does not inherit";

/// Interfaces, each with the key that gives it, a call, how its answer begins with the key, and its error without.
const CALLS: [(&str, &str, &str, &str, &str); 21] = [
    ("fermyon:spin/key-value", STORES, "open\tdefault", "ok", "access-denied"),
    ("fermyon:spin/key-value@2.0.0", STORES, "open\tdefault", "ok", "access-denied"),
    ("spin:key-value/key-value@3.0.0", STORES, "open\tdefault", "ok", "access-denied"),
    ("wasi:keyvalue@0.2.0-draft2", STORES, "open\tdefault", "ok", "access-denied"),
    ("fermyon:spin/sqlite", DATABASES, "open\tdefault", "ok", "access-denied"),
    ("fermyon:spin/sqlite@2.0.0", DATABASES, "open\tdefault", "ok", "access-denied"),
    ("spin:sqlite/sqlite@3.1.0", DATABASES, "open\tdefault", "ok", "access-denied"),
    ("spin:sqlite/sqlite@3.1.0", DATABASES, "open-async\tdefault", "ok", "access-denied"),
    ("fermyon:spin/llm", MODELS, "infer\tllama2\thi", "err(runtime-error(", "invalid-input"),
    ("fermyon:spin/llm@2.0.0", MODELS, "infer\tllama2\thi", "err(runtime-error(", "invalid-input"),
    ("fermyon:spin/redis@2.0.0", HOSTS, "open\tredis://{server}", "err(other(", "invalid-address"),
    ("spin:redis/redis@3.0.0", HOSTS, "open\tredis://{server}", "err(other(", "invalid-address"),
    ("fermyon:spin/mqtt@2.0.0", HOSTS, "open\tmqtt://{server}?client_id=a", "ok", "invalid-address"),
    ("spin:mqtt/mqtt@3.0.0", HOSTS, "open\tmqtt://{server}?client_id=a", "ok", "invalid-address"),
    ("fermyon:spin/mysql@2.0.0", HOSTS, "open\tmysql://{server}/", "err(connection-failed(", "connection-failed"),
    ("spin:mysql/mysql@3.0.0", HOSTS, "open\tmysql://{server}/", "err(connection-failed(", "connection-failed"),
    (
        "fermyon:spin/postgres@2.0.0",
        HOSTS,
        "open\tpostgres://u@{server}/",
        "err(connection-failed(",
        "connection-failed",
    ),
    (
        "spin:postgres/postgres@3.0.0",
        HOSTS,
        "open\tpostgres://u@{server}/",
        "err(connection-failed(",
        "connection-failed",
    ),
    (
        "spin:postgres/postgres@4.2.0",
        HOSTS,
        "open\tpostgres://u@{server}/",
        "err(connection-failed(",
        "connection-failed",
    ),
    ("wasi:sockets@0.2", HOSTS, "tcp\t{server}\tone", "err(connection-refused", "access-denied"),
    ("wasi:sockets@0.3", HOSTS, "tcp\t{server}\tone", "err(connection-refused", "access-denied"),
];

/// Asks a dependency with these keys everything at once.
#[track_caller]
fn check(keys: &[&str]) {
    let world = World::new();
    world.install("trigger-http");
    let list: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
    let tables = TABLES.replace("KEYS", &list.join(", "));
    let app = world.app("app", &probes::manifest(&tables), &["host-probe"]);
    std::fs::write(app.dir().join("main.wat"), MAIN).unwrap();
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let server = format!("127.0.0.1:{}", spin_tests::free_port());
    let script: Vec<String> = CALLS.iter().map(|(interface, _, call, ..)| format!("{interface}\n{call}")).collect();
    let script = script.join("\n\n").replace("{server}", &server);
    let response = http::request(up.serving(), "POST", "/", &[], script.as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    let text = response.text();
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), CALLS.len(), "{answers:#?}");
    for ((interface, key, call, allowed, denied), answer) in CALLS.into_iter().zip(answers) {
        if keys.contains(&key) {
            let is_allowed = answer.starts_with(allowed) && !answer.contains("does not inherit");
            assert!(is_allowed, "{keys:?} {interface} {call}: {answer}");
        } else {
            // Where the error has a place for it, a text says why.
            let text = if matches!(denied, "connection-failed" | "invalid-input") { NOT_INHERITED } else { ")" };
            assert!(answer.starts_with(&format!("err({denied}{text}")), "{keys:?} {interface} {call}: {answer}");
        }
    }
}

#[test]
fn a_dependency_that_inherits_nothing_uses_nothing() {
    check(&[]);
}

#[test]
fn a_dependency_uses_what_one_key_gives_it() {
    for key in [STORES, DATABASES, MODELS, HOSTS] {
        check(&[key]);
    }
}

#[test]
fn a_dependency_uses_what_all_keys_give_it() {
    check(&[STORES, DATABASES, MODELS, HOSTS]);
}
