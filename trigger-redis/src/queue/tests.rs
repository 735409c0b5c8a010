//! Queues that are full, and places that are taken.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::config::Order;

fn message(text: &str) -> Arc<Message> {
    Arc::new(Message { origin: String::new(), payload: text.as_bytes().to_vec() })
}

/// A queue with room for two messages of one byte.
fn queue(when_full: WhenFull) -> (Queue, Counter) {
    let dropped = Counter::default();
    let bytes = 2 * message("x").size();
    (Queue::new(QueueOptions { when_full, bytes, order: None }, dropped.clone()), dropped)
}

fn left(queue: &Queue) -> Vec<String> {
    std::iter::from_fn(|| queue.take()).map(|one| String::from_utf8(one.payload.clone()).unwrap()).collect()
}

#[tokio::test]
async fn who_may_drop_never_waits_and_counts() {
    for (when_full, expected) in [(WhenFull::DropOldest, ["3", "4"]), (WhenFull::DropNewest, ["1", "2"])] {
        let (queue, dropped) = queue(when_full);
        for text in ["1", "2", "3", "4"] {
            queue.put(&message(text)).await;
        }
        assert_eq!((left(&queue), dropped.get()), (expected.map(str::to_owned).to_vec(), 2), "{when_full:?}");
    }
}

#[tokio::test]
async fn who_may_not_drop_waits_for_room() {
    let (queue, dropped) = queue(WhenFull::Block);
    for text in ["1", "2"] {
        queue.put(&message(text)).await;
    }
    let third = message("3");
    assert!(!queue.put_now(&third));
    let putting = async {
        queue.put(&third).await;
        queue.close();
    };
    let taking = async {
        let mut taken = Vec::new();
        while queue.has_message().await {
            taken.push(queue.take().unwrap().payload.clone());
        }
        taken
    };
    let ((), taken) = tokio::join!(putting, taking);
    assert_eq!(taken, [b"1", b"2", b"3"]);
    assert_eq!(dropped.get(), 0);
}

#[tokio::test]
async fn a_message_that_is_larger_than_the_room_is_taken_alone() {
    for when_full in [WhenFull::Block, WhenFull::DropOldest, WhenFull::DropNewest] {
        let (queue, dropped) = queue(when_full);
        let large = "x".repeat(10_000);
        queue.put(&message(&large)).await;
        assert_eq!((left(&queue), dropped.get()), (vec![large], 0));
    }
}

/// Remembers what it was given and how many ran at once.
#[derive(Default)]
struct Slow {
    running: AtomicUsize,
    most: AtomicUsize,
    done: Mutex<Vec<Vec<u8>>>,
    go_on: Notify,
}

impl Handle for Slow {
    async fn handle(&self, message: &Message) -> Result<(), NotHandled> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        self.go_on.notified().await;
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.done.lock().unwrap().push(message.payload.clone());
        Ok(())
    }
}

async fn work_off(places: usize, order: Option<Order>) -> (usize, Vec<Vec<u8>>) {
    let queue = Queue::new(QueueOptions { order, ..QueueOptions::default() }, Counter::default());
    let (handler, places) = (Arc::new(Slow::default()), Places::new(places));
    for text in ["1", "2", "3", "4", "5"] {
        queue.put(&message(text)).await;
    }
    queue.close();
    let working = async {
        queue.work_off(&handler, &places).await;
        places.finished().await;
    };
    let releasing = async {
        while handler.done.lock().unwrap().len() < 5 {
            handler.go_on.notify_one();
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(working, releasing);
    assert_eq!(handler.running.load(Ordering::SeqCst), 0);
    let done = handler.done.lock().unwrap().clone();
    (handler.most.load(Ordering::SeqCst), done)
}

#[tokio::test]
async fn no_more_run_at_once_than_there_are_places() {
    assert_eq!(work_off(2, None).await.0, 2);
}

#[tokio::test]
async fn in_order_is_one_after_another() {
    let (most, done) = work_off(4, Some(Order::Channel)).await;
    assert_eq!((most, done.concat()), (1, b"12345".to_vec()));
}
