//! What nobody has read yet, of several streams together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::writer::{BATCH_BYTES, BATCH_ITEMS, BATCHES};
use super::{MOST_BUFFERED, Outcome, Rows, Writer};

/// Bytes of items that nobody has read, of several streams together. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<AtomicUsize>);

impl Unread {
    /// The same as [`stream`](super::stream) with items that count here.
    pub(crate) fn stream<T, E>(&self) -> (Writer<T>, Outcome<E>, Rows<T, E>) {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let (outcome, ended) = oneshot::channel();
        (Writer::new(sender, self), outcome, Rows { receiver, ended })
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether there is room for items that are kept though nobody in need of their stream waits: half of it is left to those.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes() <= MOST_BUFFERED / 2
    }
}

/// Bytes that count as unread until this is dropped.
pub(super) struct Counted {
    pub(super) bytes: usize,
    counts: [Unread; 2],
}

impl Counted {
    pub(super) fn add(&mut self, bytes: usize) {
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
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    pub(super) counted: Counted,
}

impl<T> Batch<T> {
    /// Without items, which will count in both.
    pub(super) fn new(all: &Unread, own: &Unread) -> Self {
        Self { items: Vec::new(), counted: Counted { bytes: 0, counts: [all.clone(), own.clone()] } }
    }

    pub(super) fn is_full(&self) -> bool {
        self.counted.bytes >= BATCH_BYTES || self.items.len() >= BATCH_ITEMS
    }
}
