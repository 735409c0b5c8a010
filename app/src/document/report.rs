//! What is found to be wrong with a text while it is read.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::Path;

use super::problems::{Invalid, Position, Problem, Problems};

/// Collects problems while a text is read.
#[derive(Debug)]
pub struct Report<'t> {
    text: &'t str,
    /// The byte offset at which each line starts.
    lines: Vec<usize>,
    /// The last offset that was asked for, and its place: a text is mostly asked about from its beginning to its end,
    /// and counting the characters of a long line anew for each of its values would take time beyond all measure.
    last: Cell<(usize, Position)>,
    problems: RefCell<Problems>,
    /// Whether nothing was wrong with the parts read by [`Report::vital`].
    vital_is_right: Cell<bool>,
    warnings: RefCell<Problems>,
}

impl<'t> Report<'t> {
    /// A report about a text.
    pub fn new(text: &'t str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(starts).collect(),
            last: Cell::new((0, Position::START)),
            problems: RefCell::default(),
            vital_is_right: Cell::new(true),
            warnings: RefCell::default(),
        }
    }

    /// The line and column of a byte offset.
    pub fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|&start| start <= offset);
        let end = self.text.floor_char_boundary(offset);
        let (from, before) = match self.last.get() {
            (last, at) if at.line == line && last <= end => (last, at.column),
            _ => (self.lines[line - 1], 1),
        };
        let at = Position { line, column: before + self.text[from..end].chars().count() };
        self.last.set((end, at));
        at
    }

    /// The text at a span.
    pub fn quote(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Notes a problem at a span.
    pub fn problem(&self, span: &Range<usize>, message: impl Into<String>) {
        self.add(self.position(span.start), message.into(), None);
    }

    /// Notes a problem at a span, and what to do about it.
    pub fn problem_with_help(&self, span: &Range<usize>, message: impl Into<String>, help: impl Into<Option<String>>) {
        self.add(self.position(span.start), message.into(), help.into());
    }

    /// Notes a problem at a place that is known already.
    pub fn add(&self, at: Position, message: String, help: Option<String>) {
        self.problems.borrow_mut().add(Problem { at, message, help });
    }

    /// Reads a part that somebody may act on although there are problems elsewhere, and remembers if it has one.
    pub(crate) fn vital<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = self.count();
        let read = read();
        self.vital_is_right.set(self.vital_is_right.get() && self.count() == before);
        read
    }

    /// Whether all that was read as [`vital`](Self::vital) has no problem.
    pub(crate) fn vital_is_right(&self) -> bool {
        self.vital_is_right.get()
    }

    /// How many problems there are so far.
    pub(crate) fn count(&self) -> usize {
        let problems = self.problems.borrow();
        problems.len() + problems.omitted()
    }

    /// Notes something that is not wrong but should be changed.
    pub fn warn(&self, at: Position, message: String, help: String) {
        self.warnings.borrow_mut().add(Problem::new(at, message).help(help));
    }

    /// All warnings so far, in the order of the text.
    pub fn take_warnings(&self) -> Problems {
        self.warnings.take().sorted()
    }

    /// Help for a problem that is about to be noted: the known name that could be meant, if there is one. Nobody thinks
    /// about what would help where problems are only counted any more.
    pub fn suggest<'k>(&self, name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
        if self.problems.borrow().is_full() { None } else { did_you_mean(name, known) }
    }

    /// All problems, in the order of the text.
    pub(crate) fn into_problems(self) -> Problems {
        self.problems.into_inner().sorted()
    }

    /// The error, if there is any problem.
    pub fn into_error(self, path: &Path) -> Option<Invalid> {
        self.into_problems().into_error(path)
    }
}

/// A name in backticks, harmless to print and not absurdly long.
pub fn quoted(name: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown = String::from("`");
    for c in name.chars().take(SHOWN) {
        match c {
            '"' | '\'' => shown.push(c),
            c => shown.extend(c.escape_debug()),
        }
    }
    let more = if name.chars().nth(SHOWN).is_some() { "…`" } else { "`" };
    shown + more
}

/// A key as it is written in TOML, harmless to print and not absurdly long.
pub(crate) fn bare_or_quoted(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mark = if !key.is_empty() && key.chars().all(is_bare) { "" } else { "\"" };
    quoted(key).replace('`', mark)
}

/// The known name that is most like this one, if any is like it.
///
/// Comparing takes time, and there may be as many names as a hostile file has room for: only so many are considered.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const LONGEST: usize = 64;
    const CANDIDATES: usize = 500;
    if name.len() > LONGEST {
        return None;
    }
    let length = name.chars().count();
    let tolerated = (length / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= tolerated)
        .take(CANDIDATES)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Help in the form of a question, if a known name is near.
pub fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(name, known).map(|known| format!("did you mean {}?", quoted(known)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::super::problems::MAX_PROBLEMS;
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let report = Report::new("ab\nüx\n\nend");
        let at = |offset| {
            let Position { line, column } = report.position(offset);
            (line, column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(2), (1, 3));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(5), (2, 2), "an umlaut is one character");
        assert_eq!(at(4), (2, 1), "inside a character counts as its beginning");
        assert_eq!(at(7), (3, 1));
        assert_eq!(at(8), (4, 1));
        assert_eq!(at(11), (4, 4), "the end of the text is a place too");
        assert_eq!(Report::new("").position(0), Position::START);
    }

    #[test]
    fn positions_do_not_depend_on_what_was_asked_before() {
        let text = "aü\nbéc\n\nd";
        let asked = Report::new(text);
        for offset in (0..=text.len()).chain((0..=text.len()).rev()) {
            assert_eq!(asked.position(offset), Report::new(text).position(offset), "byte {offset}");
        }
    }

    #[test]
    fn a_long_line_is_counted_once() {
        // Minutes, if every place were counted from the beginning of the line.
        let text = "x".repeat(1 << 20);
        let report = Report::new(&text);
        for offset in 0..=text.len() {
            assert_eq!(report.position(offset).column, offset + 1);
        }
    }

    #[test]
    fn problems_are_listed_in_the_order_of_the_text_up_to_a_limit() {
        let text = "x\n".repeat(200);
        let report = Report::new(&text);
        for line in (0..100).rev().chain(100..150) {
            report.problem(&(line * 2..line * 2), format!("p{line}"));
        }
        let error = report.into_error(Path::new("a.toml")).unwrap();
        let printed = error.to_string();
        assert!(printed.starts_with("a.toml:1:1: p0\na.toml:2:1: p1\n"), "{printed}");
        assert!(printed.ends_with("\na.toml:100:1: p99\na.toml: and 50 more problems"), "{printed}");
    }

    #[test]
    fn names_near_and_far() {
        assert_eq!(nearest("rout", ["route", "root"]), Some("root"));
        assert_eq!(nearest("componnet", ["component", "route"]), Some("component"));
        assert_eq!(nearest("xyz", ["component", "route"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["component"]), None);
    }

    #[test]
    fn what_is_vital_is_right_until_a_problem_is_found_in_it() {
        let report = Report::new("x");
        (0..MAX_PROBLEMS + 1).for_each(|_| report.problem(&(0..0), "elsewhere"));
        report.vital(|| ());
        assert!(report.vital_is_right());
        report.vital(|| report.problem(&(0..0), "only counted"));
        report.vital(|| ());
        assert!(!report.vital_is_right());
    }

    #[test]
    fn nobody_thinks_about_help_that_is_not_shown() {
        let report = Report::new("x");
        let known = ["component"];
        assert_eq!(report.suggest("componnet", known).unwrap(), "did you mean `component`?");
        for _ in 0..MAX_PROBLEMS {
            report.problem(&(0..0), "p");
        }
        let unseen = std::iter::from_fn(|| -> Option<&str> { panic!("nobody need look at the names") });
        assert_eq!(report.suggest("componnet", unseen), None);
    }

    #[test]
    fn only_so_many_names_are_compared() {
        let mut seen = 0;
        let known = std::iter::repeat_n("likeness", 1_000_000).inspect(|_| seen += 1);
        assert_eq!(nearest("likenezz", known), Some("likeness"));
        assert!(seen < 1000, "{seen}");
    }

    #[test]
    fn hostile_names_are_harmless_to_print() {
        assert_eq!(quoted("a\u{1b}[2J"), r"`a\u{1b}[2J`");
        assert_eq!(bare_or_quoted("a-b_1"), "a-b_1");
        assert_eq!(bare_or_quoted("a\nb"), r#""a\nb""#);
        assert!(quoted(&"x".repeat(10_000)).len() < 100);
    }
}
