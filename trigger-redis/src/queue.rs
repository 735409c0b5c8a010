//! Messages that wait for a component, in bounded memory, and the places of those that are handled.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spin_trigger_kit::tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use spin_trigger_kit::{Counter, tokio};

use crate::config::WhenFull;
use crate::plan::QueueOptions;

/// What a message takes besides its bytes, roughly.
const OVERHEAD: usize = 128;

/// A message of a channel, a list or a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The name of what it came from, for people.
    pub origin: String,
    /// The bytes that were published.
    pub payload: Vec<u8>,
}

impl Message {
    fn size(&self) -> usize {
        self.payload.len() + self.origin.len() + OVERHEAD
    }
}

/// The message was not handled; whoever tried has said why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHandled {
    /// It failed, or can't be told from one that did.
    Failed,
    /// Another message failed, and has taken the instance with it that had this one too.
    Innocent,
}

/// What happens with a message.
pub trait Handle: Send + Sync + 'static {
    /// Handles one message to its end. Failures are the handler's to tell.
    fn handle(&self, message: &Message) -> impl Future<Output = Result<(), NotHandled>> + Send;
}

/// The places for running handlers, of all connections together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

/// A place; given back when dropped.
pub type Place = OwnedSemaphorePermit;

impl Places {
    /// At most `places` handlers at once.
    pub fn new(places: usize) -> Self {
        let all = u32::try_from(places.max(1)).unwrap_or(u32::MAX).min(MOST_PLACES);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for a place, first come first served.
    pub async fn acquire(&self) -> Place {
        Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }

    /// Waits until no handler runs any more. Nothing may be begun from then on.
    pub async fn finished(&self) {
        // A place is also given back by a handler that panicked.
        let all = self.free.acquire_many(self.all).await;
        drop(all.expect("the semaphore is never closed"));
    }
}

/// More than this can't be counted by a semaphore on every platform.
const MOST_PLACES: u32 = 1 << 20;

/// The messages that wait for one component.
#[derive(Debug)]
pub struct Queue {
    options: QueueOptions,
    dropped: Counter,
    state: Mutex<State>,
    /// For the one who puts messages in.
    room: Notify,
    /// For the one who takes them out.
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
    is_closed: bool,
}

impl State {
    fn take(&mut self) -> Option<Arc<Message>> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.size();
        Some(message)
    }

    /// One that is larger than all of the room still has room when nothing else is there.
    fn has_room(&self, message: &Message, bytes: usize) -> bool {
        self.messages.is_empty() || self.bytes + message.size() <= bytes
    }
}

impl Queue {
    /// An empty one. What is dropped is counted.
    pub fn new(options: QueueOptions, dropped: Counter) -> Self {
        Self { options, dropped, state: Mutex::default(), room: Notify::new(), filled: Notify::new() }
    }

    /// Puts a message in, or does with it what is done when there is no room: only [`WhenFull::Block`] waits. Gives
    /// whether it did.
    pub async fn put(&self, message: &Arc<Message>) -> bool {
        let mut has_waited = false;
        while !self.put_now(message) {
            has_waited = true;
            self.room.notified().await;
        }
        has_waited
    }

    /// False if the message has to wait.
    fn put_now(&self, message: &Arc<Message>) -> bool {
        let mut state = self.lock();
        if !state.has_room(message, self.options.bytes) {
            match self.options.when_full {
                WhenFull::Block => return false,
                WhenFull::DropNewest => {
                    self.dropped.add(1);
                    return true;
                }
                WhenFull::DropOldest => {
                    while !state.has_room(message, self.options.bytes) && state.take().is_some() {
                        self.dropped.add(1);
                    }
                }
            }
        }
        state.bytes += message.size();
        state.messages.push_back(Arc::clone(message));
        drop(state);
        self.filled.notify_one();
        true
    }

    /// No more will be put in.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Waits until there is a message. False if there will be none any more.
    async fn has_message(&self) -> bool {
        loop {
            {
                let state = self.lock();
                if !state.messages.is_empty() {
                    return true;
                }
                if state.is_closed {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Arc<Message>> {
        let message = self.lock().take();
        self.room.notify_one();
        message
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives all messages to `handler`, each in a place, until the queue is closed and empty. Those that were begun last may
    /// still run then.
    pub async fn work_off<H: Handle>(&self, handler: &Arc<H>, places: &Places) {
        while self.has_message().await {
            // The place first: what waits for it here could not be dropped for something newer.
            let place = places.acquire().await;
            let Some(message) = self.take() else { continue };
            let handler = Arc::clone(handler);
            let task = tokio::spawn(async move {
                // Nobody hands it over once more.
                let _ = handler.handle(&message).await;
                drop(place);
            });
            if self.options.order.is_some() {
                // One that panicked is over too.
                let _ = task.await;
            }
        }
    }
}

#[cfg(test)]
mod tests;
