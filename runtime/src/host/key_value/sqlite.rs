//! Stores in SQLite, in the table that public Spin has too: readers side by side, and one writer that puts what comes
//! together into one transaction, so that many small writes wait for the disk once.

mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::OnceCell;

use self::writer::Writer;
use super::{Expected, Failure, Store, Values};
use crate::host::rows::{self, Budget};

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Readers that are kept for the next ones.
const IDLE_READERS: usize = 16;

/// Keys of one look into the database.
const KEYS_AT_ONCE: usize = 500;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (store, key)
)";
const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const EXISTS: &str = "SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, key) DO UPDATE SET value = excluded.value";
const INSERT: &str = "INSERT OR IGNORE INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)";
const REPLACE: &str = "UPDATE spin_key_value SET value = ?3 WHERE store = ?1 AND key = ?2 AND value = ?4";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";
const KEYS: &str = "SELECT key FROM spin_key_value WHERE store = ?1 ORDER BY key LIMIT ?2";
// Of its own, so that the index leads to the first of them.
const KEYS_AFTER: &str = "SELECT key FROM spin_key_value WHERE store = ?1 AND key > ?3 ORDER BY key LIMIT ?2";

/// One database, opened when it is first used; several labels may be in it.
pub(super) struct Database {
    path: Option<PathBuf>,
    opened: OnceCell<Arc<Opened>>,
}

struct Opened {
    writer: Writer,
    /// None in memory, where only the writer's connection sees anything.
    readers: Option<Readers>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, opened: OnceCell::new() }
    }

    async fn opened(&self) -> Result<&Arc<Opened>, Failure> {
        let open = || async {
            let path = self.path.clone();
            let opening = tokio::task::spawn_blocking(move || Opened::open(path));
            opening.await.map_err(|error| Failure(error.to_string()))?.map(Arc::new)
        };
        self.opened.get_or_try_init(open).await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let opened = Arc::clone(self.opened().await?);
        if opened.readers.is_none() {
            return opened.writer.run(read).await;
        }
        let reading = tokio::task::spawn_blocking(move || match &opened.readers {
            Some(readers) => readers.read(read),
            None => Err(Failure("the store has no readers".to_owned())),
        });
        reading.await.map_err(|error| Failure(error.to_string()))?
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.opened().await?.writer.run(write).await
    }
}

impl Opened {
    fn open(path: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = path else {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(TABLE)?;
            return Ok(Self { writer: Writer::start(connection)?, readers: None });
        };
        let named = |failure: Failure| Failure(format!("{}: {failure}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| named(Failure(error.to_string())))?;
        }
        let connection = (|| {
            let connection = connect(&path)?;
            // Readers don't wait for the writer, nor it for them. The mode stays with the file.
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.execute_batch(TABLE)?;
            Ok(connection)
        })()
        .map_err(named)?;
        let writer = Writer::start(connection)?;
        Ok(Self { writer, readers: Some(Readers { path, idle: Mutex::default() }) })
    }
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

impl Readers {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = kept.map_or_else(|| connect(&self.path), Ok)?;
        let result = read(&connection)?;
        // One that failed is not kept.
        let mut idle = idle();
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        Ok(result)
    }
}

/// The values of one label in a database.
pub(super) struct SqliteStore {
    label: Arc<str>,
    database: Arc<Database>,
}

impl SqliteStore {
    pub(super) fn new(label: &str, database: Arc<Database>) -> Self {
        Self { label: label.into(), database }
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection, &str) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Failure>> {
        let label = Arc::clone(&self.label);
        self.database.read(move |connection| read(connection, &label)).boxed()
    }

    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection, &str) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, Failure>> {
        let label = Arc::clone(&self.label);
        self.database.write(move |connection| write(connection, &label)).boxed()
    }
}

fn get(connection: &Connection, label: &str, key: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut statement = connection.prepare_cached(GET)?;
    Ok(statement.query_row(params![label, key], |row| row.get(0)).optional()?)
}

fn set(connection: &Connection, label: &str, key: &str, value: &[u8]) -> Result<(), Failure> {
    connection.prepare_cached(SET)?.execute(params![label, key, value])?;
    Ok(())
}

fn delete(connection: &Connection, label: &str, key: &str) -> Result<(), Failure> {
    connection.prepare_cached(DELETE)?.execute(params![label, key])?;
    Ok(())
}

/// The keys behind `last`, as many as one look takes.
fn keys_after(connection: &Connection, label: &str, last: Option<&str>) -> Result<Vec<String>, Failure> {
    let most = KEYS_AT_ONCE as i64;
    let mut statement = connection.prepare_cached(if last.is_some() { KEYS_AFTER } else { KEYS })?;
    let key = |row: &rusqlite::Row<'_>| row.get(0);
    let keys = match last {
        Some(last) => statement.query_map(params![label, most, last], key)?,
        None => statement.query_map(params![label, most], key)?,
    };
    Ok(keys.collect::<Result<_, _>>()?)
}

impl Store for SqliteStore {
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, Failure>> {
        self.read(move |connection, label| {
            let value = get(connection, label, &key)?;
            Budget::new().take(value.as_ref().map_or(0, Vec::len))?;
            Ok(value)
        })
    }

    fn set(&self, key: String, value: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>> {
        self.write(move |connection, label| set(connection, label, &key, &value))
    }

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), Failure>> {
        self.write(move |connection, label| delete(connection, label, &key))
    }

    fn exists(&self, key: String) -> BoxFuture<'_, Result<bool, Failure>> {
        self.read(move |connection, label| Ok(connection.prepare_cached(EXISTS)?.exists(params![label, key])?))
    }

    fn keys<'a>(&'a self, to: &'a rows::Writer<String>) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            // In several looks, so that a guest that reads slowly keeps nothing of the database.
            let mut last: Option<String> = None;
            loop {
                let from = last.take();
                let keys = self.read(move |connection, label| keys_after(connection, label, from.as_deref())).await?;
                let more = keys.len() == KEYS_AT_ONCE;
                last = keys.last().cloned();
                if to.send(keys).await.is_err() || !more {
                    return Ok(());
                }
            }
        }
        .boxed()
    }

    fn get_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Values, Failure>> {
        self.read(move |connection, label| {
            let mut budget = Budget::new();
            let mut found = Vec::new();
            for key in keys {
                if let Some(value) = get(connection, label, &key)? {
                    budget.take(size_of::<(String, Vec<u8>)>() + key.len() + value.len())?;
                    found.push((key, value));
                }
            }
            Ok(found)
        })
    }

    fn set_many(&self, values: Values) -> BoxFuture<'_, Result<(), Failure>> {
        self.write(move |connection, label| {
            values.iter().try_for_each(|(key, value)| set(connection, label, key, value))
        })
    }

    fn delete_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), Failure>> {
        self.write(move |connection, label| keys.iter().try_for_each(|key| delete(connection, label, key)))
    }

    fn increment(&self, key: String, delta: i64) -> BoxFuture<'_, Result<i64, Failure>> {
        self.write(move |connection, label| {
            let value = match get(connection, label, &key)? {
                None => 0,
                Some(value) => i64::from_le_bytes(value.try_into().map_err(|value: Vec<u8>| {
                    Failure(format!("the value of this key has {} bytes; a number has 8", value.len()))
                })?),
            };
            let sum = value.checked_add(delta).ok_or_else(|| Failure("the sum is no number of 64 bits".to_owned()))?;
            set(connection, label, &key, &sum.to_le_bytes())?;
            Ok(sum)
        })
    }

    fn swap(&self, key: String, expected: Expected, value: Vec<u8>) -> BoxFuture<'_, Result<bool, Failure>> {
        self.write(move |connection, label| {
            let changed = match expected {
                Expected::Anything => connection.prepare_cached(SET)?.execute(params![label, key, value]),
                Expected::Nothing => connection.prepare_cached(INSERT)?.execute(params![label, key, value]),
                Expected::Value(old) => connection.prepare_cached(REPLACE)?.execute(params![label, key, value, old]),
            }?;
            Ok(changed == 1)
        })
    }
}
