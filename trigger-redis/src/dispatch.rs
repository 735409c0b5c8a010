//! Handlers in parallel: as many as there are places, and one who waits for a place holds up the connection it reads from.

use std::sync::Arc;

use spin_trigger_kit::tokio;
use spin_trigger_kit::tokio::sync::Semaphore;

/// A message of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel's name.
    pub channel: String,
    /// The bytes that were published.
    pub payload: Vec<u8>,
}

/// What happens with a message.
pub trait Handle: Send + Sync + 'static {
    /// Handles one message to its end. Failures are the handler's to tell.
    fn handle(&self, message: &Message) -> impl Future<Output = ()> + Send;
}

/// The places for running handlers, of all connections together.
#[derive(Debug)]
pub struct Dispatcher {
    places: Arc<Semaphore>,
    all: u32,
}

impl Dispatcher {
    /// At most `places` handlers at once.
    pub fn new(places: usize) -> Self {
        let all = u32::try_from(places.max(1)).unwrap_or(u32::MAX).min(MOST_PLACES);
        Self { places: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Starts a handler for `message`, as soon as there is a place.
    pub async fn dispatch<H: Handle>(&self, handler: &Arc<H>, message: &Arc<Message>) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        let (handler, message) = (Arc::clone(handler), Arc::clone(message));
        tokio::spawn(async move {
            handler.handle(&message).await;
            drop(place);
        });
    }

    /// Waits until no handler runs any more. Nothing may be dispatched from then on.
    pub async fn finished(&self) {
        // A place is also given back by a handler that panicked.
        let all = self.places.acquire_many(self.all).await;
        drop(all.expect("the semaphore is never closed"));
    }
}

/// More than this can't be counted by a semaphore on every platform.
const MOST_PLACES: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[derive(Default)]
    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        done: AtomicUsize,
        go_on: Notify,
    }

    impl Handle for Slow {
        async fn handle(&self, _: &Message) {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            self.go_on.notified().await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn message() -> Arc<Message> {
        Arc::new(Message { channel: "channel".to_owned(), payload: b"payload".to_vec() })
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_places() {
        let dispatcher = Dispatcher::new(2);
        let (handler, message) = (Arc::new(Slow::default()), message());
        let sending = async {
            for _ in 0..5 {
                dispatcher.dispatch(&handler, &message).await;
            }
            dispatcher.finished().await;
        };
        let releasing = async {
            while handler.done.load(Ordering::SeqCst) < 5 {
                handler.go_on.notify_one();
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(sending, releasing);
        assert_eq!(handler.most.load(Ordering::SeqCst), 2);
        assert_eq!(handler.running.load(Ordering::SeqCst), 0);
    }
}
