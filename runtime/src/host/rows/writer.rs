//! Items on their way into a stream.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::unread::{Batch, Unread};
use super::{Gone, MOST_BUFFERED, Outcome, TooLarge};

/// Batches that wait for a guest to read them.
pub(super) const BATCHES: usize = 4;

/// A batch is sent when it has this many bytes or items, or has waited this long for more.
pub(super) const BATCH_BYTES: usize = 64 * 1024;
pub(super) const BATCH_ITEMS: usize = 256;
const BATCH_AGE: Duration = Duration::from_millis(5);

/// Bytes that one stream may have unread whatever others have that count together with it, until all of them have
/// [`MOST_TOGETHER`]: more than one that is read has on its way, unless its rows are large.
pub(super) const ALWAYS: usize = 2 * 1024 * 1024;
const MOST_TOGETHER: usize = 2 * MOST_BUFFERED;

/// How long a reader has to read on before a stream is given up of which too much would have to be kept.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// Puts items into batches.
pub(crate) struct Writer<T> {
    sender: mpsc::Sender<Batch<T>>,
    /// What all streams have unread that count together, and what this one has.
    pub(super) all: Unread,
    own: Unread,
    batch: Batch<T>,
    /// Batches before that one that could not be sent.
    pub(super) kept: VecDeque<Batch<T>>,
    begun: Instant,
}

impl<T> Writer<T> {
    /// One whose items count in `all`.
    pub(super) fn new(sender: mpsc::Sender<Batch<T>>, all: &Unread) -> Self {
        let (all, own) = (all.clone(), Unread::default());
        let batch = Batch::new(&all, &own);
        Self { sender, all, own, batch, kept: VecDeque::new(), begun: Instant::now() }
    }

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
