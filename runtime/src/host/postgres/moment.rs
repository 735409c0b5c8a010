//! Dates and times: as guests have them, in fields, and as PostgreSQL does, counted from the beginning of 2000.

/// Seconds from 1970 to 2000.
const EPOCH: i64 = 946_684_800;

/// Days from 1970 to 2000.
const EPOCH_DAY: i64 = 10_957;

const MICROS_A_SECOND: i64 = 1_000_000;
const MICROS_A_DAY: i64 = 86_400 * MICROS_A_SECOND;

/// Year (0 is the one before the year 1), month, day.
pub(super) type Date = (i32, u8, u8);
/// Hour, minute, second, nanosecond.
pub(super) type Time = (u8, u8, u8, u32);
/// A date with a time.
pub(super) type DateTime = (i32, u8, u8, u8, u8, u8, u32);

/// A value is no moment, or none that the other side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such date or time")]
pub(super) struct NoSuchMoment;

/// Days since 2000 as a date of the Gregorian calendar, also before there was one.
pub(super) fn date(days: i32) -> Result<Date, NoSuchMoment> {
    // These two are the server's infinities.
    if days == i32::MIN || days == i32::MAX {
        return Err(NoSuchMoment);
    }
    // Eras of 400 years, with years that begin in March, so that the odd day is the last one.
    let days = i64::from(days) + EPOCH_DAY + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |number: i64| u8::try_from(number).map_err(|_| NoSuchMoment);
    Ok((i32::try_from(year).map_err(|_| NoSuchMoment)?, small(month)?, small(day)?))
}

/// A date as days since 2000.
pub(super) fn days((year, month, day): Date) -> Result<i32, NoSuchMoment> {
    if !(1..=12).contains(&month) || day == 0 || day > length(year, month) {
        return Err(NoSuchMoment);
    }
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = i32::try_from(era * 146_097 + day_of_era - 719_468 - EPOCH_DAY).map_err(|_| NoSuchMoment)?;
    // To the server these two are infinities.
    if days == i32::MIN || days == i32::MAX { Err(NoSuchMoment) } else { Ok(days) }
}

fn length(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Microseconds since midnight as a time. The end of the day is no time that guests have.
pub(super) fn time(micros: i64) -> Result<Time, NoSuchMoment> {
    if !(0..MICROS_A_DAY).contains(&micros) {
        return Err(NoSuchMoment);
    }
    let seconds = micros / MICROS_A_SECOND;
    let small = |number: i64| u8::try_from(number).map_err(|_| NoSuchMoment);
    let nanos = u32::try_from(micros % MICROS_A_SECOND * 1_000).map_err(|_| NoSuchMoment)?;
    Ok((small(seconds / 3_600)?, small(seconds / 60 % 60)?, small(seconds % 60)?, nanos))
}

/// A time as microseconds since midnight. What is finer is left out.
pub(super) fn micros((hour, minute, second, nanos): Time) -> Result<i64, NoSuchMoment> {
    if hour > 23 || minute > 59 || second > 59 || nanos > 999_999_999 {
        return Err(NoSuchMoment);
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Ok(seconds * MICROS_A_SECOND + i64::from(nanos / 1_000))
}

/// Microseconds since 2000 as a date with a time.
pub(super) fn date_time(since: i64) -> Result<DateTime, NoSuchMoment> {
    if since == i64::MIN || since == i64::MAX {
        return Err(NoSuchMoment);
    }
    let days = i32::try_from(since.div_euclid(MICROS_A_DAY)).map_err(|_| NoSuchMoment)?;
    let (year, month, day) = date(days)?;
    let (hour, minute, second, nanos) = time(since.rem_euclid(MICROS_A_DAY))?;
    Ok((year, month, day, hour, minute, second, nanos))
}

/// A date with a time as microseconds since 2000.
pub(super) fn since((year, month, day, hour, minute, second, nanos): DateTime) -> Result<i64, NoSuchMoment> {
    let days = i64::from(days((year, month, day))?);
    let micros = micros((hour, minute, second, nanos))?;
    let since = days.checked_mul(MICROS_A_DAY).and_then(|all| all.checked_add(micros));
    since.filter(|since| *since != i64::MIN && *since != i64::MAX).ok_or(NoSuchMoment)
}

/// Seconds since 1970 as microseconds since 2000.
pub(super) fn since_seconds(seconds: i64) -> Result<i64, NoSuchMoment> {
    let seconds = seconds.checked_sub(EPOCH).ok_or(NoSuchMoment)?;
    seconds.checked_mul(MICROS_A_SECOND).ok_or(NoSuchMoment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_counted_from_2000_in_both_directions() {
        for (counted, written) in [
            (0, (2000, 1, 1)),
            (59, (2000, 2, 29)),
            (60, (2000, 3, 1)),
            (-1, (1999, 12, 31)),
            (-10_957, (1970, 1, 1)),
            (9_730, (2026, 8, 22)),
            (-730_119, (1, 1, 1)),
            (-730_120, (0, 12, 31)),
            (2_145_031_948, (5_874_897, 12, 31)),
        ] {
            assert_eq!(date(counted), Ok(written), "{counted}");
            assert_eq!(days(written), Ok(counted), "{written:?}");
        }
        for days_ago in (-800_000..800_000).step_by(97) {
            assert_eq!(days(date(days_ago).expect("a date")), Ok(days_ago));
        }
    }

    #[test]
    fn what_is_no_date_or_time_is_refused() {
        for no_date in [(2023, 2, 29), (1900, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (2024, 1, 0)] {
            assert_eq!(days(no_date), Err(NoSuchMoment), "{no_date:?}");
        }
        assert_eq!(days((i32::MAX, 1, 1)), Err(NoSuchMoment));
        for no_time in [(24, 0, 0, 0), (0, 60, 0, 0), (0, 0, 60, 0), (0, 0, 0, 1_000_000_000)] {
            assert_eq!(micros(no_time), Err(NoSuchMoment), "{no_time:?}");
        }
        assert_eq!(date(i32::MAX), Err(NoSuchMoment));
        assert_eq!(date_time(i64::MIN), Err(NoSuchMoment));
        // The borders are counted in numbers that the server takes for infinities.
        let (first, last) = (date(i32::MIN + 1).expect("a date"), date(i32::MAX - 1).expect("a date"));
        assert_eq!((days(first), days(last)), (Ok(i32::MIN + 1), Ok(i32::MAX - 1)));
        assert_eq!(days((first.0, first.1, first.2 - 1)), Err(NoSuchMoment));
        assert_eq!(days((last.0, last.1, last.2 + 1)), Err(NoSuchMoment));
        assert_eq!(time(MICROS_A_DAY), Err(NoSuchMoment));
        assert_eq!(since_seconds(i64::MAX), Err(NoSuchMoment));
    }

    #[test]
    fn times_have_microseconds() {
        assert_eq!(micros((23, 59, 59, 999_999_999)), Ok(MICROS_A_DAY - 1));
        assert_eq!(time(MICROS_A_DAY - 1), Ok((23, 59, 59, 999_999_000)));
        let moment = (1999, 12, 31, 23, 59, 58, 500_000_000);
        assert_eq!(since(moment), Ok(-1_500_000));
        assert_eq!(date_time(-1_500_000), Ok(moment));
        assert_eq!(since_seconds(EPOCH), Ok(0));
        assert_eq!(since_seconds(0), Ok(-EPOCH * MICROS_A_SECOND));
    }
}
