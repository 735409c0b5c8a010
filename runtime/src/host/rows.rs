//! Results that guests read: at most 128 MiB of one result that the host must hold whole, and streams that hold a few
//! batches and no more, however long they are. Shared by everything that answers with rows or keys.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{
    Destination, FutureReader, Lift, Lower, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

/// Bytes of one result that is held whole; of a stream, bytes of one row.
pub(crate) const MOST_BUFFERED: usize = 134_217_728;

/// Batches that wait for a guest to read them.
const BATCHES: usize = 4;

/// A batch is sent when it has this many bytes or items, or has waited this long for more.
const BATCH_BYTES: usize = 64 * 1024;
const BATCH_ITEMS: usize = 256;
const BATCH_AGE: Duration = Duration::from_millis(5);

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
    let (sender, receiver) = mpsc::channel(BATCHES);
    let (outcome, ended) = oneshot::channel();
    let writer = Writer { sender, sent: VecDeque::new(), batch: Vec::new(), bytes: 0, begun: Instant::now() };
    (writer, outcome, Rows { receiver, ended })
}

/// Puts items into batches.
pub(crate) struct Writer<T> {
    sender: mpsc::Sender<Vec<T>>,
    /// Bytes of the batches that may still wait for the reader, the last one at the end.
    sent: VecDeque<usize>,
    batch: Vec<T>,
    bytes: usize,
    begun: Instant,
}

impl<T> Writer<T> {
    /// Adds an item of about `bytes`; waits while the reader has enough.
    ///
    /// # Errors
    /// [`Gone`] when nobody reads any more.
    pub(crate) async fn put(&mut self, item: T, bytes: usize) -> Result<(), Gone> {
        if self.add(item, bytes) { self.flush_all().await } else { Ok(()) }
    }

    /// Adds an item of about `bytes`, and tells whether the batch should be sent now.
    pub(crate) fn add(&mut self, item: T, bytes: usize) -> bool {
        if self.batch.is_empty() {
            self.begun = Instant::now();
        }
        self.batch.push(item);
        self.bytes = self.bytes.saturating_add(bytes);
        let full = self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_ITEMS;
        full || self.begun.elapsed() >= BATCH_AGE
    }

    /// Sends what there is unless the reader has enough and `wanted` ends before that changes: then it is kept here, up to
    /// `most` bytes. Whether anybody reads.
    ///
    /// # Errors
    /// When more would have to be kept.
    pub(crate) async fn flush_or_keep(
        &mut self,
        wanted: impl Future<Output = ()>,
        most: usize,
    ) -> Result<bool, TooLarge> {
        let place = tokio::select! {
            biased;
            place = self.sender.reserve() => place,
            () = wanted => return if self.unread() > most { Err(TooLarge) } else { Ok(true) },
        };
        self.sent.push_back(std::mem::take(&mut self.bytes));
        if self.sent.len() > BATCHES {
            self.sent.pop_front();
        }
        Ok(place.map(|place| place.send(std::mem::take(&mut self.batch))).is_ok())
    }

    /// Whether something is kept here that could not be sent.
    pub(crate) fn keeps(&self) -> bool {
        !self.batch.is_empty()
    }

    /// About how many bytes the reader has not taken.
    pub(crate) fn unread(&self) -> usize {
        let waiting = BATCHES - self.sender.capacity().min(BATCHES);
        self.bytes + self.sent.iter().rev().take(waiting).sum::<usize>()
    }

    /// Sends what there is.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub(crate) async fn flush_all(&mut self) -> Result<(), Gone> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.send(batch).await
    }

    /// Returns when nobody reads any more.
    pub(crate) async fn abandoned(&self) {
        self.sender.closed().await;
    }

    /// Sends a batch that was made elsewhere; waits, not blocking, while the reader has enough.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub(crate) async fn send(&self, batch: Vec<T>) -> Result<(), Gone> {
        match batch.is_empty() {
            // Nothing to read would be the end for a guest.
            true if self.sender.is_closed() => Err(Gone),
            true => Ok(()),
            false => self.sender.send(batch).await.map_err(|_| Gone),
        }
    }
}

/// Bytes of rows that nobody has read, of statements of a connection that have ended.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// How much more may be kept.
    pub(crate) fn room(&self) -> usize {
        MOST_BUFFERED.saturating_sub(self.0.load(Ordering::Relaxed))
    }

    /// Gives a guest what is left of a statement's rows, and then how it ended. Who has gone hears nothing more. The rows count
    /// at once, before anybody waits for the future.
    pub(crate) fn hand_on<T: Send + Sync, E: Send>(
        &self,
        mut writer: Writer<T>,
        outcome: Outcome<E>,
        done: Result<(), E>,
    ) -> impl Future<Output = ()> + Send + use<T, E> {
        let (unread, left) = (Arc::clone(&self.0), writer.unread());
        unread.fetch_add(left, Ordering::Relaxed);
        async move {
            let _ = writer.flush_all().await;
            unread.fetch_sub(left, Ordering::Relaxed);
            drop(writer);
            let _ = outcome.send(done);
        }
    }
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

/// What the guest reads, and how it ended.
pub(crate) struct Rows<T, E> {
    pub(crate) receiver: mpsc::Receiver<Vec<T>>,
    pub(crate) ended: oneshot::Receiver<Result<(), E>>,
}

/// The items of a stream and its end, as guests have them.
pub(crate) type Readers<T, E> = (StreamReader<T>, FutureReader<Result<(), E>>);

impl<T, E> Rows<T, E>
where
    T: Lift + Lower + Send + Sync + 'static,
    E: Send + 'static,
{
    /// Hands it to a guest. `kept` is dropped when nobody reads the items any more; `given_up` is the end if whoever makes
    /// them says none.
    pub(crate) fn into_readers<S, K, G>(self, mut store: S, kept: K, given_up: E) -> wasmtime::Result<Readers<T, G>>
    where
        S: AsContextMut<Data: Send + 'static>,
        K: Send + Unpin + 'static,
        G: From<E> + Lift + Lower + Send + Sync + 'static,
    {
        let items = StreamReader::new(&mut store, Items { receiver: self.receiver, _kept: kept })?;
        let ended = FutureReader::new(&mut store, async move {
            wasmtime::error::Ok(self.ended.await.unwrap_or(Err(given_up)).map_err(G::from))
        })?;
        Ok((items, ended))
    }
}

/// The items of a stream as a guest gets them. What makes them stops when this is dropped.
struct Items<T, K> {
    receiver: mpsc::Receiver<Vec<T>>,
    _kept: K,
}

impl<T, K, D> StreamProducer<D> for Items<T, K>
where
    T: Lift + Lower + Send + Sync + 'static,
    K: Send + Unpin + 'static,
    D: 'static,
{
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, T, VecBuffer<T>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store.as_context_mut()) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(batch)) => {
                destination.set_buffer(batch.into());
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_has_an_end() {
        let mut budget = Budget::new();
        assert_eq!(budget.take(MOST_BUFFERED - 1), Ok(()));
        assert_eq!(budget.take(1), Ok(()));
        assert_eq!(budget.take(1), Err(TooLarge));
        assert_eq!(TooLarge.to_string(), "query result exceeds limit of 134217728 bytes");
    }

    #[tokio::test]
    async fn an_empty_batch_is_not_sent_and_a_reader_that_has_gone_is_noticed_without_items() {
        let (writer, _outcome, mut rows) = stream::<usize, ()>();
        assert_eq!(writer.send(Vec::new()).await, Ok(()));
        assert_eq!(writer.send(vec![1]).await, Ok(()));
        assert_eq!(rows.receiver.recv().await, Some(vec![1]));
        drop(rows);
        assert_eq!(writer.send(Vec::new()).await, Err(Gone));
    }

    #[tokio::test]
    async fn a_writer_waits_for_its_reader_and_learns_that_it_has_gone() {
        let (mut writer, outcome, mut rows) = stream::<usize, ()>();
        let made = tokio::spawn(async move {
            let mut made = 0;
            while writer.put(made, 1).await.is_ok() {
                made += 1;
            }
            let _ = outcome.send(Ok(()));
            made
        });
        let first = rows.receiver.recv().await.expect("a batch");
        assert_eq!(first[0], 0);
        drop(rows.receiver);
        assert_eq!(rows.ended.await, Ok(Ok(())));
        let made = made.await.expect("no panic");
        assert!(made <= (BATCHES + 3) * BATCH_ITEMS, "{made} were made for nobody");
    }

    #[tokio::test]
    async fn a_writer_that_is_wanted_keeps_what_is_not_read_up_to_a_limit() {
        let (mut writer, _outcome, mut rows) = stream::<usize, ()>();
        let bytes = MOST_BUFFERED / 8;
        let mut made = 0;
        let kept = loop {
            assert!(writer.add(made, bytes), "a batch is full");
            made += 1;
            match writer.flush_or_keep(std::future::ready(()), MOST_BUFFERED).await {
                Ok(is_read) => assert!(is_read),
                Err(error) => break error,
            }
        };
        // What lies between the two counts.
        assert_eq!((kept, made), (TooLarge, 9));
        assert!(writer.keeps() && writer.unread() > MOST_BUFFERED);
        let read = tokio::spawn(async move {
            let mut read = 0;
            while let Some(batch) = rows.receiver.recv().await {
                read += batch.len();
            }
            read
        });
        assert_eq!(writer.flush_all().await, Ok(()));
        drop(writer);
        assert_eq!(read.await.expect("no panic"), made);
    }
}
