//! What the cells of MySQL can't show: many at once, what is left for the next borrower, streams, sizes, TLS, and servers that
//! come and go.

use spin_tests::World;
use spin_tests::certificates::{Certificates, Key};
use spin_tests::mariadb::MariaDb;
use spin_tests::memory::Memory;

use crate::several::at_once;
use crate::stage::Stage;

const GENERATION1: &str = "fermyon:spin/mysql";
const GENERATION2: &str = "fermyon:spin/mysql@2.0.0";
const GENERATION3: &str = "spin:mysql/mysql@3.0.0";

const OPEN: &[&str] = &["open", "{mysql}"];

#[test]
fn many_at_once_share_the_connections_that_there_are() {
    let stage = Stage::start("mysql");
    stage.mariadb().query("CREATE TABLE t (n int)");
    let insert = |number| {
        let insert: &[&str] = &["execute", "INSERT INTO t VALUES (?)", &format!("int32:{number}")];
        stage.answers(GENERATION2, &[OPEN, insert])
    };
    for answers in at_once(insert) {
        assert_eq!(answers, ["ok", "ok"]);
    }
    assert_eq!(stage.mariadb().query("SELECT count(DISTINCT n), count(*) FROM t"), [["200", "200"]]);
}

#[test]
fn a_connection_is_used_again_and_is_as_new() {
    let stage = Stage::start("mysql");
    stage.mariadb().query("CREATE TABLE t (n int) ENGINE = InnoDB");
    let id: &[&str] = &["query", "SELECT connection_id() AS c"];
    let left: [&[&str]; 7] = [
        OPEN,
        id,
        &["execute", "SET @left = 7"],
        &["execute", "CREATE TEMPORARY TABLE left_over (a int)"],
        &["query", "SELECT get_lock('left', 1) AS l"],
        &["execute", "START TRANSACTION"],
        &["execute", "INSERT INTO t VALUES (1)"],
    ];
    let before = stage.answers(GENERATION2, &left);
    let found: [&[&str]; 6] = [
        OPEN,
        id,
        &["query", "SELECT @left AS l"],
        &["query", "SELECT * FROM left_over"],
        &["query", "SELECT is_free_lock('left') AS l"],
        &["query", "SELECT n FROM t"],
    ];
    let after = stage.answers(GENERATION2, &found);
    assert_eq!(before[1], after[1]);
    assert!(after[2].ends_with(" [null])"), "{after:?}");
    assert!(after[3].contains("doesn't exist"), "{after:?}");
    assert!(after[4].ends_with(":1])"), "{after:?}");
    assert_eq!(after[5], "ok(n:int32)");
}

#[test]
fn a_million_rows_are_streamed_without_being_held() {
    let stage = Stage::start("mysql");
    let series = |most: u32| format!("SELECT seq, 'a row with a text' AS t FROM seq_1_to_{most}");
    stage.answers(GENERATION3, &[OPEN, &["count-rows", &series(1)]]);
    let memory = Memory::watch(stage.up.child());
    let answers = stage.answers(GENERATION3, &[OPEN, &["count-rows", &series(1_000_000)]]);
    assert_eq!(answers, ["ok", "ok(1000000)"]);
    assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
}

#[test]
fn a_guest_that_stops_reading_stops_the_statement() {
    let stage = Stage::start("mysql");
    let long = "SELECT seq AS endless FROM seq_1_to_1000000000000";
    // The connection is free for the next statement.
    let calls: [&[&str]; 3] = [OPEN, &["first-row", long], &["query", "SELECT 'a' AS a"]];
    for _ in 0..3 {
        let answers = stage.answers(GENERATION3, &calls);
        assert_eq!(answers[1], "[uint64:1]");
        assert_eq!(answers[2], "ok(a:str [str:a])");
    }
    let running =
        "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%endless%' AND id <> connection_id()";
    assert_eq!(stage.mariadb().query(running), [["0"]]);
}

#[test]
fn an_answer_has_at_most_128_mib_and_a_stream_has_no_end() {
    let stage = Stage::start("mysql");
    let large = "SELECT repeat('x', 1000000) AS x FROM seq_1_to_200";
    let too_large = "err(query-failed(\"query result exceeds limit of 134217728 bytes\"))";
    let next: &[&str] = &["query", "SELECT 'a' AS a"];
    assert_eq!(stage.answers(GENERATION2, &[OPEN, &["query", large], next])[1..], [too_large, "ok(a:str [str:a])"]);
    assert_eq!(
        stage.answers(GENERATION3, &[OPEN, &["count-rows", large], next])[1..],
        ["ok(200)", "ok(a:str [str:a])"]
    );
}

#[test]
fn a_row_that_is_too_large_is_not_read() {
    let stage = Stage::start("mysql");
    stage.mariadb().query("SET GLOBAL max_allowed_packet = 1073741824");
    stage.answers(GENERATION3, &[OPEN, &["query", "SELECT 1"]]);
    let memory = Memory::watch(stage.up.child());
    let (id, next): (&[&str], &[&str]) = (&["query", "SELECT connection_id() AS c"], &["query", "SELECT 'a' AS a"]);
    let open: &[&str] = &["open", "{mysql}?max_allowed_packet=1000000000"];
    let large: &[&str] = &["count-rows", "SELECT repeat('x', 400000000) AS x"];
    let answers = stage.answers(GENERATION3, &[open, id, large, next]);
    assert!(answers[2].contains("query result exceeds limit of 134217728 bytes"), "{answers:?}");
    assert!(answers[3].starts_with("err(query-failed("), "{answers:?}");
    assert!(memory.growth() < 320 << 20, "{} bytes more", memory.growth());
    // Nobody uses that connection again.
    let others = stage.answers(GENERATION3, &[open, id, next]);
    assert_eq!(others[2], "ok(a:str [str:a])");
    assert_ne!(others[1], answers[1]);
}

#[test]
fn rows_before_one_that_guests_have_no_form_for_are_read() {
    let stage = Stage::start("mysql");
    let rows = "SELECT CASE seq WHEN 2 THEN CAST('2024-02-29' AS DATE) END AS d FROM seq_1_to_2";
    let answers = stage.answers(GENERATION3, &[OPEN, &["first-row", rows], &["query", rows]]);
    assert_eq!(answers[1], "[null]");
    assert!(answers[2].starts_with("err(value-conversion-failed("), "{answers:?}");
}

#[test]
fn components_share_no_connections_and_addresses_have_an_end() {
    let stage = Stage::start("mysql");
    let of = |component| {
        stage.answers_of(component, GENERATION2, &[OPEN, &["query", "SELECT connection_id() AS c"]])[1].clone()
    };
    let first = of("allowed");
    assert_ne!(of("other"), first);
    assert_eq!(of("allowed"), first);
    let long = format!("{{mysql}}?{}", "x".repeat(4096));
    let too_long = "err(connection-failed(\"the address is longer than 4096 bytes\"))";
    assert_eq!(stage.answers(GENERATION2, &[&["open", &long]]), [too_long]);
}

#[test]
fn a_killed_server_gives_errors_and_is_used_again_when_it_is_back() {
    let mut stage = Stage::start("mysql");
    let address = stage.mariadb().url();
    let query: &[&str] = &["query", &address, "SELECT 'a' AS a"];
    assert_eq!(stage.answers(GENERATION1, &[query]), ["ok(a:str [str:a])"]);
    let stopped = stage.kill_mariadb();
    let down = stage.answers(GENERATION1, &[query]);
    assert!(down[0].starts_with("err(connection-failed("), "{down:?}");
    stage.revive_mariadb(stopped);
    assert_eq!(stage.answers(GENERATION1, &[query]), ["ok(a:str [str:a])"]);
    // In the middle of what a guest does.
    let calls: [&[&str]; 4] =
        [OPEN, &["execute", "KILL CONNECTION connection_id()"], &["query", "SELECT 1"], &["open", &address]];
    let answers = stage.answers(GENERATION2, &calls);
    assert!(answers[1].starts_with("err(query-failed("), "{answers:?}");
    assert!(answers[2].starts_with("err(query-failed("), "{answers:?}");
    assert_eq!(answers[3], "ok");
}

#[test]
fn tls_is_what_the_address_says_and_is_verified() {
    let world = World::new();
    let certificates = Certificates::new(world.path("certificates"));
    let stage = Stage::on_mariadb(MariaDb::start_with_tls(&certificates.issue("database", Key::Pkcs8)));
    let url = stage.mariadb().url();
    let cipher: &[&str] = &["query", "SHOW STATUS LIKE 'Ssl_cipher'"];
    let plain = stage.answers(GENERATION2, &[&["open", &url], cipher]);
    assert!(plain[1].ends_with("[str:Ssl_cipher str:])"), "{plain:?}");
    let disabled = stage.answers(GENERATION2, &[&["open", &format!("{url}?ssl-mode=disabled")]]);
    assert_eq!(disabled, ["ok"]);
    for mode in ["ssl-mode=required", "SSLMODE=preferred", "require_ssl=true"] {
        let refused = stage.answers(GENERATION2, &[&["open", &format!("{url}?{mode}")]]);
        assert!(refused[0].starts_with("err(connection-failed("), "{refused:?}");
        assert!(refused[0].contains("UnknownIssuer"), "{refused:?}");
    }
}
