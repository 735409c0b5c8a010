//! Something that is wrong at a place of a manifest, and showing many of them as one text.

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

/// All mistakes as one text, in the order of the manifest. Of two at one place the first is shown: the second follows
/// from it.
pub(crate) fn list(path: &Path, mistakes: &[Mistake]) -> String {
    let mut mistakes: Vec<_> = mistakes.iter().collect();
    mistakes.sort_by_key(|mistake| mistake.at);
    mistakes.dedup_by_key(|mistake| mistake.at);
    mistakes.iter().map(|mistake| mistake.located(path)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_listed_in_the_order_of_the_manifest_and_once_for_a_place() {
        let at = |line| Position { line, column: 3 };
        let mistakes =
            [Mistake::new(at(2), "b"), Mistake::new(at(2), "follows from b"), Mistake::new(at(1), "a").help("do c")];
        assert_eq!(list(Path::new("x.toml"), &mistakes), "x.toml:1:3: a\n  help: do c\nx.toml:2:3: b");
    }
}
