//! Results that guests read: at most 128 MiB of one result that the host must hold whole, and streams that hold a few
//! batches and no more, however long they are. Shared by everything that answers with rows or keys.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
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

/// Bytes that one stream may have unread whatever others have that count together with it, until all of them have
/// [`MOST_TOGETHER`]: more than one that is read has on its way, unless its rows are large.
const ALWAYS: usize = 2 * 1024 * 1024;
const MOST_TOGETHER: usize = 2 * MOST_BUFFERED;

/// How long a reader has to read on before a stream is given up of which too much would have to be kept.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

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

/// Bytes of items that nobody has read, of several streams together. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// The same as [`stream`] with items that count here.
    pub(crate) fn stream<T, E>(&self) -> (Writer<T>, Outcome<E>, Rows<T, E>) {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let (outcome, ended) = oneshot::channel();
        let own = Self::default();
        let batch = Batch::new(self, &own);
        let writer = Writer { sender, all: self.clone(), own, batch, kept: VecDeque::new(), begun: Instant::now() };
        (writer, outcome, Rows { receiver, ended })
    }

    fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether there is room for items that are kept though nobody in need of their stream waits: half of it is left to those.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes() <= MOST_BUFFERED / 2
    }
}

/// Bytes that count as unread until this is dropped.
struct Counted {
    bytes: usize,
    counts: [Unread; 2],
}

impl Counted {
    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        for count in &self.counts {
            count.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        for count in &self.counts {
            count.0.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// Items that go together.
struct Batch<T> {
    items: Vec<T>,
    counted: Counted,
}

impl<T> Batch<T> {
    /// Without items, which will count in both.
    fn new(all: &Unread, own: &Unread) -> Self {
        Self { items: Vec::new(), counted: Counted { bytes: 0, counts: [all.clone(), own.clone()] } }
    }

    fn is_full(&self) -> bool {
        self.counted.bytes >= BATCH_BYTES || self.items.len() >= BATCH_ITEMS
    }
}

/// Puts items into batches.
pub(crate) struct Writer<T> {
    sender: mpsc::Sender<Batch<T>>,
    /// What all streams have unread that count together, and what this one has.
    all: Unread,
    own: Unread,
    batch: Batch<T>,
    /// Batches before that one that could not be sent.
    kept: VecDeque<Batch<T>>,
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

    /// Adds an item of about `bytes`, which [fits](Self::fits), and tells whether the batch should be sent now.
    pub(crate) fn add(&mut self, item: T, bytes: usize) -> bool {
        if self.batch.items.is_empty() {
            self.begun = Instant::now();
        }
        self.batch.items.push(item);
        self.batch.counted.add(bytes);
        self.batch.is_full() || self.begun.elapsed() >= BATCH_AGE
    }

    /// Looks whether an item of about `bytes` may be made.
    ///
    /// # Errors
    /// When it is too large, or would be too much beside what other streams have unread.
    pub(crate) fn fits(&self, bytes: usize) -> Result<(), TooLarge> {
        let own = self.own.bytes();
        let others = self.all.bytes().saturating_sub(own);
        let sum = others.saturating_add(bytes);
        let is_little = own.saturating_add(bytes) <= ALWAYS && sum <= MOST_TOGETHER;
        if is_little || sum <= MOST_BUFFERED { Ok(()) } else { Err(TooLarge) }
    }

    /// Sends what there is unless the reader has enough and `wanted` ends before that changes: then it is kept here, up to
    /// [`MOST_BUFFERED`] of all streams together. Whether anybody reads.
    ///
    /// # Errors
    /// When more would have to be kept.
    pub(crate) async fn flush_or_keep(&mut self, wanted: impl Future<Output = ()>) -> Result<bool, TooLarge> {
        let mut wanted = pin!(wanted);
        loop {
            let next = self.kept.front().unwrap_or(&self.batch);
            if next.items.is_empty() {
                return Ok(true);
            }
            let places = tokio::select! {
                biased;
                places = self.sender.reserve_many(places(next)) => Some(places),
                () = &mut wanted => None,
            };
            let mut places = match places {
                Some(Ok(places)) => places,
                Some(Err(_)) => return Ok(false),
                None => break,
            };
            let next = match self.kept.pop_front() {
                Some(next) => next,
                None => std::mem::replace(&mut self.batch, Batch::new(&self.all, &self.own)),
            };
            if let Some(place) = places.next() {
                place.send(next);
            }
        }
        if self.batch.is_full() {
            self.close_batch();
        }
        let (own, all) = (self.own.bytes(), self.all.bytes());
        if all <= MOST_BUFFERED || (own <= ALWAYS && all <= MOST_TOGETHER) {
            return Ok(true);
        }
        // A reader that is slow can't be told from one that doesn't read but by waiting.
        match tokio::time::timeout(LAST_PATIENCE, self.send_first()).await {
            Ok(is_read) => Ok(is_read),
            Err(_) => Err(TooLarge),
        }
    }

    /// Sends the first batch that is kept, when there is a place for it. Whether anybody reads.
    async fn send_first(&mut self) -> bool {
        let Some(next) = self.kept.front() else { return !self.sender.is_closed() };
        let Ok(mut places) = self.sender.reserve_many(places(next)).await else { return false };
        if let (Some(place), Some(next)) = (places.next(), self.kept.pop_front()) {
            place.send(next);
        }
        true
    }

    /// Sends what is there as the reader takes it, and what is new not before it has waited for more; returns when nobody reads
    /// any more.
    pub(crate) async fn tend(&mut self) {
        loop {
            while !self.kept.is_empty() {
                if !self.send_first().await {
                    return;
                }
            }
            if self.batch.items.is_empty() {
                return self.abandoned().await;
            }
            tokio::time::sleep_until((self.begun + BATCH_AGE).into()).await;
            self.close_batch();
        }
    }

    /// Sends what there is.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub(crate) async fn flush_all(&mut self) -> Result<(), Gone> {
        self.close_batch();
        if self.kept.is_empty() && self.sender.is_closed() {
            return Err(Gone);
        }
        while let Some(next) = self.kept.pop_front() {
            self.pass(next).await?;
        }
        Ok(())
    }

    fn close_batch(&mut self) {
        if !self.batch.items.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Batch::new(&self.all, &self.own));
            self.kept.push_back(batch);
        }
    }

    /// Gives a guest what is left, and then how it ended. Who has gone hears nothing more.
    pub(crate) async fn finish<E>(mut self, outcome: Outcome<E>, done: Result<(), E>) {
        let _ = self.flush_all().await;
        drop(self);
        let _ = outcome.send(done);
    }

    /// Returns when nobody reads any more.
    pub(crate) async fn abandoned(&self) {
        self.sender.closed().await;
    }

    /// Sends a batch that was made elsewhere; waits, not blocking, while the reader has enough.
    ///
    /// # Errors
    /// As [`Writer::put`].
    pub(crate) async fn send(&self, items: Vec<T>) -> Result<(), Gone> {
        self.pass(Batch { items, ..Batch::new(&self.all, &self.own) }).await
    }

    async fn pass(&self, batch: Batch<T>) -> Result<(), Gone> {
        if batch.items.is_empty() {
            // Nothing to read would be the end for a guest.
            return if self.sender.is_closed() { Err(Gone) } else { Ok(()) };
        }
        let mut places = self.sender.reserve_many(places(&batch)).await.map_err(|_| Gone)?;
        if let Some(place) = places.next() {
            place.send(batch);
        }
        Ok(())
    }
}

/// How many places of the reader's must be free for a batch. One that is much larger than it should be, because a single item
/// is, goes alone.
fn places<T>(batch: &Batch<T>) -> usize {
    if batch.counted.bytes > BATCHES * BATCH_BYTES { BATCHES } else { 1 }
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
    receiver: mpsc::Receiver<Batch<T>>,
    pub(crate) ended: oneshot::Receiver<Result<(), E>>,
}

impl<T, E> Rows<T, E> {
    /// The next items; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Vec<T>> {
        self.receiver.recv().await.map(|batch| batch.items)
    }

    /// Whoever makes items learns that nobody reads them any more.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }
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
        let items = StreamReader::new(&mut store, Items { receiver: self.receiver, given: None, _kept: kept })?;
        let ended = FutureReader::new(&mut store, async move {
            wasmtime::error::Ok(self.ended.await.unwrap_or(Err(given_up)).map_err(G::from))
        })?;
        Ok((items, ended))
    }
}

/// The items of a stream as a guest gets them. What makes them stops when this is dropped.
struct Items<T, K> {
    receiver: mpsc::Receiver<Batch<T>>,
    /// What the guest was given last: the engine has it until the guest asks for more.
    given: Option<Counted>,
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
        self.given = None;
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(Batch { items, counted })) => {
                destination.set_buffer(items.into());
                self.given = Some(counted);
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
        assert_eq!(rows.next().await, Some(vec![1]));
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
        let first = rows.next().await.expect("a batch");
        assert_eq!(first[0], 0);
        drop(rows.receiver);
        assert_eq!(rows.ended.await, Ok(Ok(())));
        let made = made.await.expect("no panic");
        assert!(made <= (BATCHES + 3) * BATCH_ITEMS, "{made} were made for nobody");
    }

    #[tokio::test]
    async fn a_writer_that_is_wanted_keeps_what_is_not_read_up_to_a_limit() {
        let (mut writer, outcome, mut rows) = stream::<usize, ()>();
        let bytes = MOST_BUFFERED / 8;
        let mut made = 0;
        loop {
            assert_eq!(writer.fits(bytes), Ok(()));
            assert!(writer.add(made, bytes), "a batch is full");
            made += 1;
            match writer.flush_or_keep(std::future::ready(())).await {
                Ok(is_read) => assert!(is_read),
                Err(TooLarge) => break,
            }
        }
        // What lies between the two counts.
        assert_eq!(made, 9);
        assert!(!writer.kept.is_empty() && !writer.all.has_room());
        let finish = tokio::spawn(writer.finish(outcome, Ok(())));
        let mut read = 0;
        while let Some(batch) = rows.next().await {
            read += batch.len();
        }
        assert_eq!((read, rows.ended.await), (made, Ok(Ok(()))));
        finish.await.expect("no panic");
    }

    #[tokio::test]
    async fn what_is_unread_counts_until_it_is_read_whatever_became_of_its_writer() {
        let unread = Unread::default();
        let (mut first, outcome, mut rows) = unread.stream::<usize, ()>();
        first.add(0, MOST_BUFFERED - ALWAYS);
        first.finish(outcome, Ok(())).await;
        let (mut second, _outcome, _rows) = unread.stream::<usize, ()>();
        second.add(1, ALWAYS);
        assert_eq!((second.fits(ALWAYS), second.fits(ALWAYS + 1)), (Ok(()), Err(TooLarge)));
        assert!(!unread.has_room());
        assert_eq!(rows.next().await, Some(vec![0]));
        assert_eq!((second.fits(MOST_BUFFERED), second.fits(MOST_BUFFERED + 1)), (Ok(()), Err(TooLarge)));
        drop(second);
        assert_eq!(unread.bytes(), 0);
    }

    #[tokio::test]
    async fn others_leave_a_stream_of_small_items_alone() {
        let unread = Unread::default();
        let (mut kept, _outcome, _rows) = unread.stream::<usize, ()>();
        kept.add(0, MOST_BUFFERED + 1);
        let (mut small, _outcome, mut rows) = unread.stream::<usize, ()>();
        for item in 0..10 {
            assert_eq!(small.fits(BATCH_BYTES), Ok(()));
            assert!(small.add(item, BATCH_BYTES));
            assert_eq!(small.flush_or_keep(std::future::ready(())).await, Ok(true));
            assert_eq!(rows.next().await, Some(vec![item]));
        }
    }

    #[tokio::test]
    async fn what_was_kept_counts_less_with_each_part_that_is_read() {
        let unread = Unread::default();
        let (mut writer, outcome, mut rows) = unread.stream::<usize, ()>();
        for item in 0..20 {
            assert!(writer.add(item, BATCH_BYTES));
            assert_eq!(writer.flush_or_keep(std::future::ready(())).await, Ok(true));
        }
        let finish = tokio::spawn(writer.finish(outcome, Ok(())));
        for item in 0..20 {
            assert_eq!(unread.bytes(), (20 - item) * BATCH_BYTES);
            assert_eq!(rows.next().await, Some(vec![item]));
        }
        finish.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_large_item_goes_alone() {
        let (mut writer, _outcome, mut rows) = stream::<usize, ()>();
        let large = BATCHES * BATCH_BYTES + 1;
        assert_eq!(writer.put(0, large).await, Ok(()));
        let waits = tokio::spawn(async move { writer.put(1, large).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        assert_eq!((rows.next().await, rows.next().await), (Some(vec![0]), Some(vec![1])));
        assert_eq!(waits.await.expect("no panic"), Ok(()));
    }
}
