//! Several back ends in one request, many requests at once.

use spin_tests::postgres::Postgres;

use crate::stage::Stage;

/// How many requests come at once.
const AT_ONCE: usize = 200;

/// What all of them are answered, each of which has a number.
#[track_caller]
pub(super) fn at_once(ask: impl Fn(usize) -> Vec<String> + Sync) -> Vec<Vec<String>> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..AT_ONCE).map(|number| scope.spawn(move || ask(number))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

/// Each request adds one to a number in each back end, through the means that each has against lost updates.
const SCRIPT: &[&[&str]] = &[
    &["open", "default"],
    &["increment", "n", "1"],
    &["swap-increment", "swapped"],
    &[""],
    &["fermyon:spin/sqlite@2.0.0"],
    &["open", "default"],
    &["execute", "UPDATE t SET n = n + 1"],
    &[""],
    &["fermyon:spin/postgres@2.0.0"],
    &["open", "{postgres}"],
    &["execute", "UPDATE t SET n = n + 1"],
];

#[test]
fn no_update_is_lost_by_many_at_once_that_use_several_back_ends() {
    let stage = Stage::on_postgres(Postgres::start());
    stage.postgres().query("CREATE TABLE t (n int); INSERT INTO t VALUES (0)");
    let table: &[&[&str]] =
        &[&["open", "default"], &["execute", "CREATE TABLE t (n int)"], &["execute", "INSERT INTO t VALUES (0)"]];
    let made = stage.answers("fermyon:spin/sqlite@2.0.0", table);
    assert!(made.iter().all(|answer| answer.starts_with("ok")), "{made:?}");
    for answers in at_once(|_| stage.answers("wasi:keyvalue@0.2.0-draft2", SCRIPT)) {
        assert_eq!(answers.len(), 7, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.starts_with("ok")), "{answers:?}");
    }
    let numbers = stage.rows("key-value", "SELECT key, hex(value) FROM spin_key_value ORDER BY key");
    // 200, as eight bytes with the lowest first, and as a text.
    assert_eq!(numbers, [["n", "C800000000000000"], ["swapped", "323030"]]);
    assert_eq!(stage.rows("database", "SELECT n FROM t"), [["200"]]);
    assert_eq!(stage.postgres().query("SELECT n FROM t"), [["200"]]);
}
