//! Values that are drawn anew for every instance: `N`, or `A..B` without `B`.
//!
//! A range spreads the ends of instances that began together over time.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// One value or a range of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range<T> {
    /// Always the same.
    Fixed(T),
    /// From `start` on, below `end`.
    Between {
        /// The least value.
        start: T,
        /// What is not reached.
        end: T,
    },
}

/// A range that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// No value is in it.
    #[error("nothing is in the range `{0}`: the end is not part of it and must be greater than the start")]
    Empty(String),
    /// Less than what makes sense.
    #[error("must be at least {least}, not `{text}`")]
    TooSmall {
        /// What was given.
        text: String,
        /// What is possible.
        least: String,
    },
    /// One of its values is wrong.
    #[error("{0}")]
    Value(String),
}

/// What ranges are made of.
pub trait Draw: Copy + Ord {
    /// A value from `start` on and below `end`, chosen by `random`; `start` is less than `end`.
    fn between(start: Self, end: Self, random: u64) -> Self;
}

impl Draw for u32 {
    fn between(start: u32, end: u32, random: u64) -> u32 {
        let width = u64::from(end - start);
        start + u32::try_from(random % width).expect("less than the width, which is a u32")
    }
}

impl Draw for Duration {
    fn between(start: Duration, end: Duration, random: u64) -> Duration {
        let width = (end - start).as_nanos();
        let nanos = u64::try_from(u128::from(random) % width).expect("less than the random number, which is a u64");
        start + Duration::from_nanos(nanos)
    }
}

impl<T: Draw> Range<T> {
    /// Reads `N` or `A..B`, whose values `read` reads; none may be less than `least`, whose text is `least_text`.
    pub fn parse<E: Display>(
        text: &str,
        read: impl Fn(&str) -> Result<T, E>,
        least: T,
        least_text: &str,
    ) -> Result<Self, RangeError> {
        let read = |text: &str| read(text).map_err(|error| RangeError::Value(error.to_string()));
        let range = match text.split_once("..") {
            None => Range::Fixed(read(text)?),
            Some((start, end)) => Range::Between { start: read(start)?, end: read(end)? },
        };
        match range {
            Range::Between { start, end } if start >= end => Err(RangeError::Empty(text.to_owned())),
            Range::Fixed(first) | Range::Between { start: first, .. } if first < least => {
                Err(RangeError::TooSmall { text: text.to_owned(), least: least_text.to_owned() })
            }
            range => Ok(range),
        }
    }

    /// A value.
    pub fn draw(&self) -> T {
        // The keys of a new hash state are random, which is all the randomness needed here.
        self.pick(RandomState::new().hash_one(()))
    }

    /// The value that `random` chooses.
    pub fn pick(&self, random: u64) -> T {
        match *self {
            Range::Fixed(value) => value,
            Range::Between { start, end } => T::between(start, end, random),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use spin_trigger_kit::durations;

    fn count(text: &str) -> Result<Range<u32>, String> {
        let read = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is not a number"));
        Range::parse(text, read, 1, "1").map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_or_a_range() {
        assert_eq!(count("128"), Ok(Range::Fixed(128)));
        assert_eq!(count("64..129"), Ok(Range::Between { start: 64, end: 129 }));
        let time = Range::parse("500ms..2s", durations::parse, Duration::ZERO, "0").unwrap();
        assert_eq!(time, Range::Between { start: Duration::from_millis(500), end: Duration::from_secs(2) });
    }

    #[test]
    fn what_is_no_range() {
        assert_eq!(count("x").unwrap_err(), "`x` is not a number");
        assert_eq!(count("1..").unwrap_err(), "`` is not a number");
        assert_eq!(count("0").unwrap_err(), "must be at least 1, not `0`");
        assert_eq!(count("0..4").unwrap_err(), "must be at least 1, not `0..4`");
        for empty in ["2..2", "3..2"] {
            assert!(count(empty).unwrap_err().starts_with("nothing is in the range"), "{empty}");
        }
        assert!(count("1..=2").is_err());
        assert!(count("1...2").is_err());
    }

    #[test]
    fn the_end_is_never_drawn_and_the_rest_is() {
        let range = count("3..6").unwrap();
        let drawn: std::collections::BTreeSet<u32> = (0..100).map(|random| range.pick(random)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(
            count("1..4294967295").unwrap().pick(u64::MAX),
            1 + u32::try_from(u64::MAX % 4_294_967_294).unwrap()
        );
        let time = Range::Between { start: Duration::from_nanos(1), end: Duration::from_nanos(3) };
        let drawn: std::collections::BTreeSet<Duration> = (0..100).map(|random| time.pick(random)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [Duration::from_nanos(1), Duration::from_nanos(2)]);
    }

    #[test]
    fn draws_differ() {
        let range = Range::Between { start: 0, end: u32::MAX };
        let drawn: std::collections::BTreeSet<u32> = (0..64).map(|_| range.draw()).collect();
        assert!(drawn.len() > 32, "64 draws out of four billion gave {} values", drawn.len());
    }
}
