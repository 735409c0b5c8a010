//! Responses that are ready at about the same time, written one right after the other.
//!
//! To wake a client that sleeps until its response comes takes half of the time in which that is written. One with many
//! connections is woken by the first of several responses and finds the others there, if they follow at once. So a response
//! waits until the thread has polled the requests that are ready, once: the executor wakes who yields when a thread has
//! nothing else to do or looks for what has come from outside. Where polls take long it doesn't wait: what it would wait for
//! is worth more than what is saved.

use std::cell::Cell;
use std::pin::Pin;
use std::time::{Duration, Instant};

use spin_trigger_kit::tokio::task::yield_now;

/// Up to here polls take little time: those of a small request with a fresh instance take less.
const QUICK: Duration = Duration::from_micros(250);

/// A poll's weight in [`PACE`] is one of so many.
const WEIGHT: i64 = 16;

thread_local! {
    /// How long the polls of requests take on this thread: a moving average in nanoseconds.
    static PACE: Cell<i64> = const { Cell::new(0) };
}

/// The output of `answer`, when it is a good time to write it.
pub async fn with_others<F: Future + Unpin>(mut answer: F) -> F::Output {
    let answered = std::future::poll_fn(|context| {
        let begun = Instant::now();
        let polled = Pin::new(&mut answer).poll(context);
        note(begun.elapsed());
        polled
    })
    .await;
    if is_quick() {
        // What made it isn't needed any more; others may have the room.
        drop(answer);
        yield_now().await;
    }
    answered
}

fn note(poll: Duration) {
    let took = i64::try_from(poll.as_nanos()).unwrap_or(i64::MAX);
    PACE.set(PACE.get() + (took - PACE.get()) / WEIGHT);
}

fn is_quick() -> bool {
    Duration::from_nanos(PACE.get().unsigned_abs()) <= QUICK
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::pin::pin;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Waker};

    use spin_trigger_kit::tokio;
    use tokio::runtime::Builder;

    use super::*;

    const SLOW: Duration = Duration::from_millis(10);

    #[test]
    fn only_on_a_quick_thread_responses_wait() {
        for (pace, waits) in [(Duration::ZERO, true), (QUICK, true), (QUICK * 2, false)] {
            PACE.set(i64::try_from(pace.as_nanos()).unwrap());
            let mut response = pin!(with_others(std::future::ready(())));
            let polled = response.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled.is_pending(), waits, "{pace:?}");
        }
    }

    #[test]
    fn a_slow_poll_now_and_then_makes_no_slow_thread_and_some_in_a_row_do() {
        let all_quick = |requests: usize| {
            let quick = (0..requests).map(|_| {
                note(QUICK / 4);
                is_quick()
            });
            quick.filter(|quick| *quick).count() == requests
        };
        PACE.set(0);
        note(SLOW);
        assert!(!is_quick());
        (0..100).for_each(|_| note(QUICK / 4));
        assert!(all_quick(100));
        note(QUICK * 8);
        assert!(is_quick() && all_quick(100));
        (0..8).for_each(|_| note(QUICK * 8));
        assert!(!is_quick());
    }

    #[test]
    fn responses_go_out_after_the_requests_that_were_ready() {
        let log = Arc::new(Mutex::new(Vec::new()));
        Builder::new_current_thread().build().unwrap().block_on(async {
            let tasks = [(); 2].map(|()| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    PACE.set(0);
                    let handled = Box::pin(async { log.lock().unwrap().push("handled") });
                    with_others(handled).await;
                    log.lock().unwrap().push("written");
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(*log.lock().unwrap(), ["handled", "handled", "written", "written"]);
    }
}
