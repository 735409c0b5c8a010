//! The `run` of a trigger and, after reloads, those of the ones that took its place.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{Id, JoinSet};

use crate::error::Error;
use crate::reload::Start;
use crate::stop::Stop;
use crate::trigger::Trigger;

/// Runs `first` and whatever is `started` in its place, until the last one started has ended and then the others have.
///
/// # Errors
/// That of the last one. One that was replaced can't fail the app any more.
pub(crate) async fn all<T: Trigger>(
    first: Start<T>,
    mut started: UnboundedReceiver<Start<T>>,
    stop: &Stop,
) -> Result<(), Error> {
    let mut runs = JoinSet::new();
    let mut last = run(&mut runs, first);
    while !runs.is_empty() {
        tokio::select! {
            biased;
            Some(next) = started.recv() => last = run(&mut runs, next),
            Some(ended) = runs.join_next_with_id() => {
                let (id, result) = match ended {
                    Ok(ended) => ended,
                    Err(error) => (error.id(), Err(Error::new("trigger::run", error))),
                };
                match result {
                    Err(error) if id == last => return Err(error),
                    Err(error) => tracing::warn!("what an earlier generation of the app had to finish failed: {error}"),
                    // What is left of earlier ones has the time that is left.
                    Ok(()) if id == last => stop.request(stop.grace()),
                    Ok(()) => {}
                }
            }
        }
    }
    Ok(())
}

fn run<T: Trigger>(runs: &mut JoinSet<Result<(), Error>>, start: Start<T>) -> Id {
    runs.spawn(start.trigger.run(start.app, start.stop)).id()
}
