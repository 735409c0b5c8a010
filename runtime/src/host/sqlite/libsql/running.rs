//! A statement whose answer is coming.

use tokio::sync::watch;

use super::super::{RowResult, Value};
use super::hrana::{self, AUTOCOMMIT, Cursor, Entry, STATEMENT, ServerError};
use super::lines::Lines;
use super::session::Turn;
use crate::host::rows::{Budget, Failure, Unread, Writer};

/// One on a connection that nothing else is asked of before the answer's end.
pub(super) struct Running {
    turn: Turn,
    lines: Lines,
    /// How it went, when that has come.
    done: Option<Result<(), ServerError>>,
    /// Whether no transaction is open after it.
    autocommit: bool,
}

/// What comes of an answer.
enum Found {
    Columns(Vec<String>),
    Row(RowResult, usize),
}

impl Running {
    /// Asks, and reads the answer up to the names of the columns.
    pub(super) async fn begin(
        mut turn: Turn,
        statement: &str,
        parameters: Vec<Value>,
    ) -> Result<(Vec<String>, Self), Failure> {
        let (baton, base) = turn.place();
        let answer = turn.server.ask(base, "cursor", &Cursor::new(baton, statement, parameters)).await?;
        let mut lines = Lines::new(answer.into_body());
        let first = lines.next().await.map_err(|failure| turn.server.failed(&failure))?;
        let place = turn.server.parse(&first.unwrap_or_default())?;
        turn.moved(place)?;
        let mut running = Self { turn, lines, done: None, autocommit: false };
        match running.next().await? {
            Some(Found::Columns(columns)) => Ok((columns, running)),
            _ => Err(running.turn.server.failed(&"the answer has no columns")),
        }
    }

    /// What comes next; nothing at the end.
    ///
    /// # Errors
    /// When the statement fails, or the exchange with the server.
    async fn next(&mut self) -> Result<Option<Found>, Failure> {
        loop {
            let line = self.lines.next().await.map_err(|failure| self.turn.server.failed(&failure))?;
            let Some(line) = line else { return self.end().map(|()| None) };
            match self.turn.server.parse(&line)? {
                Entry::StepBegin { step: STATEMENT, cols } => {
                    return Ok(Some(Found::Columns(cols.into_iter().map(String::from).collect())));
                }
                Entry::StepBegin { step: AUTOCOMMIT, .. } => self.autocommit = true,
                Entry::Row { row } if self.done.is_none() => {
                    let (row, bytes) = hrana::row(row)?;
                    return Ok(Some(Found::Row(row, bytes)));
                }
                Entry::StepEnd { affected_row_count, last_insert_rowid } if self.done.is_none() => {
                    let effect = self.turn.effect();
                    effect.changes = affected_row_count;
                    if let Some(id) = last_insert_rowid.and_then(|id| id.parse().ok()) {
                        effect.last_insert_rowid = id;
                    }
                    self.done = Some(Ok(()));
                }
                Entry::StepError { step: STATEMENT, error } => self.done = Some(Err(error)),
                Entry::Error { error } => return Err(self.turn.server.said(error)),
                _ => {}
            }
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        let done = self.done.take().ok_or_else(|| self.turn.server.failed(&"the answer ends too early"))?;
        self.turn.end(!self.autocommit);
        done.map_err(|error| self.turn.server.said(error))
    }

    /// The next row, and about how many bytes it has.
    pub(super) async fn row(&mut self) -> Result<Option<(RowResult, usize)>, Failure> {
        loop {
            match self.next().await? {
                Some(Found::Row(row, bytes)) => return Ok(Some((row, bytes))),
                Some(Found::Columns(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Nobody wants the rest. Within a transaction it is read all the same, if it isn't too much: a connection whose answer
    /// was broken off is not to be used again.
    pub(super) async fn leave(&mut self) {
        let mut budget = Budget::new();
        while self.turn.in_transaction
            && let Ok(Some((_, bytes))) = self.row().await
            && budget.take(bytes).is_ok()
        {}
    }

    /// Gives the rows to a guest, until it wants no more.
    pub(super) async fn pass_on(
        &mut self,
        writer: &mut Writer<RowResult>,
        mut waiting: watch::Receiver<usize>,
        unread: &Unread,
    ) -> Result<(), Failure> {
        let stopped = loop {
            let (row, bytes) = tokio::select! {
                row = self.row() => match row? {
                    Some(row) => row,
                    None => return Ok(()),
                },
                () = writer.abandoned() => break Ok(()),
            };
            if let Err(too_large) = Budget::new().take(bytes) {
                break Err(too_large);
            }
            let is_full = writer.add(row, bytes);
            if !is_full && self.lines.are_at_hand() {
                continue;
            }
            let wanted = async { drop(waiting.wait_for(|count| *count > 0).await) };
            match writer.flush_or_keep(wanted, unread.room()).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(too_large) => break Err(too_large),
            }
        };
        self.leave().await;
        Ok(stopped?)
    }
}
