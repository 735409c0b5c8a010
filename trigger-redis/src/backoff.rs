//! How long to wait before the next attempt to reach a server.

use std::time::Duration;

/// The first wait, at most.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait: a server that comes back is found within this time.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from attempt to attempt up to a limit.
///
/// Each is shortened by a random part of up to its half, so that the clients of a server that was restarted don't all come
/// at once.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next wait.
    pub fn wait(&mut self) -> Duration {
        self.next_wait(fastrand::u64(..))
    }

    /// Begins anew, after a connection that was of use.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    fn next_wait(&mut self, random: u64) -> Duration {
        let longest = FIRST.saturating_mul(1_u32.checked_shl(self.attempts).unwrap_or(u32::MAX)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1).min(31);
        let half = longest / 2;
        let nanos = u64::try_from(half.as_nanos()).expect("half of the longest wait is a few seconds");
        half + Duration::from_nanos(random % (nanos + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let mut backoff = Backoff::default();
        let waits: Vec<Duration> = (0..100).map(|_| backoff.next_wait(0)).collect();
        let millis: Vec<u128> = waits.iter().take(9).map(Duration::as_millis).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(waits.last(), Some(&(LONGEST / 2)));
        backoff.reset();
        assert_eq!(backoff.next_wait(0), Duration::from_millis(50));
    }

    #[test]
    fn chance_stays_within_the_upper_half() {
        for random in [0, 1, u64::MAX / 2, u64::MAX] {
            let mut backoff = Backoff { attempts: 4 };
            let wait = backoff.next_wait(random);
            assert!((Duration::from_millis(800)..=Duration::from_millis(1600)).contains(&wait), "{wait:?}");
        }
        let mut backoff = Backoff { attempts: 31 };
        assert!((0..50).all(|_| backoff.wait() <= LONGEST));
    }
}
