//! Databases in files of this machine, and in memory.
//!
//! Opening a file and reading its schema costs more than most statements. So a connection on which nothing but reading was
//! done, which is like a new one, is kept for the next `open`; any other is closed, and with it goes what it changed for
//! itself (temporary tables, pragmas, attached databases, an open transaction).
//!
//! SQLite blocks, so it has threads of its own: for an answer as a whole one of the runtime's for blocking work, for a
//! stream, which lasts as long as a guest pleases, a new one.
//!
//! Statements on a connection run one after another, and a guest may leave a stream unread while it waits for the next one,
//! or for ever. So a stream waits for its reader only as long as nothing else is wanted of its connection; then what is left
//! of it is kept, as an answer that is asked for as a whole would be, with one limit for all streams of an instance. Another connection would be no
//! help: it knows nothing of the transaction, the temporary tables or, in memory, the database of this one. The same is done,
//! after a moment, when somebody in this process wants to change the file, who would have to wait for the stream.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{OpenFlags, params_from_iter};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::convert::{Parameter, size, value};
use super::guard::{Traces, watch};
use super::waiting::Waiting;
use super::{Answer, Failure, RowResult, Streamed, Value};
use crate::host::rows::{Budget, Unread, Writer};

/// How long a statement waits for a lock that somebody else has.
const BUSY: Duration = Duration::from_secs(5);

/// How long a stream waits for its reader from when somebody else wants to change the database, who waits no longer than
/// [`BUSY`].
const PATIENCE: Duration = Duration::from_secs(1);

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
    /// How many statements change it, or wait for that.
    changing: watch::Sender<usize>,
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
        Self { path, files, idle: Mutex::default(), turn: Mutex::new(()), changing: watch::Sender::new(0) }
    }

    /// A connection that is like a new one. What it leaves unread counts in `unread`.
    pub(super) async fn open(self: &Arc<Self>, unread: Unread) -> Result<Connection, Failure> {
        let database = Arc::clone(self);
        blocking(move || {
            let raw = database.raw()?;
            Ok(Connection(Arc::new(Opened {
                raw: Mutex::new(Some(raw)),
                waiting: watch::Sender::new(0),
                streaming: Arc::default(),
                unread,
                database,
            })))
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
pub(crate) struct Connection(Arc<Opened>);

/// What the guest has and its statements, until the last of them ends.
struct Opened {
    /// Always there but in `drop`.
    raw: Mutex<Option<Raw>>,
    /// How many wait for it.
    waiting: watch::Sender<usize>,
    /// Of streams, only one has a thread.
    streaming: Arc<tokio::sync::Mutex<()>>,
    unread: Unread,
    database: Arc<Local>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(raw) = self.raw.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let database = Arc::clone(&self.database);
        // To close is work for the disk.
        let close = move || database.give_back(raw);
        match Handle::try_current() {
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
    opened: Arc<Opened>,
    unwanted: Arc<AtomicBool>,
}

/// Who gets what a statement finds.
trait Reader {
    /// Gets the names of the columns, before any row.
    fn begin(&mut self, columns: Vec<String>, effect: Effect);

    /// Is asked before a row of about so many bytes is made.
    fn fits(&mut self, bytes: usize) -> Result<(), Failure>;

    /// Gets a row that fits, of about so many bytes, and tells whether it wants more.
    fn row(&mut self, row: RowResult, bytes: usize) -> Result<bool, Failure>;
}

/// What a statement does to its database.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    /// Others wait for it.
    Changes,
}

/// Gets all rows.
struct Whole {
    answer: Answer,
    budget: Budget,
}

impl Reader for Whole {
    fn begin(&mut self, columns: Vec<String>, _: Effect) {
        self.answer.columns = columns;
    }

    fn fits(&mut self, bytes: usize) -> Result<(), Failure> {
        Ok(self.budget.take(bytes)?)
    }

    fn row(&mut self, row: RowResult, _: usize) -> Result<bool, Failure> {
        self.answer.rows.push(row);
        Ok(true)
    }
}

/// Passes rows on to a guest.
struct Passing {
    named: Option<oneshot::Sender<Vec<String>>>,
    effect: Effect,
    writer: Writer<RowResult>,
    /// How many wait for the connection.
    waiting: watch::Receiver<usize>,
    /// How many change the database, if that is one of others too.
    changing: Option<watch::Receiver<usize>>,
    /// Since when one of those is known of.
    since: Option<Instant>,
    /// What all streams of the instance have unread.
    unread: Unread,
    runtime: Handle,
}

impl Reader for Passing {
    fn begin(&mut self, columns: Vec<String>, effect: Effect) {
        self.effect = effect;
        if let Some(named) = self.named.take() {
            let _ = named.send(columns);
        }
    }

    fn fits(&mut self, bytes: usize) -> Result<(), Failure> {
        Ok(self.writer.fits(bytes)?)
    }

    fn row(&mut self, row: RowResult, bytes: usize) -> Result<bool, Failure> {
        if !self.writer.add(row, bytes) {
            return Ok(true);
        }
        if self.changing.as_ref().is_none_or(|changing| *changing.borrow() == 0) {
            self.since = None;
        }
        let wanted = async {
            if self.effect == Effect::Changes {
                return;
            }
            let changing = async {
                let Some(changing) = self.changing.as_mut() else { return std::future::pending().await };
                if changing.wait_for(|count| *count > 0).await.is_err() {
                    return std::future::pending().await;
                }
                // However this one is read, the other one waits from then on.
                let since = *self.since.get_or_insert_with(Instant::now);
                tokio::time::sleep_until(since + PATIENCE).await;
                // Where there is no room for more, others have to wait. The guest of this connection would wait for itself.
                while !self.unread.has_room() {
                    tokio::time::sleep(PATIENCE).await;
                }
            };
            tokio::select! {
                _ = self.waiting.wait_for(|count| *count > 0) => {}
                () = changing => {}
            }
        };
        Ok(self.runtime.block_on(self.writer.flush_or_keep(wanted))?)
    }
}

impl Connection {
    fn job(&self) -> (Job, Wanted) {
        let unwanted = Arc::new(AtomicBool::new(false));
        let wanted = Wanted(Arc::clone(&unwanted));
        (Job { opened: Arc::clone(&self.0), unwanted }, wanted)
    }

    pub(super) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Result<Answer, Failure> {
        let (job, _wanted) = self.job();
        blocking(move || {
            let answer = Answer { columns: Vec::new(), rows: Vec::new() };
            let mut whole = Whole { answer, budget: Budget::new() };
            job.run(&statement, parameters, &mut whole)?;
            Ok(whole.answer)
        })
        .await
    }

    pub(super) async fn stream(&self, statement: String, parameters: Vec<Value>) -> Streamed {
        let (job, wanted) = self.job();
        let turn = {
            let _waiting = Waiting::new(&self.0.waiting);
            Arc::clone(&self.0.streaming).lock_owned().await
        };
        let (writer, outcome, rows) = self.0.unread.stream();
        let (named, names) = oneshot::channel();
        let waiting = self.0.waiting.subscribe();
        let changing = self.0.database.path.is_some().then(|| self.0.database.changing.subscribe());
        let (unread, runtime) = (self.0.unread.clone(), Handle::current());
        let mut passing = Passing {
            named: Some(named),
            effect: Effect::Reads,
            writer,
            waiting,
            changing,
            since: None,
            unread,
            runtime,
        };
        let run = move || {
            let done = job.run(&statement, parameters, &mut passing);
            // The connection and the thread are free for others while the guest reads what is left.
            let Passing { writer, runtime, .. } = passing;
            drop(job);
            drop(turn);
            runtime.spawn(writer.finish(outcome, done));
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
        blocking(move || {
            job.with(|raw| {
                let _changing = Waiting::new(&job.opened.database.changing);
                Ok(raw.sqlite.execute_batch(&statements)?)
            })
        })
        .await
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
        let waiting = Waiting::new(&self.opened.waiting);
        let mut raw = lock(&self.opened.raw);
        drop(waiting);
        let raw = raw.as_mut().ok_or_else(|| Failure("the connection is closed".to_owned()))?;
        let unwanted = Arc::clone(&self.unwanted);
        raw.sqlite.progress_handler(STEPS, Some(move || unwanted.load(Ordering::Acquire)))?;
        work(raw)
    }

    /// Runs a statement for a reader, until that wants no more. A change waits for those before it.
    fn run(&self, statement: &str, parameters: Vec<Value>, reader: &mut impl Reader) -> Result<(), Failure> {
        self.with(|raw| {
            let mut prepared = raw.sqlite.prepare_cached(statement)?;
            let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
            let count = columns.len();
            let effect = if prepared.readonly() { Effect::Reads } else { Effect::Changes };
            reader.begin(columns, effect);
            // COMMIT is not said to change anything, and waits for all who read. As a query it has no columns.
            let changes = effect == Effect::Changes || count == 0;
            let _changing = changes.then(|| Waiting::new(&self.opened.database.changing));
            // Within a transaction of its own a connection has its locks already, and others wait for it.
            let in_turn = effect == Effect::Changes && raw.sqlite.is_autocommit();
            let _turn = in_turn.then(|| lock(&self.opened.database.turn));
            if self.unwanted.load(Ordering::Acquire) {
                return Err(Failure("the statement was given up".to_owned()));
            }
            let mut rows = prepared.query(params_from_iter(parameters.into_iter().map(Parameter)))?;
            while let Some(row) = rows.next()? {
                let mut bytes = size_of::<RowResult>();
                for index in 0..count {
                    bytes = bytes.saturating_add(size(row.get_ref(index)?));
                }
                reader.fits(bytes)?;
                let mut values = Vec::with_capacity(count);
                for index in 0..count {
                    values.push(value(row.get_ref(index)?)?);
                }
                if !reader.row(RowResult { values }, bytes)? {
                    break;
                }
            }
            Ok(())
        })
    }
}
