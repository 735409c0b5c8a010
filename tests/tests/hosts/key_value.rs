//! What the cells of key-value can't show: many at once, servers that go away, sizes, and the flag.

use spin_tests::memory::Memory;
use spin_tests::redis::Redis;

use super::Stage;
use super::several::at_once;

const WASI: &str = "wasi:keyvalue@0.2.0-draft2";
const GENERATION2: &str = "fermyon:spin/key-value@2.0.0";
const GENERATION3: &str = "spin:key-value/key-value@3.0.0";

/// Each adds one to two numbers, in two ways.
#[track_caller]
fn count_with_many_at_once(stage: &Stage) {
    let calls: [&[&str]; 3] = [&["open", "default"], &["increment", "n", "1"], &["swap-increment", "swapped"]];
    for answers in at_once(|_| stage.answers(WASI, &calls)) {
        assert!(answers[1].starts_with("ok(") && answers[2] == "ok", "{answers:?}");
    }
}

#[test]
fn no_update_is_lost_by_many_at_once_on_files() {
    let stage = Stage::start("files");
    count_with_many_at_once(&stage);
    let found = stage.rows("key-value", "SELECT key, hex(value) FROM spin_key_value ORDER BY key");
    // 200, as eight bytes with the lowest first, and as a text.
    assert_eq!(found, [["n", "C800000000000000"], ["swapped", "323030"]]);
}

#[test]
fn no_update_is_lost_by_many_at_once_on_redis() {
    let stage = Stage::start("redis");
    count_with_many_at_once(&stage);
    for key in ["n", "swapped"] {
        assert_eq!(stage.redis(&["GET".to_owned(), key.to_owned()]), "200", "{key}");
    }
}

#[test]
fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let mut stage = Stage::start("redis");
    let calls: [&[&str]; 3] = [&["open", "default"], &["set", "a", "1"], &["get", "a"]];
    assert_eq!(stage.answers(GENERATION2, &calls), ["ok", "ok", "ok(some(\"1\"))"]);
    let address = stage.kill_redis();
    for interface in [GENERATION2, GENERATION3] {
        let answers = stage.answers(interface, &calls);
        assert!(answers[1..].iter().all(|answer| answer.starts_with("err(other(")), "{answers:?}");
    }
    stage.revive_redis(address);
    for interface in [GENERATION2, GENERATION3] {
        assert_eq!(stage.answers(interface, &calls), ["ok", "ok", "ok(some(\"1\"))"], "{interface}");
    }
}

#[test]
fn an_answer_has_at_most_128_mib() {
    let stage = Stage::start("files");
    stage.answers(GENERATION2, &[&["open", "default"], &["set", "a", "1"]]);
    let file = rusqlite::Connection::open(stage.file("key-value")).unwrap();
    let numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 256)";
    let sql = format!("{numbers} INSERT INTO spin_key_value SELECT 'default', 'k' || x, zeroblob(1000000) FROM n");
    assert_eq!(file.execute(&sql, []).unwrap(), 256);
    let keys: Vec<String> = (1..=256).map(|n| format!("k{n}")).collect();
    let many = |count: usize| -> Vec<&str> {
        std::iter::once("count-bytes").chain(keys[..count].iter().map(String::as_str)).collect()
    };
    let answers = stage.answers(WASI, &[&["open", "default"], &many(100), &many(256), &["get", "a"]]);
    let too_large = "err(other(\"query result exceeds limit of 134217728 bytes\"))";
    assert_eq!(answers, ["ok", "ok(100000000)", too_large, "ok(some(\"1\"))"]);
}

#[test]
fn a_million_keys_are_streamed_without_being_held() {
    let stage = Stage::start("files");
    stage.answers(GENERATION2, &[&["open", "default"], &["set", "a", "1"], &["delete", "a"]]);
    let file = rusqlite::Connection::open(stage.file("key-value")).unwrap();
    let numbers = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000)";
    let sql = format!(
        "{numbers} INSERT INTO spin_key_value SELECT 'default', printf('a key with number %07d', x), x'' FROM n"
    );
    assert_eq!(file.execute(&sql, []).unwrap(), 1_000_000);
    drop(file);
    count_a_million(&stage);
}

#[test]
fn a_million_keys_of_redis_are_streamed_without_being_held() {
    let stage = Stage::start("redis");
    stage.answers(GENERATION2, &[&["open", "default"], &["exists", "a"]]);
    let script = "for x = 1, 1000000 do redis.call('SET', string.format('a key with number %07d', x), '') end return x";
    stage.redis(&["EVAL", script, "0"].map(str::to_owned));
    count_a_million(&stage);
}

/// Of the store that has that many keys.
#[track_caller]
fn count_a_million(stage: &Stage) {
    let memory = Memory::watch(stage.up.child());
    let answers = stage.answers(GENERATION3, &[&["open", "default"], &["count-keys"]]);
    assert_eq!(answers, ["ok", "ok(1000000)"]);
    assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
}

#[test]
fn what_is_too_large_in_redis_is_not_read_and_nobody_else_notices() {
    let stage = Stage::start("redis");
    stage.redis(&["SETRANGE", "large", "139999999", "x"].map(str::to_owned));
    stage.redis(&["SET", "a", "1"].map(str::to_owned));
    let get = |key| stage.answers(GENERATION2, &[&["open", "default"], &["get", key]])[1].clone();
    assert_eq!(get("a"), "ok(some(\"1\"))");
    let memory = Memory::watch(stage.up.child());
    let too_large = "err(other(\"query result exceeds limit of 134217728 bytes\"))";
    // On the connection that all share, whose answers come in order.
    let is_large = |number: usize| number.is_multiple_of(40);
    let is_change = |number: usize| number % 40 == 1;
    let answers = at_once(|number| {
        if is_change(number) {
            return stage.answers(WASI, &[&["open", "default"], &["increment", "n", "1"]]);
        }
        vec![get(if is_large(number) { "large" } else { "a" })]
    });
    for (number, answer) in answers.iter().enumerate() {
        match is_change(number) {
            true => assert!(answer[1].starts_with("ok("), "{answer:?}"),
            false => assert_eq!(answer[0], if is_large(number) { too_large } else { "ok(some(\"1\"))" }),
        }
    }
    // Each change was made once.
    let changes = (0..answers.len()).filter(|number| is_change(*number)).count();
    assert_eq!(stage.redis(&["GET", "n"].map(str::to_owned)), changes.to_string());
    let many: [&[&str]; 3] = [&["open", "default"], &["count-bytes", "a", "large"], &["get", "a"]];
    assert_eq!(stage.answers(WASI, &many), ["ok", too_large, "ok(some(\"1\"))"]);
    assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
}

#[test]
fn values_are_there_at_start_and_after_a_restart() {
    let stage = Stage::with_flags(&["--key-value", "a=1=2", "--key-value", "b="]);
    let path = stage.file("key-value");
    stage.up.stderr().wait_for_text(&format!("Storing default key-value data to \"{}\".", path.display()));
    let calls: [&[&str]; 3] = [&["open", "default"], &["get", "a"], &["get", "b"]];
    assert_eq!(stage.answers(GENERATION2, &calls), ["ok", "ok(some(\"1=2\"))", "ok(some(\"\"))"]);
    let found = stage.rows("key-value", "SELECT store, key, CAST(value AS TEXT) FROM spin_key_value ORDER BY key");
    assert_eq!(found, [["default", "a", "1=2"], ["default", "b", ""]]);
    let stage = stage.restarted();
    assert_eq!(stage.answers(GENERATION2, &calls), ["ok", "ok(some(\"1=2\"))", "ok(some(\"\"))"]);
}

#[test]
fn what_a_server_is_asked_with_is_told_to_nobody() {
    const SECRET: &str = super::libsql::Libsql::TOKEN;
    let redis = Redis::start_with(&["--requirepass", SECRET]);
    let url = format!("redis://:{SECRET}@{}", redis.address());
    let stage = Stage::telling_all(redis, &url);
    let calls: &[&[&str]] = &[&["open", "default"], &["set", "a", "1"], &["get", "a"]];
    assert_eq!(stage.answers("fermyon:spin/key-value@2.0.0", calls), ["ok", "ok", "ok(some(\"1\"))"]);
    let calls: &[&[&str]] = &[&["open", "default"], &["execute", "SELECT 1 AS a"], &["execute", "SELEC 1"]];
    let answers = stage.answers("fermyon:spin/sqlite@2.0.0", calls);
    assert_eq!(answers[..2], ["ok", "ok(a [i:1])"]);
    let told = stage.up.stderr().text();
    assert!(told.contains("TRACE"), "everything is told: {told}");
    assert!(!told.contains(SECRET) && !answers[2].contains(SECRET), "{told}");
}
