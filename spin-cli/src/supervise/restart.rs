//! What happens when a trigger ends by itself, and how long a new start of it waits. Pure functions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What the end of a trigger means for its app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnExit {
    /// The app ends too.
    #[default]
    End,
    /// The trigger is started again.
    Restart,
    /// Nothing, as long as there are others: for triggers that have something to do once.
    Ignore,
}

/// A word that names none of the above.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is none of end, restart and ignore")]
pub(crate) struct UnknownOnExit(String);

impl FromStr for OnExit {
    type Err = UnknownOnExit;

    fn from_str(text: &str) -> Result<Self, UnknownOnExit> {
        match text {
            "end" => Ok(Self::End),
            "restart" => Ok(Self::Restart),
            "ignore" => Ok(Self::Ignore),
            other => Err(UnknownOnExit(other.to_owned())),
        }
    }
}

impl fmt::Display for OnExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "end",
            Self::Restart => "restart",
            Self::Ignore => "ignore",
        })
    }
}

/// How long new starts wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    /// Before the first one.
    pub(crate) first: Duration,
    /// Each waits twice as long as the one before, up to this.
    pub(crate) most: Duration,
    /// A trigger that was ready for this long is well: what was before is forgotten.
    pub(crate) calm: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), most: Duration::from_secs(60), calm: Duration::from_secs(60) }
    }
}

/// The new starts of one trigger.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Restarts {
    last_wait: Option<Duration>,
}

impl Restarts {
    /// How long the next start waits, after the trigger was ready for this long, if it was.
    pub(super) fn next_wait(&mut self, ready_for: Option<Duration>, rule: &BackOff) -> Duration {
        let was_well = ready_for.is_some_and(|ready_for| ready_for >= rule.calm);
        let wait = match self.last_wait {
            Some(last) if !was_well => last.saturating_mul(2),
            _ => rule.first,
        };
        let wait = wait.min(rule.most);
        self.last_wait = Some(wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let (mut restarts, rule) = (Restarts::default(), BackOff::default());
        let waits: Vec<u64> = (0..9).map(|_| restarts.next_wait(None, &rule).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_minute_of_being_ready_forgets_what_was_before() {
        let (mut restarts, rule) = (Restarts::default(), BackOff::default());
        let mut wait = |ready_for| restarts.next_wait(ready_for, &rule).as_secs();
        assert_eq!((wait(None), wait(Some(seconds(59))), wait(Some(seconds(1)))), (1, 2, 4));
        assert_eq!((wait(Some(seconds(60))), wait(None)), (1, 2));
    }

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for policy in [OnExit::End, OnExit::Restart, OnExit::Ignore] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        let error = "Restart".parse::<OnExit>().map_err(|error| error.to_string());
        assert_eq!(error, Err("\"Restart\" is none of end, restart and ignore".to_owned()));
    }
}
