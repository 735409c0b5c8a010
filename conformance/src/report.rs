//! The result, as a table for people or as JSON for programs.

use std::time::Instant;

use serde::Serialize;

use crate::checks::{ALL, Check};
use crate::subject::Subject;

/// The results of all checks.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    executable: String,
    #[serde(rename = "type")]
    trigger_type: String,
    passed: usize,
    failed: usize,
    checks: Vec<Line>,
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    demand: &'static str,
    passed: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    millis: u64,
}

impl Report {
    /// Runs every check, one after the other.
    pub(crate) fn of(subject: &Subject) -> Self {
        Self::new(subject, ALL.iter().map(|check| Line::of(check, subject)).collect())
    }

    fn new(subject: &Subject, checks: Vec<Line>) -> Self {
        let passed = checks.iter().filter(|line| line.passed).count();
        Self {
            executable: subject.executable.display().to_string(),
            trigger_type: subject.trigger_type.to_string(),
            passed,
            failed: checks.len() - passed,
            checks,
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn all_passed(&self) -> bool {
        self.failed == 0
    }

    /// A line for each check: its name, whether it passed, what is demanded or why it failed.
    pub(crate) fn table(&self) -> String {
        let width = self.checks.iter().map(|line| line.name.len()).max().unwrap_or_default();
        let mut text = format!("{} as a trigger of type {}\n\n", self.executable, self.trigger_type);
        for Line { name, demand, why, .. } in &self.checks {
            match why {
                None => text.push_str(&format!("{name:width$}  pass  {demand}\n")),
                Some(why) => {
                    text.push_str(&format!("{name:width$}  FAIL  {demand}\n{:width$}        {why}\n", ""));
                }
            }
        }
        text.push_str(&format!("\n{} passed, {} failed\n", self.passed, self.failed));
        text
    }

    /// One JSON object, with a newline at its end.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("structs of strings and numbers are valid JSON") + "\n"
    }
}

impl Line {
    fn of(check: &Check, subject: &Subject) -> Self {
        let started = Instant::now();
        let outcome = (check.run)(subject);
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self { name: check.name, demand: check.demand, passed: outcome.is_ok(), why: outcome.err(), millis }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::subject::tests::script;

    fn report() -> Report {
        let line = |name, why: Option<&str>| Line {
            name,
            demand: "what is demanded",
            passed: why.is_none(),
            why: why.map(str::to_owned),
            millis: 5,
        };
        let mut report = Report::new(&script("true"), vec![line("help", None), line("drain", Some("it stays"))]);
        report.executable = "/bin/trigger-stub".to_owned();
        report
    }

    #[test]
    fn a_table() {
        let expected = "/bin/trigger-stub as a trigger of type stub

help   pass  what is demanded
drain  FAIL  what is demanded
             it stays

1 passed, 1 failed
";
        assert_eq!(report().table(), expected);
        assert!(!report().all_passed());
    }

    #[test]
    fn json() {
        let value: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        assert_eq!(value["type"], "stub");
        assert_eq!(value["failed"], 1);
        assert_eq!(value["checks"][0].get("why"), None);
        assert_eq!(value["checks"][1]["why"], "it stays");
    }

    #[test]
    fn a_program_that_is_no_trigger_fails_and_nothing_hangs() {
        let report = Report::of(&script("echo what >&2; exit 3"));
        assert_eq!(report.passed, 0, "{}", report.table());
        assert_eq!(report.checks.len(), ALL.len());
    }
}
