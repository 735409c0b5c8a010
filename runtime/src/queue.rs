//! A task's place among those that the executor is about to poll.

use std::future::poll_fn;
use std::task::Poll;

/// Goes behind all tasks that are ready on this thread.
///
/// The executor's own `yield_now` is another thing: who waits there is woken when the thread looks for what has come from
/// outside, is then polled before what was found by that, and can't be taken over by other threads until then.
pub async fn go_behind_others() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::task::LocalSet;

    use super::*;

    #[tokio::test]
    async fn who_is_ready_goes_first() {
        thread_local!(static ORDER: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) });
        let tasks = LocalSet::new();
        tasks.spawn_local(async {
            go_behind_others().await;
            ORDER.with_borrow_mut(|order| order.push("polite"));
        });
        for _ in 0..2 {
            tasks.spawn_local(async { ORDER.with_borrow_mut(|order| order.push("other")) });
        }
        tasks.await;
        assert_eq!(ORDER.take(), ["other", "other", "polite"]);
    }
}
