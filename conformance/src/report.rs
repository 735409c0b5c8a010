//! The result, as a table for people or as JSON for programs.

use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;

use crate::checks::{ALL, Check, Trouble};
use crate::subject::Subject;

/// The results of all checks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ConformanceReport")]
pub(crate) struct Report {
    /// The number of this schema.
    schema: u32,
    /// The trigger's executable.
    executable: String,
    /// The type that it was tried as.
    #[serde(rename = "type")]
    trigger_type: String,
    /// How many checks passed.
    passed: usize,
    /// How many failed: 0 if the trigger keeps to the protocol.
    failed: usize,
    /// All checks, in the order in which they were made.
    checks: Vec<Line>,
}

/// The result of one check.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct Line {
    /// A short name, stable.
    name: &'static str,
    /// What is demanded.
    demand: &'static str,
    /// How it went.
    result: Verdict,
    /// Why it failed, or was not made. Only there if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// How long it took.
    millis: u64,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// The trigger does what is demanded.
    Passed,
    /// It does something else.
    Failed,
    /// The check is about an optional part that the trigger doesn't have.
    NotOffered,
    /// The check says nothing without another one, which did not pass.
    NotRun,
}

impl Report {
    /// Runs every check, one after the other.
    pub(crate) fn of(subject: &Subject) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        for check in ALL {
            let needed = |line: &&Line| check.needs.contains(&line.name) && line.result != Verdict::Passed;
            let line = match lines.iter().find(needed) {
                Some(needed) => Line::not_made(check, needed),
                None => Line::of(check, subject),
            };
            lines.push(line);
        }
        Self::new(subject, lines)
    }

    fn new(subject: &Subject, checks: Vec<Line>) -> Self {
        let count = |verdict| checks.iter().filter(|line| line.result == verdict).count();
        Self {
            schema: 1,
            executable: subject.executable.display().to_string(),
            trigger_type: subject.trigger_type.to_string(),
            passed: count(Verdict::Passed),
            failed: count(Verdict::Failed),
            checks,
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn all_passed(&self) -> bool {
        self.failed == 0
    }

    /// A line for each check: its name, how it went, what is demanded; below it, why it did not pass.
    pub(crate) fn table(&self) -> String {
        let width = self.checks.iter().map(|line| line.name.len()).max().unwrap_or_default();
        let mut text = format!("{} as a trigger of type {}\n\n", self.executable, self.trigger_type);
        for Line { name, demand, result, why, .. } in &self.checks {
            text.push_str(&format!("{name:width$}  {}  {demand}\n", result.word()));
            if let Some(why) = why {
                text.push_str(&format!("{:width$}         {why}\n", ""));
            }
        }
        let others = self.checks.len() - self.passed - self.failed;
        text.push_str(&format!("\n{} passed, {} failed, {others} not made\n", self.passed, self.failed));
        text
    }

    /// One JSON object, with a newline at its end.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("structs of strings and numbers are valid JSON") + "\n"
    }
}

impl Verdict {
    /// Of the same width for all.
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "pass ",
            Self::Failed => "FAIL ",
            Self::NotOffered | Self::NotRun => "-    ",
        }
    }
}

impl Line {
    fn of(check: &Check, subject: &Subject) -> Self {
        let started = Instant::now();
        let (result, why) = match (check.run)(subject) {
            Ok(()) => (Verdict::Passed, None),
            Err(Trouble::Fault(why)) => (Verdict::Failed, Some(why)),
            Err(Trouble::NoFlag(flag)) => {
                (Verdict::NotOffered, Some(format!("not offered: its metadata does not name the flag {flag}")))
            }
            Err(Trouble::NotOffered(feature)) => {
                (Verdict::NotOffered, Some(format!("not offered: hello does not name the feature {feature}")))
            }
        };
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Self { name: check.name, demand: check.demand, result, why, millis }
    }

    /// For want of `needed`. What belongs to a part that isn't offered isn't offered either.
    fn not_made(check: &Check, needed: &Self) -> Self {
        let (result, why) = match needed.result {
            Verdict::NotOffered => (Verdict::NotOffered, needed.why.clone()),
            _ => (Verdict::NotRun, Some(format!("not run: {} did not pass", needed.name))),
        };
        Self { name: check.name, demand: check.demand, result, why, millis: 0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::subject::tests::script;

    fn report() -> Report {
        let line = |name, result, why: Option<&str>| Line {
            name,
            demand: "what is demanded",
            result,
            why: why.map(str::to_owned),
            millis: 5,
        };
        let lines = vec![
            line("help", Verdict::Passed, None),
            line("drain", Verdict::Failed, Some("it stays")),
            line("halves", Verdict::NotRun, Some("not run: drain did not pass")),
        ];
        let mut report = Report::new(&script("true"), lines);
        report.executable = "/bin/trigger-stub".to_owned();
        report
    }

    #[test]
    fn a_table() {
        let expected = "/bin/trigger-stub as a trigger of type stub

help    pass   what is demanded
drain   FAIL   what is demanded
               it stays
halves  -      what is demanded
               not run: drain did not pass

1 passed, 1 failed, 1 not made
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
        assert_eq!(value["checks"][2]["result"], "not-run");
    }

    /// `SPIN_BLESS=1` writes the schema into its file instead of comparing.
    #[test]
    fn the_file_is_the_schema_of_the_json() {
        let settings = schemars::generate::SchemaSettings::draft07().for_serialize();
        let schema = settings.into_generator().into_root_schema_for::<Report>().to_value();
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
        let path = folder.join("conformance-report.schema.json");
        if std::env::var_os("SPIN_BLESS").is_some() {
            std::fs::write(&path, serde_json::to_string_pretty(&schema).unwrap() + "\n").unwrap();
        }
        let file = std::fs::read(&path).unwrap_or_default();
        let file: serde_json::Value = serde_json::from_slice(&file).unwrap_or_default();
        assert!(file == schema, "{} is not current; run this test with SPIN_BLESS=1", path.display());
    }

    #[test]
    fn a_program_that_is_no_trigger_fails_and_nothing_hangs() {
        let report = Report::of(&script("echo what >&2; exit 3"));
        assert_eq!((report.passed, report.failed), (0, 5), "{}", report.table());
        assert_eq!(report.checks.len(), ALL.len());
    }
}
