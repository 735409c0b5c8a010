//! Something that is wrong at a place of a manifest, and showing many of them as one text.

use std::collections::BTreeSet;
use std::path::Path;

use spin_app_model::manifest::{Position, Problem};

/// What is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Mistake {
    pub(crate) fn new(at: Position, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// `PATH:LINE:COLUMN: MESSAGE`, with a line of help if there is any.
    pub(crate) fn located(&self, path: &Path) -> String {
        let Self { at: Position { line, column }, message, help } = self;
        let help = help.as_ref().map(|help| format!("\n  help: {help}")).unwrap_or_default();
        format!("{}:{line}:{column}: {message}{help}", path.display())
    }
}

impl From<&Problem> for Mistake {
    fn from(problem: &Problem) -> Self {
        let Problem { line, column, message, help, .. } = problem;
        Self { at: Position { line: *line, column: *column }, message: message.clone(), help: help.clone() }
    }
}

/// Everything that is wrong with a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes {
    mistakes: Vec<Mistake>,
    /// How many more there are.
    omitted: usize,
}

impl Mistakes {
    /// What is wrong with its text.
    pub(crate) fn of_text(problems: &[Problem], omitted: usize) -> Self {
        Self { mistakes: problems.iter().map(Mistake::from).collect(), omitted }
    }

    /// Adds what was found in a further look. Of a place that is known to be wrong it has nothing new to say: it follows
    /// from the first.
    pub(crate) fn extend(&mut self, found: impl IntoIterator<Item = Mistake>) {
        let known: BTreeSet<_> = self.mistakes.iter().map(|mistake| mistake.at).collect();
        self.mistakes.extend(found.into_iter().filter(|mistake| !known.contains(&mistake.at)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// All as one text, in the order of the manifest.
    pub(crate) fn listed(&self, path: &Path) -> String {
        let mut mistakes: Vec<_> = self.mistakes.iter().collect();
        mistakes.sort_by_key(|mistake| mistake.at);
        let mut lines: Vec<_> = mistakes.iter().map(|mistake| mistake.located(path)).collect();
        if self.omitted > 0 {
            lines.push(format!("{}: and {} more problems", path.display(), self.omitted));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_listed_in_the_order_of_the_manifest_and_what_follows_from_them_is_not() {
        let at = |line| Position { line, column: 3 };
        let mut mistakes = Mistakes { mistakes: vec![Mistake::new(at(2), "b"), Mistake::new(at(2), "c")], omitted: 7 };
        mistakes.extend([Mistake::new(at(2), "follows from b"), Mistake::new(at(1), "a").help("do d")]);
        let listed = "x.toml:1:3: a\n  help: do d\nx.toml:2:3: b\nx.toml:2:3: c\nx.toml: and 7 more problems";
        assert_eq!(mistakes.listed(Path::new("x.toml")), listed);
    }
}
