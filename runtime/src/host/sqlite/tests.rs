//! Local databases against folders of the test's own.

use std::path::Path;

use super::*;
use crate::host::rows::{MOST_BUFFERED, Unread};

fn database(path: Option<&Path>, allow_attach_file: bool) -> Databases {
    let path = path.map(Path::to_path_buf);
    let local = Database::Local(Arc::new(local::Local::new(path, allow_attach_file)));
    Databases(BTreeMap::from([("default".to_owned(), local)]))
}

async fn open(databases: &Databases) -> Connection {
    databases.open("default", Unread::default()).await.unwrap_or_else(|_| panic!("the database opens"))
}

async fn run(connection: &Connection, sql: &str) -> Result<Vec<Vec<Value>>, String> {
    let answer = connection.execute(sql.to_owned(), Vec::new()).await.map_err(|failure| failure.to_string())?;
    Ok(answer.rows.into_iter().map(|row| row.values).collect())
}

async fn number(connection: &Connection, sql: &str) -> i64 {
    match run(connection, sql).await.expect(sql).as_slice() {
        [row] => match row.as_slice() {
            [Value::Integer(number)] => *number,
            other => panic!("{sql}: {other:?}"),
        },
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test]
async fn every_kind_of_value_comes_back() {
    let databases = database(None, false);
    let connection = open(&databases).await;
    let values = vec![
        Value::Integer(i64::MIN),
        Value::Real(1.5),
        Value::Text("ä".to_owned()),
        Value::Blob(vec![0, 255]),
        Value::Null,
    ];
    let sql = "SELECT ?1 AS a, ?2 AS b, ?3, ?4, ?5";
    let answer = connection.execute(sql.to_owned(), values.clone()).await.expect("works");
    assert_eq!(answer.columns, ["a", "b", "?3", "?4", "?5"]);
    assert_eq!(format!("{:?}", answer.rows[0].values), format!("{values:?}"));
    assert!(connection.execute(sql.to_owned(), Vec::new()).await.is_err(), "parameters are missing");
    let error = run(&connection, "SELECT CAST(x'ff' AS TEXT)").await.expect_err("no text");
    assert!(error.contains("utf-8"), "{error}");
    assert!(run(&connection, "SELEC 1").await.expect_err("no SQL").contains("syntax error"));
}

#[tokio::test]
async fn memory_is_new_for_each_open() {
    let databases = database(None, false);
    let (one, two) = (open(&databases).await, open(&databases).await);
    run(&one, "CREATE TABLE t (x)").await.expect("made");
    assert!(run(&two, "SELECT * FROM t").await.expect_err("another one").contains("no such table"));
}

#[tokio::test]
async fn a_connection_is_like_a_new_one_whoever_had_it_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = database(Some(&folder.path().join("new/app.db")), false);
    let first = open(&databases).await;
    run(&first, "CREATE TABLE t (x INTEGER PRIMARY KEY)").await.expect("made");
    run(&first, "INSERT INTO t VALUES (7)").await.expect("inserted");
    assert_eq!((first.last_insert_rowid().await, first.changes().await), (7, 1));
    for leave in [
        "CREATE TEMP TABLE left (x)",
        "PRAGMA recursive_triggers = ON",
        "ATTACH ':memory:' AS left",
        "BEGIN",
        "INSERT INTO t VALUES (NULL)",
        "SELECT * FROM t",
    ] {
        run(&open(&databases).await, leave).await.expect(leave);
    }
    // What they were given back as can be seen on many at once.
    for _ in 0..8 {
        let next = open(&databases).await;
        assert!(run(&next, "SELECT * FROM temp.left").await.is_err());
        assert_eq!(number(&next, "PRAGMA recursive_triggers").await, 0);
        assert_eq!(number(&next, "SELECT last_insert_rowid()").await, 0);
        assert_eq!((next.last_insert_rowid().await, next.changes().await), (0, 0));
        run(&next, "BEGIN").await.expect("there is no transaction");
    }
}

#[tokio::test]
async fn what_was_not_committed_is_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = database(Some(&folder.path().join("app.db")), false);
    run(&open(&databases).await, "CREATE TABLE t (x)").await.expect("made");
    let gone = open(&databases).await;
    run(&gone, "BEGIN").await.expect("begun");
    run(&gone, "INSERT INTO t VALUES (1)").await.expect("inserted");
    drop(gone);
    let next = open(&databases).await;
    run(&next, "INSERT INTO t VALUES (2)").await.expect("its lock is gone");
    assert_eq!(number(&next, "SELECT sum(x) FROM t").await, 2);
}

#[tokio::test]
async fn another_file_at_the_same_place_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.db");
    let databases = database(Some(&path), false);
    run(&open(&databases).await, "CREATE TABLE old (x)").await.expect("made");
    run(&open(&databases).await, "SELECT * FROM old").await.expect("there");
    std::fs::remove_file(&path).expect("removed");
    assert!(run(&open(&databases).await, "SELECT * FROM old").await.expect_err("gone").contains("no such table"));
}

#[tokio::test]
async fn no_file_is_attached_unless_the_operator_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("other.db");
    let at = other.display();
    let attempts = [
        format!("ATTACH '{at}' AS other"),
        format!("ATTACH 'file:{at}' AS other"),
        format!("ATTACH '{at}' || '' AS other"),
        format!("VACUUM INTO '{at}'"),
        "PRAGMA temp_store_directory = '/'".to_owned(),
        "PRAGMA Hard_Heap_Limit = 1".to_owned(),
    ];
    let databases = database(Some(&folder.path().join("app.db")), false);
    let connection = open(&databases).await;
    for sql in &attempts {
        let error = run(&connection, sql).await.expect_err(sql);
        assert!(error.contains("not authorized") || error.contains("authorization denied"), "{sql}: {error}");
    }
    let parameter = vec![Value::Text(at.to_string())];
    assert!(connection.execute("ATTACH ?1 AS other".to_owned(), parameter).await.is_err());
    assert!(!other.exists());
    run(&connection, "ATTACH '' AS one").await.expect("no file");
    run(&connection, "ATTACH ':memory:' AS two").await.expect("no file");
    run(&connection, "VACUUM").await.expect("no other file");
    let databases = database(Some(&folder.path().join("app.db")), true);
    run(&open(&databases).await, &attempts[0]).await.expect("allowed");
}

/// As many rows as it says, of about that many bytes each.
fn rows(count: usize, bytes: usize) -> String {
    format!(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {count}) \
         SELECT x, zeroblob({bytes}) FROM n"
    )
}

#[tokio::test]
async fn a_whole_answer_has_an_end_and_a_stream_has_none() {
    let databases = database(None, false);
    let connection = open(&databases).await;
    let (count, bytes) = (130, 1024 * 1024);
    let error = run(&connection, &rows(count, bytes)).await.expect_err("too large");
    assert_eq!(error, "query result exceeds limit of 134217728 bytes");
    let Streamed { columns, mut rows, wanted } = connection.stream(self::rows(count, bytes), Vec::new()).await;
    assert_eq!(columns.len(), 2);
    let mut found = 0;
    while let Some(batch) = rows.next().await {
        found += batch.len();
    }
    assert_eq!((found, rows.ended.await.expect("ended").is_ok()), (count, true));
    drop(wanted);
    let error = run(&connection, &self::rows(1, MOST_BUFFERED + 1)).await.expect_err("one value");
    assert!(error.contains("too big"), "{error}");
}

#[tokio::test]
async fn a_stream_that_cannot_begin_says_so_at_its_end() {
    let databases = database(None, false);
    let mut streamed = open(&databases).await.stream("SELECT * FROM nowhere".to_owned(), Vec::new()).await;
    assert!(streamed.columns.is_empty());
    assert!(streamed.rows.next().await.is_none());
    let error = streamed.rows.ended.await.expect("it is told").expect_err("no table");
    assert!(error.to_string().contains("no such table"), "{error}");
}

#[tokio::test]
async fn whoever_does_not_read_stops_the_statement() {
    const FOR_EVER: &str = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT ";
    let databases = database(None, false);
    let connection = open(&databases).await;
    // One with rows, one that never finds any.
    for what in ["x FROM n", "x FROM n WHERE x < 0"] {
        let mut streamed = connection.stream(format!("{FOR_EVER}{what}"), Vec::new()).await;
        streamed.rows.close();
        drop(streamed.wanted);
        // The next statement waits until the connection is free.
        assert_eq!(number(&connection, "SELECT 1").await, 1);
        assert!(streamed.rows.ended.await.is_ok());
    }
    let sql = format!("{FOR_EVER}count(*) FROM n");
    {
        let whole = connection.execute(sql, Vec::new());
        assert!(tokio::time::timeout(std::time::Duration::ZERO, whole).await.is_err(), "it never ends by itself");
    }
    assert_eq!(number(&connection, "SELECT 1").await, 1);
}

/// Runs `sql` on a connection of which a stream is unread, and then reads that: how many rows it has, and how it ended.
async fn between(connection: &Connection, unread: &str, sql: &str) -> (usize, Result<(), String>) {
    between_two(connection, unread, connection, &[sql]).await
}

/// The same with statements on another connection.
async fn between_two(
    connection: &Connection,
    unread: &str,
    other: &Connection,
    statements: &[&str],
) -> (usize, Result<(), String>) {
    let Streamed { mut rows, wanted, .. } = connection.stream(unread.to_owned(), Vec::new()).await;
    // From the first rows on, those that come are settled.
    let mut found = rows.next().await.map_or(0, |batch| batch.len());
    for sql in statements {
        run(other, sql).await.expect("it waits for no reader");
    }
    while let Some(batch) = rows.next().await {
        found += batch.len();
    }
    let ended = rows.ended.await.expect("it is told");
    drop(wanted);
    (found, ended.map_err(|failure| failure.to_string()))
}

#[tokio::test]
async fn a_stream_that_nobody_reads_holds_nobody_up() {
    let databases = database(None, false);
    let connection = open(&databases).await;
    run(&connection, "CREATE TABLE t (x)").await.expect("made");
    // Of the same connection: what it knows is in memory, and in its transaction.
    run(&connection, "BEGIN").await.expect("begun");
    let (found, ended) = between(&connection, &rows(50_000, 100), "INSERT INTO t VALUES (7)").await;
    assert_eq!((found, ended), (50_000, Ok(())));
    run(&connection, "COMMIT").await.expect("committed");
    assert_eq!(number(&connection, "SELECT x FROM t").await, 7);
    // There is an end to what is kept of one.
    let (found, ended) = between(&connection, &rows(1000, 1024 * 1024), "INSERT INTO t VALUES (8)").await;
    assert_eq!(ended, Err("query result exceeds limit of 134217728 bytes".to_owned()));
    assert!((128..150).contains(&found), "{found}");
}

#[tokio::test]
async fn a_change_waits_for_no_reader() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = database(Some(&folder.path().join("app.db")), false);
    let connection = open(&databases).await;
    run(&connection, "CREATE TABLE t (x, y)").await.expect("made");
    let insert = format!("INSERT INTO t {} RETURNING x", rows(50_000, 10));
    let unread = connection.stream(insert, Vec::new()).await;
    // Another one has the lock of the file next.
    run(&open(&databases).await, "INSERT INTO t VALUES (0, 0)").await.expect("it is not held up");
    // Which of the two came first is a matter of luck.
    let both = async {
        let reader = open(&databases).await;
        while number(&reader, "SELECT count(*) FROM t").await != 50_001 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), both).await.expect("the change is made, read or not");
    drop(unread);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn streams_that_have_ended_keep_no_thread() {
    let databases = database(None, false);
    let connection = open(&databases).await;
    let mut unread = Vec::new();
    for _ in 0..50 {
        unread.push(connection.stream(rows(2000, 1), Vec::new()).await);
    }
    assert_eq!(number(&connection, "SELECT 1").await, 1);
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("its threads").flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "sqlite-rows").count()
    };
    // Those of other tests are few.
    while threads() > 20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_up_no_change_by_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = database(Some(&folder.path().join("app.db")), false);
    let writer = open(&databases).await;
    run(&writer, "CREATE TABLE t (x, y)").await.expect("made");
    run(&writer, &format!("INSERT INTO t {}", rows(50_000, 10))).await.expect("inserted");
    let all = "SELECT * FROM t";
    let (found, ended) = between_two(&open(&databases).await, all, &writer, &["UPDATE t SET y = x"]).await;
    assert_eq!((found, ended), (50_000, Ok(())));
    let transaction = ["BEGIN", "INSERT INTO t VALUES (0, 0)", "COMMIT"];
    let (found, ended) = between_two(&open(&databases).await, all, &writer, &transaction).await;
    assert_eq!((found, ended), (50_000, Ok(())));
    assert_eq!(number(&writer, "SELECT count(*) FROM t").await, 50_001);
}

#[tokio::test]
async fn a_reader_that_reads_slowly_holds_up_no_change_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = database(Some(&folder.path().join("app.db")), false);
    let writer = open(&databases).await;
    run(&writer, "CREATE TABLE t (x, y)").await.expect("made");
    run(&writer, &format!("INSERT INTO t {}", rows(50_000, 10))).await.expect("inserted");
    let slow = open(&databases).await;
    let Streamed { mut rows, wanted, .. } = slow.stream("SELECT * FROM t".to_owned(), Vec::new()).await;
    let mut found = rows.next().await.map_or(0, |batch| batch.len());
    let changed = {
        let mut change = std::pin::pin!(run(&writer, "UPDATE t SET y = x"));
        loop {
            // Never long enough for one who looks at the time between two batches.
            match tokio::time::timeout(std::time::Duration::from_millis(300), change.as_mut()).await {
                Ok(changed) => break changed,
                Err(_) => found += rows.next().await.map_or(0, |batch| batch.len()),
            }
        }
    };
    changed.expect("the reader gives way");
    while let Some(batch) = rows.next().await {
        found += batch.len();
    }
    assert_eq!((found, rows.ended.await.expect("it is told").is_ok()), (50_000, true));
    drop(wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_wait_for_their_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let databases = Arc::new(database(Some(&folder.path().join("app.db")), false));
    run(&open(&databases).await, "CREATE TABLE t (x)").await.expect("made");
    let writers: Vec<_> = (0..200)
        .map(|n| {
            let databases = Arc::clone(&databases);
            tokio::spawn(async move {
                let connection = open(&databases).await;
                run(&connection, &format!("INSERT INTO t VALUES ({n})")).await.expect("no error");
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    assert_eq!(number(&open(&databases).await, "SELECT count(DISTINCT x) FROM t").await, 200);
}

#[test]
fn the_token_is_not_shown() {
    let database = SqliteDatabase::Libsql { url: "http://a:s3cret@host".to_owned(), token: "s3cret".to_owned() };
    assert_eq!(format!("{database:?}"), "Libsql { url: \"http://host\", .. }");
}
