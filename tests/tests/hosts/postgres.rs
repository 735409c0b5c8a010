//! What the cells of PostgreSQL can't show: many at once, what is left for the next borrower, streams, sizes, TLS, and servers
//! that come and go.

use std::time::Instant;

use spin_tests::World;
use spin_tests::certificates::{Certificates, Key};
use spin_tests::memory::Memory;
use spin_tests::output::PATIENCE;
use spin_tests::postgres::Postgres;

use super::Stage;
use super::several::at_once;

const GENERATION1: &str = "fermyon:spin/postgres";
const GENERATION2: &str = "fermyon:spin/postgres@2.0.0";
const GENERATION4: &str = "spin:postgres/postgres@4.2.0";

const OPEN: &[&str] = &["open", "{postgres}"];

#[test]
fn many_at_once_share_the_connections_that_there_are() {
    let stage = Stage::start("postgres");
    stage.postgres().query("CREATE TABLE t (n int)");
    let insert = |number| {
        let insert: &[&str] = &["execute", "INSERT INTO t VALUES ($1)", &format!("int32:{number}")];
        stage.answers(GENERATION2, &[OPEN, insert])
    };
    for answers in at_once(insert) {
        assert_eq!(answers, ["ok", "ok(1)"]);
    }
    assert_eq!(stage.postgres().query("SELECT count(DISTINCT n), count(*) FROM t"), [["200", "200"]]);
}

#[test]
fn a_connection_is_used_again_and_is_as_new() {
    let stage = Stage::start("postgres");
    let pid: &[&str] = &["query", "SELECT pg_backend_pid() AS p"];
    let first = stage.answers(GENERATION2, &[OPEN, pid, &["close"], OPEN, pid]);
    assert_eq!(first[1], first[4]);
    // Whatever one instance leaves, an open transaction included, the next doesn't find.
    let left: &[&[&str]] = &[
        OPEN,
        pid,
        &["execute", "SET application_name = 'left'"],
        &["execute", "CREATE TEMP TABLE left_over (a int)"],
        &["execute", "SELECT pg_advisory_lock(7)"],
        &["execute", "BEGIN"],
        &["execute", "CREATE TABLE undone (a int)"],
    ];
    let found: &[&[&str]] = &[
        OPEN,
        pid,
        &["query", "SELECT current_setting('application_name') || coalesce(to_regclass('left_over')::text, '') AS a"],
        &["query", "SELECT coalesce(to_regclass('undone')::text, 'none') AS t"],
        &["query", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"],
    ];
    for broken in [false, true] {
        let failing: &[&str] = &["query", "SELECT 1/0"];
        let left: Vec<&[&str]> = left.iter().copied().chain(broken.then_some(failing)).collect();
        let before = stage.answers(GENERATION2, &left);
        let after = stage.answers(GENERATION2, found);
        assert_eq!(before[1], after[1]);
        assert_eq!(after[2..], ["ok(a:str [str:])", "ok(t:str [str:none])", "ok(count:int64 [int64:0])"]);
    }
    // A statement that was prepared with SQL could stand for another one: that connection isn't given to others.
    let before = stage.answers(GENERATION2, &[OPEN, pid, &["execute", "PREPARE mine AS SELECT 1"]]);
    let after =
        stage.answers(GENERATION2, &[OPEN, pid, &["query", "SELECT name FROM pg_prepared_statements WHERE from_sql"]]);
    assert_ne!(before[1], after[1]);
    assert_eq!(after[2], "ok(no rows)");
}

#[test]
fn a_statement_is_prepared_anew_when_its_table_has_changed() {
    let stage = Stage::start("postgres");
    stage.postgres().query("CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
    let select: &[&str] = &["query", "SELECT * FROM t"];
    assert_eq!(stage.answers(GENERATION2, &[OPEN, select])[1], "ok(a:int32 [int32:1])");
    stage.postgres().query("ALTER TABLE t ADD b text");
    assert_eq!(stage.answers(GENERATION2, &[OPEN, select])[1], "ok(a:int32,b:str [int32:1 null])");
    assert_eq!(
        stage.answers(GENERATION2, &[OPEN, &["execute", "DEALLOCATE ALL"], select])[2],
        "ok(a:int32,b:str [int32:1 null])"
    );
}

#[test]
fn a_statement_takes_the_new_types_of_its_parameters() {
    let stage = Stage::start("postgres");
    stage.postgres().query("CREATE TABLE t (a int)");
    let insert = |value| stage.answers(GENERATION2, &[OPEN, &["execute", "INSERT INTO t VALUES ($1)", value]]);
    assert_eq!(insert("int32:1"), ["ok", "ok(1)"]);
    stage.postgres().query("ALTER TABLE t ALTER a TYPE bigint");
    assert_eq!(insert("int64:5000000000"), ["ok", "ok(1)"]);
    assert!(insert("str:a")[1].contains("can't be used where the statement has int8"));
    assert_eq!(stage.postgres().query("SELECT a FROM t ORDER BY a"), [["1"], ["5000000000"]]);
}

#[test]
fn statements_that_a_guest_throws_away_are_missed_by_nobody() {
    let stage = Stage::start("postgres");
    let select: &[&str] = &["query", "SELECT 'a' AS a"];
    let found = "ok(a:str [str:a])";
    for thrown_away in ["DEALLOCATE ALL", "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"] {
        assert_eq!(stage.answers(GENERATION2, &[OPEN, select, &["execute", thrown_away]])[1], found);
        let next: &[&[&str]] = &[OPEN, &["execute", "BEGIN"], select, select];
        assert_eq!(stage.answers(GENERATION2, next)[2..], [found, found], "{thrown_away}");
    }
}

#[test]
fn components_share_no_connections() {
    let stage = Stage::start("postgres");
    let of = |component| {
        stage.answers_of(component, GENERATION2, &[OPEN, &["query", "SELECT pg_backend_pid() AS p"]])[1].clone()
    };
    let first = of("allowed");
    assert_ne!(of("other"), first);
    assert_eq!(of("allowed"), first);
}

#[test]
fn an_address_says_who_connects_and_has_an_end() {
    let stage = Stage::start("postgres");
    let port = stage.postgres().port();
    let hosts = vec![format!("127.0.0.1:{port}"); 17].join(",");
    for (address, reason) in [
        (format!("postgres://127.0.0.1:{port}/postgres"), "the address names no user"),
        (format!("host=127.0.0.1 port={port}"), "the address names no user"),
        (format!("{{postgres}}?application_name={}", "x".repeat(4096)), "the address is longer than 4096 bytes"),
        (format!("postgres://postgres@{hosts}/postgres"), "the address names more than 16 hosts"),
    ] {
        for open in ["open", "open-async", "build"] {
            let call: &[&str] = &[open, &address];
            let answers = stage.answers(GENERATION4, &[call]);
            assert!(answers[0].starts_with(&format!("err(connection-failed(\"{reason}")), "{answers:?}");
        }
    }
}

#[test]
fn a_host_that_does_not_answer_leaves_the_next_its_time() {
    // Connections are made by the kernel, and nobody takes them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let stage = Stage::on_postgres_and(format!("postgres://{silent}"));
    let address =
        format!("postgres://postgres@{silent},127.0.0.1:{}/postgres?connect_timeout=1", stage.postgres().port());
    let answers = stage.answers(GENERATION2, &[&["open", &address], &["query", "SELECT 1 AS a"]]);
    assert_eq!(answers, ["ok", "ok(a:int32 [int32:1])"]);
}

#[test]
fn data_that_is_copied_out_has_no_form_and_is_stopped() {
    let stage = Stage::start("postgres");
    let copy: &[&str] = &["query", "COPY (SELECT generate_series(1, 1000000000000)) TO STDOUT"];
    let answers = stage.answers(GENERATION2, &[OPEN, copy]);
    assert!(answers[1].starts_with("err(query-failed("), "{answers:?}");
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active'";
    let began = Instant::now();
    while stage.postgres().query(running) != [["0"]] {
        assert!(began.elapsed() < PATIENCE, "it goes on");
    }
}

#[test]
fn rows_before_one_that_guests_have_no_form_for_are_read() {
    let stage = Stage::start("postgres");
    let rows = "SELECT (ARRAY['2024-02-29', 'infinity'])[n]::date AS d FROM generate_series(1, 2) AS s(n)";
    let answers = stage.answers(GENERATION4, &[OPEN, &["first-row", rows], &["query", rows]]);
    assert!(answers[1].starts_with("[date:2024"), "{answers:?}");
    assert!(answers[2].contains("there is no such date or time"), "{answers:?}");
}

#[test]
fn an_answer_is_counted_as_the_host_holds_it() {
    let stage = Stage::start("postgres");
    stage.answers(GENERATION4, &[OPEN, &["query", "SELECT 1"]]);
    let too_large = "err(query-failed(QueryError::Text(\"query result exceeds limit of 134217728 bytes\")))";
    for large in [
        // Ten bytes each on the wire, and 131 072 digits.
        "SELECT 1e131071::numeric FROM generate_series(1, 1000000)",
        "SELECT array_agg(1e131071::numeric) FROM generate_series(1, 10000)",
        // A row that would have to be read whole.
        "SELECT repeat('x', 400000000)",
    ] {
        let memory = Memory::watch(stage.up.child());
        assert_eq!(stage.answers(GENERATION4, &[OPEN, &["query", large]]), ["ok", too_large], "{large}");
        assert!(memory.growth() < 320 << 20, "{large}: {} bytes more", memory.growth());
    }
    assert_eq!(stage.answers(GENERATION4, &[OPEN, &["query", "SELECT 1 AS a"]])[1], "ok(a:int32 [int32:1])");
}

#[test]
fn a_connection_that_said_too_much_is_used_by_nobody_again() {
    let stage = Stage::start("postgres");
    let (pid, one): (&[&str], &[&str]) = (&["query", "SELECT pg_backend_pid() AS p"], &["query", "SELECT 1 AS a"]);
    let ended = stage.answers(GENERATION4, &[OPEN, pid, &["query", "SELECT repeat('x', 200000000)"], one]);
    assert!(ended[2].contains("query result exceeds limit of 134217728 bytes"), "{ended:?}");
    assert!(ended[3].contains("connection closed"), "{ended:?}");
    let next = stage.answers(GENERATION4, &[OPEN, pid, one]);
    assert_eq!(next[2], "ok(a:int32 [int32:1])");
    assert_ne!(next[1], ended[1]);
}

#[test]
fn a_million_rows_are_streamed_without_being_held() {
    let stage = Stage::start("postgres");
    let series = |most: u32| format!("SELECT x, 'a row with a text' FROM generate_series(1, {most}) AS n(x)");
    stage.answers(GENERATION4, &[OPEN, &["count-rows", &series(1)]]);
    let memory = Memory::watch(stage.up.child());
    let answers = stage.answers(GENERATION4, &[OPEN, &["count-rows", &series(1_000_000)]]);
    assert_eq!(answers, ["ok", "ok(1000000)"]);
    assert!(memory.growth() < 64 << 20, "{} bytes more", memory.growth());
}

#[test]
fn a_guest_that_stops_reading_stops_the_statement() {
    let stage = Stage::start("postgres");
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, 'endless' FROM n";
    // The connection is free for the next statement.
    let calls: [&[&str]; 3] = [OPEN, &["first-row", endless], &["query", "SELECT 2 AS a"]];
    for _ in 0..3 {
        assert_eq!(stage.answers(GENERATION4, &calls), ["ok", "[int32:1 str:endless]", "ok(a:int32 [int32:2])"]);
    }
    // One that has few rows left goes on, and so does the transaction that it is in.
    let calls: [&[&str]; 4] = [
        OPEN,
        &["execute", "BEGIN"],
        &["first-row", "SELECT generate_series(1, 1000) AS a"],
        &["query", "SELECT 2 AS a"],
    ];
    assert_eq!(stage.answers(GENERATION4, &calls)[2..], ["[int32:1]", "ok(a:int32 [int32:2])"]);
    let running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%endless%' AND state = 'active' \
                   AND pid <> pg_backend_pid()";
    assert_eq!(stage.postgres().query(running), [["0"]]);
}

#[test]
fn an_answer_has_at_most_128_mib_and_a_stream_has_no_end() {
    let stage = Stage::start("postgres");
    let large = "SELECT repeat('x', 1000000) FROM generate_series(1, 200)";
    let calls: [&[&str]; 4] = [OPEN, &["query", large], &["count-rows", large], &["query", "SELECT 1 AS a"]];
    let too_large = "err(query-failed(QueryError::Text(\"query result exceeds limit of 134217728 bytes\")))";
    assert_eq!(stage.answers(GENERATION4, &calls), ["ok", too_large, "ok(200)", "ok(a:int32 [int32:1])"]);
}

#[test]
fn a_killed_server_gives_errors_and_is_used_again_when_it_is_back() {
    let mut stage = Stage::start("postgres");
    let address = stage.postgres().url();
    let query: &[&str] = &["query", &address, "SELECT 1 AS a"];
    assert_eq!(stage.answers(GENERATION1, &[query]), ["ok(a:int32 [int32:1])"]);
    let stopped = stage.kill_postgres();
    let down = stage.answers(GENERATION1, &[query]);
    assert!(down[0].starts_with("err(connection-failed(\"can't connect to postgres://"), "{down:?}");
    stage.revive_postgres(stopped);
    assert_eq!(stage.answers(GENERATION1, &[query]), ["ok(a:int32 [int32:1])"]);
    // In the middle of what a guest does.
    let calls: [&[&str]; 4] =
        [OPEN, &["query", "SELECT pg_terminate_backend(pg_backend_pid())"], &["query", "SELECT 1"], OPEN];
    let answers = stage.answers(GENERATION2, &calls);
    assert!(answers[1].contains("terminating connection due to administrator command"), "{answers:?}");
    assert!(answers[2].starts_with("err(query-failed(\"connection closed"), "{answers:?}");
    assert_eq!(answers[3], "ok");
}

#[test]
fn tls_is_verified_and_can_trust_one_more_root() {
    let world = World::new();
    let certificates = Certificates::new(world.path("certificates"));
    let issued = certificates.issue("database", Key::Pkcs8);
    let root = std::fs::read_to_string(certificates.root()).unwrap().trim().replace('\n', "|");
    let stage = Stage::on_postgres(Postgres::start_with_tls(&issued));
    let encrypted: &[&str] = &["query", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"];
    let url = stage.postgres().url();
    let required = format!("{url}?sslmode=require");
    let disabled = format!("{url}?sslmode=disable");
    for (build, address) in [("build", &url), ("build", &required), ("build-async", &required)] {
        let answers = stage.answers(GENERATION4, &[&[build, address, &root], encrypted]);
        assert_eq!(answers, ["ok", "ok(ssl:boolean [boolean:true])"], "{address}");
    }
    assert_eq!(stage.answers(GENERATION4, &[&["open", &disabled], encrypted])[1], "ok(ssl:boolean [boolean:false])");
    // One that has none is told nothing by whoever says whom to trust.
    let plain = Stage::start("postgres");
    let answers = plain.answers(GENERATION4, &[&["build", "{postgres}", &root]]);
    assert!(answers[0].contains("server does not support TLS"), "{answers:?}");
    // A server that offers it is believed with a certificate only, whatever connections others have made.
    for address in [&url, &required] {
        let answers = stage.answers(GENERATION4, &[&["open", address]]);
        assert!(answers[0].starts_with("err(connection-failed(\"error performing TLS handshake: "), "{answers:?}");
    }
}
