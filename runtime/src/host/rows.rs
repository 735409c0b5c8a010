//! Results that guests read: at most 128 MiB of one result that the host must hold whole, and streams that hold a few
//! batches and no more, however long they are. Shared by everything that answers with rows or keys.

mod reader;
#[cfg(test)]
mod tests;
mod unread;
mod writer;

use tokio::sync::oneshot;

pub(crate) use reader::Rows;
pub(crate) use unread::Unread;
pub(crate) use writer::Writer;

/// Bytes of one result that is held whole; of a stream, bytes of one row.
pub(crate) const MOST_BUFFERED: usize = 134_217_728;

/// A result is larger than the host holds for a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("query result exceeds limit of {MOST_BUFFERED} bytes")]
pub(crate) struct TooLarge;

/// What went wrong in a back end, in words for the guest.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl From<TooLarge> for Failure {
    fn from(error: TooLarge) -> Self {
        Self(error.to_string())
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

/// How much of one result may still come.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// For a result of which nothing is there yet.
    pub(crate) fn new() -> Self {
        Self { left: MOST_BUFFERED }
    }

    /// Counts `bytes` more.
    ///
    /// # Errors
    /// When the result has become too large; nothing more of it should be made.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    /// Bytes that have been counted.
    pub(crate) fn used(&self) -> usize {
        MOST_BUFFERED - self.left
    }
}

/// The reader of a stream of items has gone: whoever makes them can stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Where whoever makes the items of a stream says how it ended.
pub(crate) type Outcome<E> = oneshot::Sender<Result<(), E>>;

/// A stream of items with an end that may be an error: what makes the items, and what the guest reads.
pub(crate) fn stream<T, E>() -> (Writer<T>, Outcome<E>, Rows<T, E>) {
    Unread::default().stream()
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer<C, R> {
    pub(crate) columns: Vec<C>,
    pub(crate) rows: Vec<R>,
}

/// An answer of which the rows are still coming.
pub(crate) struct Streamed<C, R, E> {
    pub(crate) columns: Vec<C>,
    pub(crate) rows: Rows<R, E>,
}
