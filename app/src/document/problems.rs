//! Things that are wrong with a text, each with its place, and the error that they make together.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use super::report::Report;

/// Most problems that are listed at a time; a file of another format would produce thousands.
pub(super) const MAX_PROBLEMS: usize = 100;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
}

impl Position {
    /// The beginning of a text.
    pub const START: Self = Self { line: 1, column: 1 };
}

impl Default for Position {
    fn default() -> Self {
        Self::START
    }
}

/// A value and where it was written, so that later checks can point at it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands; [`Position::START`] for what nobody wrote.
    pub at: Position,
}

/// One thing that is wrong, or that should be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Where it stands.
    pub at: Position,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that nothing is known to do about.
    pub fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// `PATH:LINE:COLUMN: MESSAGE`, with a line of help if there is any.
    #[must_use]
    pub fn located(&self, path: &Path) -> String {
        let Self { at: Position { line, column }, message, help } = self;
        let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        format!("{}:{line}:{column}: {message}{help}", path.display())
    }
}

/// Problems of one text: the first hundred that were found, and how many more there are.
///
/// ```
/// use std::path::Path;
/// use spin_app_model::document::{Position, Problem, Problems};
///
/// let mut problems = Problems::default();
/// problems.add(Problem::new(Position::START, "it is empty").help("write something"));
/// // A second look finds the same place wrong, which follows from the first.
/// problems.add_further([Problem::new(Position::START, "it has no end")]);
/// let error = problems.into_error(Path::new("a.toml")).expect("there is one");
/// assert_eq!(error.to_string(), "a.toml:1:1: it is empty\n  help: write something");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    listed: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Adds a problem to the list, or only counts it.
    pub fn add(&mut self, problem: Problem) {
        if self.is_full() {
            self.omitted += 1;
        } else {
            self.listed.push(problem);
        }
    }

    /// Adds what was found in a further look. Of a place that is known to be wrong it has nothing new to say: it follows
    /// from the first.
    pub fn add_further(&mut self, found: impl IntoIterator<Item = Problem>) {
        let known: BTreeSet<_> = self.listed.iter().map(|problem| problem.at).collect();
        found.into_iter().filter(|problem| !known.contains(&problem.at)).for_each(|problem| self.add(problem));
    }

    /// How many there are besides the listed ones.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// Whether further problems are only counted.
    pub(super) fn is_full(&self) -> bool {
        self.listed.len() >= MAX_PROBLEMS
    }

    /// The same in the order of the text.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.listed.sort_by_key(|problem| problem.at);
        // The TOML parser sometimes says the same of one place twice.
        self.listed.dedup();
        self
    }

    /// The error, if there is any problem.
    #[must_use]
    pub fn into_error(self, path: &Path) -> Option<Invalid> {
        (!self.listed.is_empty()).then(|| Invalid { path: path.to_owned(), problems: self.sorted() })
    }
}

/// The listed ones.
impl Deref for Problems {
    type Target = [Problem];

    fn deref(&self) -> &[Problem] {
        &self.listed
    }
}

/// Why a document can be read and is not valid.
///
/// Printed, it is one line `PATH:LINE:COLUMN: MESSAGE` for each problem, in the order of the text, each followed by a
/// line of help where there is any.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invalid {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, in the order of the text.
    pub problems: Problems,
}

impl Invalid {
    /// The error for a file that is not UTF-8.
    #[must_use]
    pub fn not_utf8(path: &Path, error: &FromUtf8Error) -> Self {
        let valid = error.utf8_error().valid_up_to();
        let readable = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let report = Report::new(&readable);
        report.problem(&(valid..valid), "the file is not valid UTF-8 from here on");
        report.into_error(path).expect("a problem was just added")
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, problems } = self;
        for (index, problem) in problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}", problem.located(path))?;
        }
        match problems.omitted {
            0 => Ok(()),
            omitted => write!(f, "\n{}: and {omitted} more problems", path.display()),
        }
    }
}

impl std::error::Error for Invalid {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn problems_are_listed_in_the_order_of_the_text_and_what_follows_from_them_is_not() {
        let at = |line| Position { line, column: 3 };
        let mut problems = Problems::default();
        problems.add(Problem::new(at(2), "b"));
        problems.add(Problem::new(at(2), "c"));
        problems.add_further([Problem::new(at(2), "follows from b"), Problem::new(at(1), "a").help("do d")]);
        let printed = problems.into_error(Path::new("x")).unwrap().to_string();
        assert_eq!(printed, "x:1:3: a\n  help: do d\nx:2:3: b\nx:2:3: c");
        assert_eq!(Problems::default().into_error(Path::new("x")), None);
    }

    #[test]
    fn what_a_further_look_finds_is_limited_too() {
        let mut problems = Problems::default();
        let found = |range: std::ops::Range<usize>| range.map(|line| Problem::new(Position { line, column: 1 }, "p"));
        problems.add_further(found(1..80));
        problems.add_further(found(60..150));
        assert_eq!((problems.len(), problems.omitted()), (100, 49));
        assert!(problems.into_error(Path::new("x")).unwrap().to_string().ends_with("\nx: and 49 more problems"));
    }
}
