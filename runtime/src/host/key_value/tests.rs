//! Stores against folders of the test's own.

use std::collections::BTreeMap;

use super::*;
use crate::host::rows::MOST_BUFFERED;

fn stores(path: Option<PathBuf>) -> Arc<KeyValueStores> {
    let store = KeyValueStore::Sqlite { path };
    let stores = ["default", "other"].map(|label| (label.to_owned(), store.clone()));
    Arc::new(KeyValueStores::new(&KeyValueOptions { stores: BTreeMap::from(stores) }))
}

fn open(stores: &Arc<KeyValueStores>, label: &str) -> OpenStore {
    let store = Arc::clone(&stores.0[label]);
    OpenStore { label: label.to_owned(), store }
}

fn key(key: &str) -> String {
    key.to_owned()
}

/// Runs the check in memory and on a file.
async fn on_both<F: Future<Output = ()>>(check: impl Fn(Arc<KeyValueStores>) -> F) {
    check(stores(None)).await;
    let folder = tempfile::tempdir().expect("a folder");
    check(stores(Some(folder.path().join("new/store.db")))).await;
}

#[tokio::test]
async fn what_is_set_is_there_until_it_is_deleted() {
    on_both(|stores| async move {
        let store = open(&stores, "default");
        assert_eq!(store.get(key("a")).await.expect("works"), None);
        store.set(key("a"), b"1".to_vec()).await.expect("set");
        store.set(key("a"), b"2".to_vec()).await.expect("replaced");
        store.set(key(""), Vec::new()).await.expect("set");
        assert_eq!(store.get(key("a")).await.expect("works"), Some(b"2".to_vec()));
        assert_eq!(store.get(key("")).await.expect("works"), Some(Vec::new()));
        assert!(store.exists(key("a")).await.expect("works"));
        assert_eq!(store.keys().await.expect("works"), ["", "a"]);
        assert!(!open(&stores, "other").exists(key("a")).await.expect("works"), "labels are apart");
        store.delete(key("a")).await.expect("deleted");
        store.delete(key("a")).await.expect("deleted again");
        assert!(!store.exists(key("a")).await.expect("works"));
    })
    .await;
}

#[tokio::test]
async fn several_keys_at_once() {
    on_both(|stores| async move {
        let store = open(&stores, "default");
        let values: Vec<_> = (0..1200).map(|n| (format!("{n:04}"), vec![1])).collect();
        store.store.set_many(values.clone()).await.expect("set");
        assert_eq!(
            store.keys().await.expect("more than one look"),
            values.iter().map(|v| v.0.clone()).collect::<Vec<_>>()
        );
        let found = store.store.get_many(vec![key("0007"), key("none"), key("0005")]).await.expect("works");
        assert_eq!(found, [(key("0007"), vec![1]), (key("0005"), vec![1])]);
        store.store.delete_many(values.into_iter().map(|v| v.0).skip(1).collect()).await.expect("deleted");
        assert_eq!(store.keys().await.expect("works"), ["0000"]);
    })
    .await;
}

#[tokio::test]
async fn a_result_that_is_too_large_is_an_error() {
    let stores = stores(None);
    let store = open(&stores, "default");
    let part = MOST_BUFFERED / 4;
    let keys: Vec<_> = (0..5).map(|n| n.to_string()).collect();
    for key in &keys {
        store.set(key.clone(), vec![0; part]).await.expect("set");
    }
    assert!(store.store.get_many(keys[..3].to_vec()).await.is_ok());
    let error = store.store.get_many(keys).await.expect_err("too large");
    assert_eq!(error.to_string(), "query result exceeds limit of 134217728 bytes");
    let names = (0..5).map(|n| (format!("{n}{}", "x".repeat(part)), Vec::new()));
    store.store.set_many(names.collect()).await.expect("set");
    let error = store.keys().await.expect_err("too large");
    assert_eq!(error.to_string(), "query result exceeds limit of 134217728 bytes");
}

#[tokio::test]
async fn a_swap_sees_what_others_did() {
    on_both(|stores| async move {
        let store = &open(&stores, "default").store;
        let swap = |expected, value: &str| store.swap(key("a"), expected, value.as_bytes().to_vec());
        assert!(!swap(Expected::Value(b"1".to_vec()), "2").await.expect("works"), "there is none");
        assert!(swap(Expected::Nothing, "1").await.expect("works"));
        assert!(!swap(Expected::Nothing, "2").await.expect("works"), "there is one");
        assert!(swap(Expected::Value(b"1".to_vec()), "2").await.expect("works"));
        assert!(!swap(Expected::Value(b"1".to_vec()), "3").await.expect("works"));
        assert!(swap(Expected::Anything, "4").await.expect("works"));
        assert_eq!(store.get(key("a")).await.expect("works"), Some(b"4".to_vec()));
    })
    .await;
}

#[tokio::test]
async fn numbers_are_eight_bytes_and_have_an_end() {
    let stores = stores(None);
    let store = open(&stores, "default");
    assert_eq!(store.store.increment(key("n"), 5).await.expect("works"), 5);
    assert_eq!(store.store.increment(key("n"), -7).await.expect("works"), -2);
    assert_eq!(store.get(key("n")).await.expect("works"), Some((-2_i64).to_le_bytes().to_vec()));
    assert!(store.store.increment(key("n"), i64::MIN).await.is_err());
    store.set(key("text"), b"12".to_vec()).await.expect("set");
    let error = store.store.increment(key("text"), 1).await.expect_err("no number");
    assert_eq!(error.to_string(), "the value of this key has 2 bytes; a number has 8");
    assert_eq!(store.get(key("text")).await.expect("works"), Some(b"12".to_vec()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_by_many_at_once_in_two_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    // Two databases on one file are what two processes have.
    let both = [stores(Some(path.clone())), stores(Some(path.clone()))];
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = open(&both[n % 2], "default");
            tokio::spawn(async move {
                store.store.increment(key("n"), 1).await.expect("no error");
                loop {
                    let old = store.get(key("swapped")).await.expect("no error");
                    let count = old.as_ref().map_or(0, |old| String::from_utf8_lossy(old).parse().expect("a number"));
                    let expected = old.map_or(Expected::Nothing, Expected::Value);
                    let next = (count + 1).to_string().into_bytes();
                    if store.store.swap(key("swapped"), expected, next).await.expect("no error") {
                        break;
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let other = rusqlite::Connection::open(&path).expect("opens");
    let value = |key: &str| {
        let sql = "SELECT value FROM spin_key_value WHERE store = 'default' AND key = ?1";
        other.query_row(sql, [key], |row| row.get::<_, Vec<u8>>(0)).expect("there")
    };
    assert_eq!((value("n"), value("swapped")), (200_i64.to_le_bytes().to_vec(), b"200".to_vec()));
}

#[tokio::test]
async fn a_change_that_fails_leaves_those_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let stores = stores(Some(path.clone()));
    let store = open(&stores, "default");
    store.set(key("x"), b"12".to_vec()).await.expect("set");
    // All wait at once, so that they are in one transaction or in a few.
    let (one, two, three) = tokio::join!(
        store.set(key("a"), b"1".to_vec()),
        store.store.increment(key("x"), 1),
        store.set(key("b"), b"2".to_vec())
    );
    assert!(one.is_ok() && two.is_err() && three.is_ok());
    assert_eq!(store.keys().await.expect("works"), ["a", "b", "x"]);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    std::fs::write(&path, "this is not a database, and long enough to be looked at as one").expect("written");
    let stores = stores(Some(path.clone()));
    let error = open(&stores, "default").get(key("a")).await.expect_err("no database");
    assert!(error.to_string().contains("store.db") && error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_each_time() {
    // Bound and let go: nobody listens.
    let address = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let store = redis::RedisStore::new(&format!("redis://{address}"));
    for _ in 0..2 {
        assert!(store.get(key("a")).await.is_err());
    }
    assert!(redis::RedisStore::new("http://[").get(key("a")).await.is_err());
}

#[test]
fn the_password_is_not_shown() {
    let store = KeyValueStore::Redis { url: "redis://:s3cret@host".to_owned() };
    assert_eq!(format!("{store:?}"), "Redis { .. }");
}
