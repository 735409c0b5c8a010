//! The one writer of a database: a thread that puts all changes that wait into one transaction.

use std::sync::mpsc::{Receiver, Sender, channel};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::Failure;

/// Changes of one transaction at most, so that the first of them doesn't wait too long for its answer.
const MOST_TOGETHER: usize = 256;

/// Hands changes to the thread, which ends with this.
pub(super) struct Writer {
    queue: Sender<Box<dyn Change>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection) -> Result<Self, Failure> {
        let (queue, waiting) = channel();
        std::thread::Builder::new()
            .name("key-value".to_owned())
            .spawn(move || write(&connection, &waiting))
            .map_err(|error| Failure(format!("no thread for the store: {error}")))?;
        Ok(Self { queue })
    }

    /// Makes a change, all of it or nothing, and waits until it is kept.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        let ended = || Failure("the store has ended".to_owned());
        let change = Pending { change: Some(change), outcome: None, answer };
        self.queue.send(Box::new(change)).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// A change without the types of what it does.
trait Change: Send {
    /// Makes it; whether it went well.
    fn make(&mut self, connection: &Connection) -> bool;

    /// Answers, once the transaction is kept or lost.
    fn answer(self: Box<Self>, kept: Result<(), Failure>);
}

struct Pending<F, T> {
    change: Option<F>,
    outcome: Option<Result<T, Failure>>,
    answer: oneshot::Sender<Result<T, Failure>>,
}

impl<F, T> Change for Pending<F, T>
where
    F: FnOnce(&Connection) -> Result<T, Failure> + Send,
    T: Send,
{
    fn make(&mut self, connection: &Connection) -> bool {
        // Whoever wanted it has gone: an event that was given up changes nothing any more.
        let change = self.change.take().filter(|_| !self.answer.is_closed());
        self.outcome = change.map(|change| change(connection));
        self.outcome.as_ref().is_none_or(Result::is_ok)
    }

    fn answer(self: Box<Self>, kept: Result<(), Failure>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(Failure("the change was not made".to_owned())));
        // Nobody may be waiting any more.
        let _ = self.answer.send(kept.and(outcome));
    }
}

fn write(connection: &Connection, waiting: &Receiver<Box<dyn Change>>) {
    while let Ok(first) = waiting.recv() {
        let together = std::iter::once(first).chain(waiting.try_iter().take(MOST_TOGETHER - 1));
        let mut changes: Vec<_> = together.collect();
        while !changes.is_empty() {
            changes = write_together(connection, changes);
        }
    }
}

/// Makes the changes in one transaction and answers them; gives back those that it didn't come to.
fn write_together(connection: &Connection, changes: Vec<Box<dyn Change>>) -> Vec<Box<dyn Change>> {
    let run = |sql: &str| connection.execute_batch(sql).map_err(Failure::from);
    let mut changes = changes.into_iter();
    let mut made: Vec<Box<dyn Change>> = Vec::new();
    let outcome = run("BEGIN IMMEDIATE").and_then(|()| {
        for mut change in changes.by_ref() {
            run("SAVEPOINT change")?;
            let well = change.make(connection);
            made.push(change);
            // Some errors, such as a full disk, undo the whole transaction.
            if connection.is_autocommit() {
                return Err(Failure("the transaction was undone, because the disk or the memory is full".to_owned()));
            }
            run(if well { "RELEASE change" } else { "ROLLBACK TO change; RELEASE change" })?;
        }
        run("COMMIT")
    });
    if outcome.is_err() {
        if !connection.is_autocommit() {
            let _ = run("ROLLBACK");
        }
        if made.is_empty() {
            // It could not even begin: so it would be for the others.
            made.extend(changes.by_ref());
        }
    }
    for change in made {
        change.answer(outcome.clone());
    }
    changes.collect()
}
