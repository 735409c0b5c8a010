//! Databases in files of this machine, and in memory.
//!
//! Opening a file and reading its schema costs more than most statements. So a connection on which nothing but reading was
//! done, which is like a new one, is kept for the next `open`; any other is closed, and with it goes what it changed for
//! itself (temporary tables, pragmas, attached databases, an open transaction).
//!
//! SQLite blocks, so it has threads of its own: for an answer as a whole one of the runtime's for blocking work, for a
//! stream, which lasts as long as a guest pleases, a new one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{OpenFlags, params_from_iter};
use tokio::sync::oneshot;

use super::convert::{Parameter, value};
use super::guard::{Traces, watch};
use super::{Answer, Failure, RowResult, Streamed, Value};
use crate::host::rows::{Budget, stream};

/// How long a statement waits for a lock that somebody else has.
const BUSY: Duration = Duration::from_secs(5);

/// Connections that are kept for the next ones.
const IDLE: usize = 16;

/// Steps of SQLite's machine between two looks whether anybody still wants the answer.
const STEPS: i32 = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure(error.to_string()))?
}

/// One database.
pub(super) struct Local {
    path: Option<PathBuf>,
    files: bool,
    idle: Mutex<Vec<Raw>>,
    /// Whose statement changes the database. SQLite lets those that wait try again and again, in no order, until one has no
    /// luck for five seconds.
    turn: Mutex<()>,
}

/// A connection of SQLite, and what is known of it.
struct Raw {
    sqlite: rusqlite::Connection,
    traces: Traces,
    /// Device and number of the file: another one may have taken its place.
    file: Option<(u64, u64)>,
}

impl Local {
    pub(super) fn new(path: Option<PathBuf>, files: bool) -> Self {
        Self { path, files, idle: Mutex::default(), turn: Mutex::new(()) }
    }

    /// A connection that is like a new one.
    pub(super) async fn open(self: &Arc<Self>) -> Result<Connection, Failure> {
        let database = Arc::clone(self);
        blocking(move || {
            let raw = database.raw()?;
            Ok(Connection { raw: Arc::new(Mutex::new(Some(raw))), database })
        })
        .await
    }

    fn raw(&self) -> Result<Raw, Failure> {
        let Some(path) = &self.path else {
            return Self::watched(rusqlite::Connection::open_in_memory()?, self.files, None);
        };
        let file = identity(path);
        let kept = {
            let mut idle = lock(&self.idle);
            idle.retain(|raw| raw.file == file);
            idle.pop()
        };
        if let Some(raw) = kept {
            return Ok(raw);
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
        }
        // Without the flag for URIs: the operator's path is a path, whatever it looks like.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(path, flags)
            .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
        Self::watched(connection, self.files, identity(path))
    }

    fn watched(mut sqlite: rusqlite::Connection, files: bool, file: Option<(u64, u64)>) -> Result<Raw, Failure> {
        sqlite.busy_timeout(BUSY)?;
        let traces = watch(&mut sqlite, files)?;
        Ok(Raw { sqlite, traces, file })
    }

    fn give_back(&self, raw: Raw) {
        let like_new = !raw.traces.are_there() && raw.sqlite.is_autocommit() && self.path.is_some();
        let mut idle = lock(&self.idle);
        if like_new && idle.len() < IDLE {
            idle.push(raw);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// A connection that a guest has opened. Statements on it run one after another.
pub(crate) struct Connection {
    /// Always there but in `drop`.
    raw: Arc<Mutex<Option<Raw>>>,
    database: Arc<Local>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (raw, database) = (Arc::clone(&self.raw), Arc::clone(&self.database));
        // To close is work for the disk, and a statement may be running still.
        let close = move || {
            if let Some(raw) = lock(&raw).take() {
                database.give_back(raw);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(close)),
            Err(_) => close(),
        }
    }
}

/// Dropped by whoever wants the answer: then the statement stops.
pub(super) struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A statement that is about to run.
struct Job {
    raw: Arc<Mutex<Option<Raw>>>,
    database: Arc<Local>,
    unwanted: Arc<AtomicBool>,
}

impl Connection {
    fn job(&self) -> (Job, Wanted) {
        let unwanted = Arc::new(AtomicBool::new(false));
        let wanted = Wanted(Arc::clone(&unwanted));
        (Job { raw: Arc::clone(&self.raw), database: Arc::clone(&self.database), unwanted }, wanted)
    }

    pub(super) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Result<Answer, Failure> {
        let (job, _wanted) = self.job();
        blocking(move || {
            let mut budget = Budget::new();
            let (mut columns, mut rows) = (Vec::new(), Vec::new());
            job.run(
                &statement,
                parameters,
                true,
                |names| columns = names,
                |row, bytes| {
                    budget.take(bytes)?;
                    rows.push(row);
                    Ok(true)
                },
            )?;
            Ok(Answer { columns, rows })
        })
        .await
    }

    pub(super) async fn stream(&self, statement: String, parameters: Vec<Value>) -> Streamed {
        let (job, wanted) = self.job();
        let (mut writer, outcome, rows) = stream();
        let (named, names) = oneshot::channel();
        let run = move || {
            let mut named = Some(named);
            let done = job.run(
                &statement,
                parameters,
                false,
                |names| {
                    if let Some(named) = named.take() {
                        let _ = named.send(names);
                    }
                },
                |row, bytes| {
                    Budget::new().take(bytes)?;
                    Ok(writer.write(row, bytes).is_ok())
                },
            );
            // Who has gone hears nothing more.
            let _ = writer.flush();
            drop(writer);
            let _ = outcome.send(done);
        };
        if std::thread::Builder::new().name("sqlite-rows".to_owned()).spawn(run).is_err() {
            tracing::error!("no thread for a statement: too many are running");
        }
        // A statement that can't be prepared has no columns; the end of its rows says why.
        let columns = names.await.unwrap_or_default();
        Streamed { columns, rows, wanted: Some(wanted) }
    }

    /// Runs all statements of a text.
    pub(super) async fn run_all(&self, statements: String) -> Result<(), Failure> {
        let (job, _wanted) = self.job();
        blocking(move || job.with(|raw| Ok(raw.sqlite.execute_batch(&statements)?))).await
    }

    pub(super) async fn last_insert_rowid(&self) -> i64 {
        let (job, _wanted) = self.job();
        blocking(move || job.with(|raw| Ok(raw.sqlite.last_insert_rowid()))).await.unwrap_or_default()
    }

    pub(super) async fn changes(&self) -> u64 {
        let (job, _wanted) = self.job();
        blocking(move || job.with(|raw| Ok(raw.sqlite.changes()))).await.unwrap_or_default()
    }
}

impl Job {
    fn with<T>(&self, work: impl FnOnce(&mut Raw) -> Result<T, Failure>) -> Result<T, Failure> {
        let mut raw = lock(&self.raw);
        let raw = raw.as_mut().ok_or_else(|| Failure("the connection is closed".to_owned()))?;
        let unwanted = Arc::clone(&self.unwanted);
        raw.sqlite.progress_handler(STEPS, Some(move || unwanted.load(Ordering::Acquire)))?;
        work(raw)
    }

    /// Runs a statement: tells the names of its columns, then each row with about its bytes, until told that it's enough.
    /// `in_turn` makes a change wait for those before it; whoever waits for a guest in between must not take a turn.
    fn run(
        &self,
        statement: &str,
        parameters: Vec<Value>,
        in_turn: bool,
        named: impl FnOnce(Vec<String>),
        mut found: impl FnMut(RowResult, usize) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        self.with(|raw| {
            let mut prepared = raw.sqlite.prepare_cached(statement)?;
            let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
            let count = columns.len();
            named(columns);
            // Within a transaction of its own a connection has its locks already, and others wait for it.
            let changes = !prepared.readonly() && raw.sqlite.is_autocommit();
            let _turn = (in_turn && changes).then(|| lock(&self.database.turn));
            if self.unwanted.load(Ordering::Acquire) {
                return Err(Failure("the statement was given up".to_owned()));
            }
            let mut rows = prepared.query(params_from_iter(parameters.into_iter().map(Parameter)))?;
            while let Some(row) = rows.next()? {
                let mut values = Vec::with_capacity(count);
                let mut bytes = size_of::<RowResult>();
                for index in 0..count {
                    let (value, size) = value(row.get_ref(index)?)?;
                    bytes = bytes.saturating_add(size_of::<Value>() + size);
                    values.push(value);
                }
                if !found(RowResult { values }, bytes)? {
                    break;
                }
            }
            Ok(())
        })
    }
}
