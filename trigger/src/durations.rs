//! Durations as flags take them: `5`, `5s`, `250ms`, `10us`, `10μs`, `7ns`.

use std::time::Duration;

/// Longer makes no sense for a server, and clocks could overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A duration that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Not a number with a known suffix.
    #[error("`{0}` is not a duration; write a whole number with `s`, `ms`, `us` or `ns`, or without for seconds")]
    Form(String),
    /// Too long.
    #[error("`{0}` is longer than ten years")]
    TooLong(String),
}

/// Reads a duration.
///
/// # Errors
/// For another form, and beyond ten years.
///
/// ```
/// use std::time::Duration;
/// use spin_trigger_kit::durations::parse;
///
/// assert_eq!(parse("2"), Ok(Duration::from_secs(2)));
/// assert_eq!(parse("250ms"), Ok(Duration::from_millis(250)));
/// ```
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    // `s` comes last: the other suffixes end in it too. There are two characters for micro, and both are typed.
    type Unit = (&'static str, fn(u64) -> Duration);
    const UNITS: [Unit; 6] = [
        ("ms", Duration::from_millis),
        ("us", Duration::from_micros),
        ("\u{3bc}s", Duration::from_micros),
        ("\u{b5}s", Duration::from_micros),
        ("ns", Duration::from_nanos),
        ("s", Duration::from_secs),
    ];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((text, Duration::from_secs));
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DurationError::Form(text.to_owned()));
    }
    number
        .parse()
        .ok()
        .map(unit)
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| DurationError::TooLong(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix() {
        let table = [
            ("0", Duration::ZERO),
            ("3", Duration::from_secs(3)),
            ("3s", Duration::from_secs(3)),
            ("3ms", Duration::from_millis(3)),
            ("3us", Duration::from_micros(3)),
            ("3μs", Duration::from_micros(3)),
            ("3\u{b5}s", Duration::from_micros(3)),
            ("3ns", Duration::from_nanos(3)),
            ("007s", Duration::from_secs(7)),
        ];
        for (text, duration) in table {
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration() {
        for text in ["", "s", "ms", "-1", "+1", "1.5s", "1 s", " 1", "1m", "1h", "1S", "one", "1..2", "1sms"] {
            assert_eq!(parse(text), Err(DurationError::Form(text.to_owned())), "{text}");
        }
        for text in ["400000000", "99999999999999999999999s"] {
            assert_eq!(parse(text), Err(DurationError::TooLong(text.to_owned())), "{text}");
        }
    }
}
