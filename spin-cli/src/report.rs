//! How a command ends: the exit code, and the error a person reads.
//!
//! Every error of this program becomes a [`Report`] before it is shown: one message, the stable code that scripts
//! may look for, the causes, and what to do next. This file knows nothing of the terminal; `ui` shows reports.

use std::error::Error;

/// The exit code of a command: 0 ok, 1 error, 2 usage; once a trigger runs, the trigger's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const ERROR: Self = Self(1);
    pub(crate) const USAGE: Self = Self(2);

    /// The exit code of a process that ended with `code`.
    pub(crate) fn new(code: u8) -> Self {
        Self(code)
    }

    pub(crate) fn code(self) -> u8 {
        self.0
    }
}

/// An error as it is shown: what went wrong, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    message: String,
    code: Option<String>,
    causes: Vec<String>,
    help: Vec<String>,
    exit: Exit,
}

impl Report {
    /// An error that ends the command with 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None, causes: Vec::new(), help: Vec::new(), exit: Exit::ERROR }
    }

    /// A mistake in how the program was called; ends the command with 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::USAGE, ..Self::new(message) }
    }

    /// What an error and everything beneath it say.
    pub(crate) fn of(error: &dyn Error) -> Self {
        Self { causes: causes(error), ..Self::new(error.to_string()) }
    }

    /// The same with other words, for one who knows more about the circumstances.
    pub(crate) fn say(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Adds the stable code, `area::name`.
    pub(crate) fn code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Adds one line of advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Ends the command with another code than the usual one.
    pub(crate) fn exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn stable_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    pub(crate) fn causes(&self) -> &[String] {
        &self.causes
    }

    pub(crate) fn advice(&self) -> &[String] {
        &self.help
    }

    pub(crate) fn exit_code(&self) -> Exit {
        self.exit
    }
}

/// The messages beneath an error, outermost first. A layer that only repeats the one above it is left out.
fn causes(error: &dyn Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    let mut above = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !above.ends_with(&text) {
            causes.push(text.clone());
        }
        above = text;
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the lock")]
    struct Outer(#[source] std::io::Error);

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the lock: {0}")]
    struct Repeating(#[source] std::io::Error);

    #[test]
    fn a_report_keeps_the_causes_that_say_something_new() {
        let io = || std::io::Error::other("the disk is on fire");
        assert_eq!(Report::of(&Outer(io())).causes(), ["the disk is on fire"]);
        assert!(Report::of(&Repeating(io())).causes().is_empty());
    }

    #[test]
    fn usage_errors_end_with_two_and_the_others_with_one() {
        assert_eq!(Report::usage("x").exit_code(), Exit::USAGE);
        assert_eq!(Report::new("x").exit_code(), Exit::ERROR);
        assert_eq!(Report::new("x").exit(Exit::new(7)).exit_code().code(), 7);
    }
}
