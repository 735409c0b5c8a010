//! Waiting for the modules to be prepared, and saying so when it takes long.

use std::pin::pin;
use std::time::Duration;

/// How long a person waits without a word (the public program's measure).
pub(crate) const PATIENCE: Duration = Duration::from_millis(1250);

/// What to tell that person.
pub(crate) const NOTICE: &str = if cfg!(debug_assertions) {
    "Preparing Wasm modules; this is an unoptimised build of the trigger, in which it may take minutes..."
} else {
    "Preparing Wasm modules is taking a few seconds..."
};

/// Waits for `work`, and calls `tell` once if it takes longer than `patience`.
pub(crate) async fn tell_if_long<T>(work: impl Future<Output = T>, patience: Duration, tell: impl FnOnce()) -> T {
    let mut work = pin!(work);
    tokio::select! {
        // What is done already is not waited for, whatever the patience.
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(patience) => tell(),
    }
    work.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_work_is_told_of_once_while_it_goes_on() {
        let (told, hears) = tokio::sync::oneshot::channel();
        // This work ends because of the notice, so it is surely longer than any patience.
        let answer = tell_if_long(hears, Duration::ZERO, || told.send("told").expect("still at work")).await;
        assert_eq!(answer, Ok("told"));
    }

    #[tokio::test]
    async fn quick_work_is_not_told_of() {
        let done = tell_if_long(async { 1 }, Duration::ZERO, || unreachable!("it is done at once")).await;
        assert_eq!(done, 1);
    }
}
