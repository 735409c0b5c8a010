//! How long something takes, on a machine that has other things to do as well.

use std::time::{Duration, Instant};

/// Whoever else uses the machine makes things slower and never faster, so one calm round of several is enough.
const ROUNDS: usize = 10;

/// Asserts that the median of `tries` is less than `bound`, in one of several rounds.
///
/// # Panics
///
/// If it is not in any of them.
#[track_caller]
pub fn assert_median_below(bound: Duration, tries: usize, mut attempt: impl FnMut()) {
    let mut medians = Vec::new();
    for _ in 0..ROUNDS {
        let median = median((0..tries).map(|_| timed(&mut attempt)).collect());
        if median < bound {
            return;
        }
        medians.push(median);
    }
    panic!("never less than {bound:?}, but in the median of {tries} tries {medians:?}");
}

/// The time that something takes.
pub fn timed(attempt: impl FnOnce()) -> Duration {
    let began = Instant::now();
    attempt();
    began.elapsed()
}

/// The one in the middle.
///
/// # Panics
///
/// If there are none.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
