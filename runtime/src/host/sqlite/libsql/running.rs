//! A statement whose answer is coming.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::RowResult;
use super::hrana::{self, AUTOCOMMIT, Cell, Cursor, Entry, STATEMENT, ServerError};
use super::lines::Lines;
use super::session::Turn;
use super::{LONGEST_ANSWER, Refused};
use crate::host::rows::{Budget, Failure, MOST_BUFFERED, TooLarge, Writer};

/// Bytes of a line at most. A blob of the most that a guest gets takes a third more, and a text with escapes up to five times
/// more, of which that much is allowed.
const LONGEST_LINE: usize = 2 * MOST_BUFFERED;

/// How long the rest of an answer is read that nobody wants: the public server gives up a connection of which it has heard
/// nothing for ten seconds since the answer began.
const REST: Duration = Duration::from_secs(5);

/// One on a connection that nothing else is asked of before the answer's end.
pub(super) struct Running {
    lines: Lines,
    turn: Turn,
    columns: Vec<String>,
    /// Without columns there are none, and the statement ends by itself.
    has_rows: bool,
    /// How it went, when that has come.
    done: Option<Result<(), ServerError>>,
    /// Whether a transaction is open after it, as far as is known.
    in_transaction: bool,
}

impl Running {
    /// Asks, and reads the answer up to the names of the columns.
    ///
    /// A server forgets a connection after a few seconds in which nothing is asked, also while rows are read slowly. Unless a
    /// transaction was open, the statement is asked again, of another one.
    pub(super) async fn begin(mut turn: Turn, statement: &str, parameters: &[Cell]) -> Result<Self, Failure> {
        let answer = loop {
            let (baton, base) = turn.place();
            let asked = turn.server.ask(base, "cursor", &Cursor::new(baton, statement, parameters)).await;
            match asked {
                Ok(answer) => break answer,
                Err(Refused::Unknown(_)) if turn.begin_anew() => {}
                Err(refused) => return Err(refused.into()),
            }
        };
        let mut lines = Lines::new(answer.into_body(), Arc::clone(&turn.server.long_lines));
        let first = lines.next(LONGEST_ANSWER).await.map_err(|error| turn.server.unread(error))?;
        let first = first.ok_or_else(|| turn.server.failed(&"the server answers nothing"))?;
        turn.moved(turn.server.parse(&first.text)?)?;
        let mut running = Self { lines, turn, columns: Vec::new(), has_rows: false, done: None, in_transaction: true };
        match running.next().await? {
            Some(Entry::StepBegin { step: STATEMENT, cols }) => {
                running.columns = cols.into_iter().map(String::from).collect();
                running.has_rows = !running.columns.is_empty();
                Ok(running)
            }
            _ => Err(running.odd()),
        }
    }

    /// The names of the columns, once.
    pub(super) fn columns(&mut self) -> Vec<String> {
        std::mem::take(&mut self.columns)
    }

    /// The next row, and about how many bytes it has; nothing at the end.
    ///
    /// # Errors
    /// When the statement fails, or the exchange with the server.
    pub(super) async fn row(&mut self) -> Result<Option<(RowResult, usize)>, Failure> {
        match self.next().await? {
            None => Ok(None),
            Some(Entry::Row { row }) => {
                let row = hrana::row(row).map_err(|failure| self.turn.server.failed(&failure))?;
                Ok(Some(row))
            }
            Some(_) => Err(self.odd()),
        }
    }

    /// What comes next of the statement itself.
    async fn next(&mut self) -> Result<Option<Entry>, Failure> {
        while let Some(line) = self.lines.next(LONGEST_LINE).await.map_err(|error| self.turn.server.unread(error))? {
            match (self.turn.server.parse(&line.text)?, &self.done) {
                (Entry::StepEnd { affected_row_count, last_insert_rowid }, None) => {
                    let effect = self.turn.effect();
                    effect.changes = affected_row_count;
                    if let Some(id) = last_insert_rowid {
                        effect.last_insert_rowid = id.0;
                    }
                    self.done = Some(Ok(()));
                }
                (Entry::StepError { step: STATEMENT, error }, None) => self.done = Some(Err(error)),
                (entry @ (Entry::StepBegin { .. } | Entry::Row { .. }), None) => return Ok(Some(entry)),
                (Entry::StepBegin { step: AUTOCOMMIT, .. }, Some(_)) => self.in_transaction = false,
                (Entry::Error { error }, _) => return Err(self.turn.server.said(error)),
                // Of the step that tells of the transaction; and what only other clients need.
                (Entry::Row { .. } | Entry::StepEnd { .. } | Entry::StepError { .. }, Some(_)) | (Entry::Other, _) => {}
                (Entry::StepBegin { .. } | Entry::StepError { .. }, _) => return Err(self.odd()),
            }
        }
        let done = self.done.take().ok_or_else(|| self.turn.server.failed(&"the answer ends too early"))?;
        self.turn.end(self.in_transaction);
        done.map(|()| None).map_err(|error| self.turn.server.said(error))
    }

    fn odd(&self) -> Failure {
        self.turn.server.failed(&"the answer is not in the order of the protocol")
    }

    /// Nobody wants the rest. Where a transaction was open it is read all the same, if it isn't too much and somebody has the
    /// connection still, who has `waiting`: a connection whose answer was broken off is not to be used again.
    pub(super) async fn leave(&mut self, mut waiting: watch::Receiver<usize>) {
        if !self.turn.in_transaction() {
            return;
        }
        let mut budget = Budget::new();
        let rest = async {
            while let Ok(Some((_, bytes))) = self.row().await
                && budget.take(bytes).is_ok()
            {}
        };
        tokio::select! {
            _ = timeout(REST, rest) => {}
            _ = waiting.wait_for(|_| false) => {}
        }
    }

    /// Gives the rows to a guest, until it wants no more. Who waits for the connection is counted in `waiting`.
    pub(super) async fn pass_on(
        &mut self,
        writer: &mut Writer<RowResult>,
        waiting: watch::Receiver<usize>,
    ) -> Result<(), Failure> {
        let stopped = loop {
            let next = match self.row().now_or_never() {
                Some(next) => next,
                // Whoever is in the middle of a long line waits for the server alone: others wait for that line's end.
                None if self.lines.has_place() => self.row().await,
                // Rows that have come together go together; none waits here for one that has not come.
                None => tokio::select! {
                    next = self.row() => next,
                    // What has no rows is done whether anybody looks at those or not.
                    () = writer.tend(), if self.has_rows => break Ok(()),
                },
            };
            let Some((row, bytes)) = next? else { return Ok(()) };
            if let Err(too_large) = writer.fits(bytes) {
                break Err(too_large);
            }
            if writer.add(row, bytes) {
                match flush(writer, &waiting).await {
                    Ok(true) => {}
                    Ok(false) => break Ok(()),
                    Err(too_large) => break Err(too_large),
                }
            }
        };
        self.leave(waiting).await;
        Ok(stopped?)
    }
}

/// Gives what there is to a guest, or keeps it when somebody waits for the connection. Whether it wants more.
async fn flush(writer: &mut Writer<RowResult>, waiting: &watch::Receiver<usize>) -> Result<bool, TooLarge> {
    let wanted = async {
        // Without anybody who has the connection, nobody waits for it.
        if waiting.clone().wait_for(|count| *count > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    writer.flush_or_keep(wanted).await
}
