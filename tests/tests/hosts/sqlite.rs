//! What the cells of SQLite can't show: many at once, streams, sizes, and the flag.

use spin_tests::World;
use spin_tests::memory::Memory;

use super::Stage;
use super::several::at_once;

const GENERATION2: &str = "fermyon:spin/sqlite@2.0.0";
const GENERATION3: &str = "spin:sqlite/sqlite@3.1.0";

/// The same in a file and on a libsql server.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod in_a_file {
            $(#[test]
            fn $test() {
                super::$test("files");
            })*
        }
        mod on_a_server {
            $(#[test]
            fn $test() {
                super::$test("libsql");
            })*
        }
    };
}

on_both! {
    a_million_rows_are_streamed_without_being_held,
    a_guest_that_stops_reading_stops_the_statement,
    a_guest_that_stops_reading_keeps_its_transaction,
    rows_that_are_left_unread_hold_up_no_other_statement,
    an_answer_has_at_most_128_mib_and_a_stream_has_no_end,
}

/// Numbers from 1 on: so many, or without an end.
fn numbers(most: Option<usize>) -> String {
    let end = most.map(|most| format!(" WHERE x < {most}")).unwrap_or_default();
    format!("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n{end})")
}

#[test]
fn many_writers_at_once_wait_for_each_other() {
    let stage = Stage::start("files");
    let made = stage.answers(GENERATION2, &[&["open", "default"], &["execute", "CREATE TABLE t (x)"]]);
    assert_eq!(made, ["ok", "ok"]);
    let insert = |number| {
        let insert: &[&str] = &["execute", "INSERT INTO t VALUES (?1)", &format!("i:{number}")];
        stage.answers(GENERATION2, &[&["open", "default"], insert])
    };
    for answers in at_once(insert) {
        assert_eq!(answers, ["ok", "ok"]);
    }
    assert_eq!(stage.rows("database", "SELECT count(DISTINCT x), count(*) FROM t"), [["200", "200"]]);
}

fn a_million_rows_are_streamed_without_being_held(backend: &str) {
    let stage = Stage::start(backend);
    let first = format!("{} SELECT x, 'a row with a text' FROM n", numbers(Some(1)));
    stage.answers(GENERATION3, &[&["open", "default"], &["count-rows", &first]]);
    let memory = Memory::watch(stage.up.child());
    let million = format!("{} SELECT x, 'a row with a text' FROM n", numbers(Some(1_000_000)));
    let answers = stage.answers(GENERATION3, &[&["open", "default"], &["count-rows", &million]]);
    assert_eq!(answers, ["ok", "ok(1000000)"]);
    assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
}

fn a_guest_that_stops_reading_stops_the_statement(backend: &str) {
    let stage = Stage::start(backend);
    let endless = format!("{} SELECT x FROM n", numbers(None));
    // The connection is free for the next statement, and the process for the next request.
    let calls: [&[&str]; 3] = [&["open", "default"], &["first-row", &endless], &["execute", "SELECT 2 AS a"]];
    for _ in 0..3 {
        assert_eq!(stage.answers(GENERATION3, &calls), ["ok", "[i:1]", "ok(a [i:2])"]);
    }
}

fn a_guest_that_stops_reading_keeps_its_transaction(backend: &str) {
    let stage = Stage::start(backend);
    let rows = format!("{} SELECT x, 'a row with a text' FROM n", numbers(Some(100_000)));
    let calls: [&[&str]; 6] = [
        &["open", "default"],
        &["execute", "BEGIN"],
        &["execute", "CREATE TABLE t (x)"],
        &["first-row", &rows],
        &["execute", "INSERT INTO t VALUES (1)"],
        &["execute", "COMMIT"],
    ];
    let answers = stage.answers(GENERATION3, &calls);
    assert_eq!(answers, ["ok", "ok", "ok", "[i:1 t:a row with a text]", "ok", "ok"]);
    let file = if backend == "files" { "database" } else { backend };
    assert_eq!(stage.rows(file, "SELECT x FROM t"), [["1"]]);
}

fn rows_that_are_left_unread_hold_up_no_other_statement(backend: &str) {
    let stage = Stage::start(backend);
    let rows = format!("{} SELECT x, 'a row with a text' FROM n", numbers(Some(100_000)));
    let endless = format!("{} SELECT x FROM n", numbers(None));
    let calls: [&[&str]; 8] = [
        &["open", "default"],
        &["leave-rows", &rows],
        &["execute", "CREATE TABLE t (x)"],
        &["execute-async", "INSERT INTO t VALUES (1) RETURNING x"],
        &["count-left"],
        &["leave-rows", &endless],
        &["execute", "SELECT x FROM t"],
        &["count-left"],
    ];
    let too_large = "err(io(\"query result exceeds limit of 134217728 bytes\"))";
    let expected = ["ok", "ok", "ok", "ok(x [i:1])", "ok(100000)", "ok", "ok(x [i:1])", too_large];
    assert_eq!(stage.answers(GENERATION3, &calls), expected);
}

fn an_answer_has_at_most_128_mib_and_a_stream_has_no_end(backend: &str) {
    let stage = Stage::start(backend);
    let large = format!("{} SELECT hex(zeroblob(500000)) FROM n", numbers(Some(200)));
    let calls: [&[&str]; 4] =
        [&["open", "default"], &["execute", &large], &["count-rows", &large], &["execute", "SELECT 1 AS a"]];
    let too_large = "err(io(\"query result exceeds limit of 134217728 bytes\"))";
    assert_eq!(stage.answers(GENERATION3, &calls), ["ok", too_large, "ok(200)", "ok(a [i:1])"]);
}

#[test]
fn statements_run_at_start_on_a_server() {
    let flags = ["--sqlite", "CREATE TABLE t (x); INSERT INTO t VALUES (3)"];
    let stage = Stage::on_libsql_with_flags(&flags);
    assert_eq!(stage.rows("libsql", "SELECT x FROM t"), [["3"]]);
}

#[test]
fn statements_run_at_start() {
    let world = World::new();
    let file = world.write("setup.sql", "CREATE TABLE t (x);\nINSERT INTO t VALUES ('; a text'), (2);\n");
    let file = format!("@{}", file.display());
    let stage = Stage::with_flags(&["--sqlite", &file, "--sqlite", "INSERT INTO t VALUES (3)"]);
    let path = stage.file("database");
    stage.up.stderr().wait_for_text(&format!("Storing default SQLite data to \"{}\".", path.display()));
    let answers = stage.answers(GENERATION2, &[&["open", "default"], &["execute", "SELECT x FROM t"]]);
    assert_eq!(answers, ["ok", "ok(x [t:; a text] [i:2] [i:3])"]);
    assert_eq!(stage.rows("database", "SELECT x FROM t"), [["; a text"], ["2"], ["3"]]);
}

#[test]
fn what_nobody_reads_any_more_is_stopped_and_closed_at_the_server() {
    let stage = Stage::start("libsql");
    let endless = format!("{} SELECT x FROM n", numbers(None));
    assert_eq!(stage.answers(GENERATION3, &[&["open", "default"], &["first-row", &endless]]), ["ok", "[i:1]"]);
    let calls: [&[&str]; 3] = [&["open", "default"], &["execute", "BEGIN"], &["first-row", "SELECT 1"]];
    assert_eq!(stage.answers(GENERATION3, &calls), ["ok", "ok", "[i:1]"]);
    stage.libsql().wait_for_rest();
}

#[test]
fn rows_can_be_read_when_their_connection_has_been_let_go() {
    for backend in ["files", "libsql"] {
        let stage = Stage::start(backend);
        let rows = format!("{} SELECT hex(zeroblob(500)) FROM n", numbers(Some(200_000)));
        // The second one takes the place of the first one, which the probe lets go.
        let calls: [&[&str]; 4] = [&["open", "default"], &["leave-rows", &rows], &["open", "default"], &["count-left"]];
        assert_eq!(stage.answers(GENERATION3, &calls), ["ok", "ok", "ok", "ok(200000)"], "{backend}");
    }
}
