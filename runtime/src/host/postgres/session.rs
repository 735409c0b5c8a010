//! One connection to a server, through all who borrow it.
//!
//! Whoever borrows a connection has it alone, so that a transaction is one. When it comes back, it is made as new while
//! nobody waits for it: an open transaction is undone, and settings, locks, cursors and temporary tables go. Prepared
//! statements of ours stay, for who comes next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use deadpool::managed::Object;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::timeout;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Error as DriverError, RowStream, SimpleQueryMessage, SimpleQueryRow, Statement};

use super::encode::Parameter;
use super::server::{Canceller, Server};
use super::{Error, error};
use crate::host::connections::OpenPlace;
use crate::host::measured::Exceeded;
use crate::host::pools::Share;
use crate::host::rows::TooLarge;

/// Ends a transaction if there is one. To roll back nothing would be a warning in the server's log, each time.
const END: &str = "BEGIN; ";

/// Makes a connection as new. The last of its rows says how many statements were prepared with SQL, and how many were not.
const RESET: &str = "ROLLBACK; CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
    SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
    SELECT count(*) FILTER (WHERE from_sql), count(*) FILTER (WHERE NOT from_sql) FROM pg_prepared_statements";

/// How long that may take; after it the connection is given up.
const RESET_TIME: Duration = Duration::from_secs(5);

/// How long a statement that nobody waits for any more may go on by itself. To stop it would end the transaction it is in.
const END_TIME: Duration = Duration::from_millis(100);

/// How long it may take to stop one; after it the connection is given up.
const CANCEL_TIME: Duration = Duration::from_secs(5);

/// Prepared statements that are kept with a connection, and the longest text of one, in bytes.
const MOST_STATEMENTS: usize = 64;
const LONGEST_STATEMENT: usize = 8 * 1024;

/// A connection.
pub(super) struct Session {
    line: Arc<Line>,
    /// What makes it as new, after somebody had it; the answer is whether it is.
    resetting: Option<JoinHandle<bool>>,
}

/// What statements run on.
struct Line {
    client: Client,
    /// The task of the connection.
    task: AbortHandle,
    canceller: Canceller,
    exceeded: Exceeded,
    /// Held while a statement runs: what comes back belongs to one of them at a time.
    order: Arc<Mutex<()>>,
    /// The one that was used most recently comes last.
    prepared: StdMutex<VecDeque<(String, Statement)>>,
    /// How many statements the server knew besides those when the connection was last made as new: the driver has some of its
    /// own.
    others: AtomicI64,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    pub(super) fn new(client: Client, task: AbortHandle, canceller: Canceller, exceeded: Exceeded) -> Self {
        let (order, prepared, others) = (Arc::default(), StdMutex::default(), AtomicI64::new(0));
        let line = Line { client, task, canceller, exceeded, order, prepared, others };
        Self { line: Arc::new(line), resetting: None }
    }

    pub(super) fn client(&self) -> &Client {
        &self.line.client
    }

    /// Whether it works, and nothing is left of who had it last.
    pub(super) async fn is_as_new(&mut self) -> bool {
        let reset = match self.resetting.take() {
            Some(resetting) => resetting.await.unwrap_or(false),
            None => true,
        };
        reset && !self.line.client.is_closed()
    }
}

/// A connection that somebody has borrowed.
pub(super) struct Borrowed {
    /// Until it is given back.
    session: Option<Object<Server>>,
    line: Arc<Line>,
    /// Whether it may lie in the pool unused.
    kept: bool,
    // Free when the connection is.
    _share: Share,
    _place: OpenPlace,
}

impl Borrowed {
    pub(super) fn new((session, share): (Object<Server>, Share), kept: bool, place: OpenPlace) -> Self {
        let line = Arc::clone(&session.line);
        Self { session: Some(session), line, kept, _share: share, _place: place }
    }

    /// A failure of a statement in words for the guest.
    pub(super) fn explain(&self, failure: &DriverError) -> Error {
        // The driver only says that the connection has ended.
        if self.line.exceeded.take() { TooLarge.into() } else { error::query(failure) }
    }

    /// Runs a statement, up to where its rows come.
    pub(super) async fn query(
        &self,
        text: &str,
        parameters: &[Parameter],
    ) -> Result<(RowStream, Running), DriverError> {
        let running = self.begin().await;
        let mut outdated = None;
        loop {
            let mut known = false;
            let started = match self.line.prepare(text, &mut known).await {
                Ok(statement) => self.line.client.query_raw(&statement, parameters).await,
                Err(error) => Err(error),
            };
            match self.line.judge(text, started, known, &mut outdated) {
                Some(Ok(rows)) => return Ok((rows, running)),
                Some(Err(error)) => {
                    running.finish();
                    return Err(error);
                }
                None => {}
            }
        }
    }

    /// Runs a statement to its end, and gives the number of rows that it concerned.
    pub(super) async fn execute(&self, text: &str, parameters: &[Parameter]) -> Result<u64, DriverError> {
        let running = self.begin().await;
        let mut outdated = None;
        loop {
            let mut known = false;
            let executed = match self.line.prepare(text, &mut known).await {
                Ok(statement) => self.line.client.execute_raw(&statement, parameters).await,
                Err(error) => Err(error),
            };
            if let Some(ended) = self.line.judge(text, executed, known, &mut outdated) {
                running.finish();
                return ended;
            }
        }
    }

    async fn begin(&self) -> Running {
        let turn = Arc::clone(&self.line.order).lock_owned().await;
        Running { line: Arc::clone(&self.line), turn: Some(turn) }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        let runtime = Handle::try_current();
        match runtime {
            Ok(runtime) if self.kept && !self.line.client.is_closed() => {
                session.resetting = Some(runtime.spawn(reset(Arc::clone(&self.line))));
            }
            _ => drop(Object::take(session)),
        }
    }
}

impl Line {
    /// The statement of a text, as the server knows it, and whether it was `known` before.
    async fn prepare(&self, text: &str, known: &mut bool) -> Result<Statement, DriverError> {
        if let Some(statement) = self.forget(text) {
            self.remember(text, &statement);
            *known = true;
            return Ok(statement);
        }
        let statement = self.client.prepare(text).await?;
        if text.len() <= LONGEST_STATEMENT {
            self.remember(text, &statement);
        }
        Ok(statement)
    }

    fn remember(&self, text: &str, statement: &Statement) {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.push_back((text.to_owned(), statement.clone()));
        if prepared.len() > MOST_STATEMENTS {
            prepared.pop_front();
        }
    }

    fn forget(&self, text: &str) -> Option<Statement> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        let at = prepared.iter().position(|(known, _)| known == text)?;
        prepared.remove(at).map(|(_, statement)| statement)
    }

    /// What a statement came to, or nothing if it is to be run once more, since it was prepared for a table that has changed
    /// or has been thrown away: either the server says so before anything is done, or the parameters were of other types
    /// when it became `known`. `outdated` has that error afterwards.
    fn judge<T>(
        &self,
        text: &str,
        result: Result<T, DriverError>,
        known: bool,
        outdated: &mut Option<DriverError>,
    ) -> Option<Result<T, DriverError>> {
        let error = match result {
            Ok(value) => return Some(Ok(value)),
            Err(error) => error,
        };
        let about_a_value = is_about_a_value(&error);
        let again = error.as_db_error().is_some_and(is_outdated) || (about_a_value && known);
        if again && outdated.is_none() && self.forget(text).is_some() {
            *outdated = Some(error);
            return None;
        }
        if !about_a_value {
            self.note(&error);
        }
        // In a transaction, the second time only says that there was a first one. Of values, the second one is true.
        let first = outdated.take().filter(|first| first.as_db_error().is_some());
        Some(Err(first.unwrap_or(error)))
    }

    /// Gives up the connection after an error of which the server doesn't know: nobody knows what it will send next.
    fn note(&self, error: &DriverError) {
        if error.as_db_error().is_none() {
            self.task.abort();
        }
    }
}

fn is_outdated(error: &DbError) -> bool {
    matches!(
        (error.code().code(), error.routine()),
        ("0A000", Some("RevalidateCachedQuery"))
            | ("26000", Some("FetchPreparedStatement"))
            | ("42804", Some("transformAssignedExpr"))
    )
}

/// Whether an error came before anything was sent.
fn is_about_a_value(error: &DriverError) -> bool {
    let text = error.to_string();
    text.starts_with("error serializing") || text.starts_with("expected ")
}

/// A statement that has not come to its end. When this is dropped before it has, the statement is stopped; the next one on
/// the connection waits until it is.
pub(super) struct Running {
    line: Arc<Line>,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Running {
    /// All that the server sends for it is there.
    pub(super) fn finish(mut self) {
        self.turn = None;
    }

    /// The same, and it ends with an error. One that is not the server's ends the connection: it may have begun to copy data,
    /// which guests have no form for and which has no end.
    pub(super) fn fail(self, error: &DriverError) {
        self.line.note(error);
        self.finish();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(stop(Arc::clone(&self.line), turn))),
            Err(_) => self.line.task.abort(),
        }
    }
}

/// Waits until the server is ready for the next statement, and makes it so.
async fn stop(line: Arc<Line>, turn: OwnedMutexGuard<()>) {
    let mut ready = std::pin::pin!(line.client.simple_query(""));
    if timeout(END_TIME, &mut ready).await.is_err() {
        let cancelled = timeout(CANCEL_TIME, async { (line.canceller.cancel().await, ready.await) }).await;
        match cancelled {
            Ok((Ok(()), _)) => {}
            Ok((Err(reason), _)) => tracing::debug!("a statement could not be stopped: {reason}"),
            Err(_) => line.task.abort(),
        }
    }
    drop(turn);
}

/// Whether a connection could be made as new.
async fn reset(line: Arc<Line>) -> bool {
    let reset = timeout(RESET_TIME + CANCEL_TIME, async {
        let _turn = line.order.lock().await;
        match line.client.simple_query(&format!("{END}{RESET}")).await {
            // A transaction that has failed lets nothing begin.
            Err(error) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
                line.client.simple_query(RESET).await
            }
            ended => ended,
        }
    });
    if let Ok(Ok(messages)) = reset.await
        && line.has_its_statements(&messages)
    {
        return true;
    }
    line.task.abort();
    false
}

impl Line {
    /// Whether the server knows the statements that it should and no others, by what it answers to [`RESET`]. A guest may have
    /// prepared some with SQL, which belong to him, and deallocated ours.
    fn has_its_statements(&self, answer: &[SimpleQueryMessage]) -> bool {
        let count = |row: &SimpleQueryRow, at| row.get(at)?.parse::<i64>().ok();
        let counts = answer.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((count(row, 0)?, count(row, 1)?)),
            _ => None,
        });
        let Some((with_sql, without)) = counts else { return false };
        let ours = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).len();
        let others = without - i64::try_from(ours).unwrap_or(i64::MAX);
        with_sql == 0 && others >= self.others.swap(others, Ordering::Relaxed)
    }
}
