//! When a component is to be called: a cron expression, with seconds, in a time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// The times that an expression names.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Reads `expression`: seconds, minutes, hours, days of the month, months and days of the week, and years if there is a
    /// seventh field. `zone` is a name of the IANA database; without one, times are those of UTC.
    ///
    /// # Errors
    /// What is wrong, for the person who wrote it.
    pub(crate) fn parse(expression: &str, zone: Option<&str>) -> Result<Self, String> {
        let fields = expression.split_whitespace().count();
        if !(6..=7).contains(&fields) && !expression.starts_with('@') {
            return Err(format!(
                "cron_expression {expression:?} has {fields} fields; write six, of which the first is for seconds, or \
                 seven with years at the end: \"0 30 4 * * *\" is half past four in the morning"
            ));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Optional).build();
        let cron = parser
            .parse(expression)
            .map_err(|error| format!("cron_expression {expression:?} can't be read: {error}"))?;
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                format!(
                    "time_zone {name:?} is unknown; write a name such as \"Europe/Berlin\", or leave it out for UTC"
                )
            })?,
        };
        Ok(Self { cron, zone })
    }

    /// The first time after `moment`; none if there is no other.
    pub(crate) fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment: Zoned = moment.to_zoned(self.zone.clone());
        self.cron.find_next_occurrence(&moment, false).ok().map(|next| next.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, zone: Option<&str>, after: &str) -> Option<String> {
        let schedule = Schedule::parse(expression, zone).expect("an expression");
        schedule.after(after.parse().expect("a time")).map(|next| next.to_string())
    }

    #[test]
    fn seconds_count_and_years_may() {
        assert_eq!(next("*/10 * * * * *", None, "2026-01-01T00:00:01Z").as_deref(), Some("2026-01-01T00:00:10Z"));
        assert_eq!(next("0 0 0 1 1 * 2030", None, "2026-01-01T00:00:01Z").as_deref(), Some("2030-01-01T00:00:00Z"));
        assert_eq!(next("0 0 0 1 1 * 2020", None, "2026-01-01T00:00:01Z"), None);
    }

    #[test]
    fn a_time_is_that_of_its_zone_in_summer_and_in_winter() {
        let berlin = Some("Europe/Berlin");
        assert_eq!(next("0 30 4 * * *", berlin, "2026-01-10T00:00:00Z").as_deref(), Some("2026-01-10T03:30:00Z"));
        assert_eq!(next("0 30 4 * * *", berlin, "2026-07-10T00:00:00Z").as_deref(), Some("2026-07-10T02:30:00Z"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |expression, zone| Schedule::parse(expression, zone).expect_err("it is wrong");
        assert!(problem("* * * * *", None).contains("has 5 fields"));
        assert!(problem("61 * * * * *", None).contains("can't be read"));
        assert!(problem("* * * * * *", Some("Mars/Olympus")).contains("time_zone \"Mars/Olympus\" is unknown"));
    }
}
