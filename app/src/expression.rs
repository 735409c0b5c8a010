//! Templates: text in which `{{ name }}` stands for the value of an application variable.
//!
//! This file only knows the grammar. Where values come from is the business of whoever resolves a [`Template`].
//!
//! The grammar is small on purpose: the text between `{{` and the next `}}`, without the blanks around it, is the name
//! of a variable. There are no escapes, no filters and no nesting; a `}}` without `{{` is plain text.

use std::fmt;
use std::str::FromStr;

/// A parsed template.
///
/// ```
/// use spin_app_model::Template;
///
/// let greeting = Template::parse("Hello, {{ name }}!")?;
/// assert_eq!(greeting.variables().collect::<Vec<_>>(), ["name"]);
///
/// let text = greeting.resolve(|name| match name {
///     "name" => Ok("world".to_owned()),
///     other => Err(format!("no variable {other}")),
/// });
/// assert_eq!(text.as_deref(), Ok("Hello, world!"));
/// # Ok::<(), spin_app_model::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    parts: Vec<Part>,
}

/// One piece of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal(String),
    /// The name of a variable whose value belongs here.
    Variable(String),
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A `{{` is never closed.
    #[error("unmatched '{{{{' in template at byte {at}: close it with '}}}}'")]
    Unmatched {
        /// The byte offset of the `{{`.
        at: usize,
    },
    /// What stands between the braces cannot be the name of a variable.
    #[error("{name:?} is not a variable name: {reason}")]
    InvalidVariable {
        /// The text between the braces, without the blanks around it.
        name: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
}

impl TemplateError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unmatched { .. } => "template::unmatched",
            Self::InvalidVariable { .. } => "template::invalid-variable",
        }
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// When a `{{` is not closed, or what it encloses is not a variable name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find("{{").map(|offset| at + offset) {
            if open > at {
                parts.push(Part::Literal(text[at..open].to_owned()));
            }
            let inside = open + 2;
            let close = text[inside..].find("}}").ok_or(TemplateError::Unmatched { at: open })?;
            let name = text[inside..inside + close].trim();
            check_variable_name(name)
                .map_err(|reason| TemplateError::InvalidVariable { name: name.to_owned(), reason })?;
            parts.push(Part::Variable(name.to_owned()));
            at = inside + close + 2;
        }
        if at < text.len() {
            parts.push(Part::Literal(text[at..].to_owned()));
        }
        Ok(Self { parts })
    }

    /// The pieces, in order. For those who must look values up asynchronously.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The names of the variables used, in order, repetitions included.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Whether the text is the same for every value of every variable.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.variables().next().is_none()
    }

    /// Puts values in the place of variables. A value is inserted as it is: it is not a template itself.
    ///
    /// # Errors
    ///
    /// The first error of `lookup`.
    pub fn resolve<E>(&self, mut lookup: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Variable(name) => text.push_str(&lookup(name)?),
            }
        }
        Ok(text)
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        Self::parse(text)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Variable(name) => write!(f, "{{{{ {name} }}}}"),
        })
    }
}

/// Checks the name of an application variable: lower-case letters, digits and single underscores inside.
///
/// # Errors
///
/// The rule that the name breaks.
pub fn check_variable_name(name: &str) -> Result<(), &'static str> {
    let Some(first) = name.chars().next() else {
        return Err("it is empty");
    };
    if !first.is_ascii_lowercase() {
        return Err("it must start with a lower-case letter");
    }
    if name.chars().any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')) {
        return Err("only lower-case letters, digits and '_' are allowed");
    }
    if name.ends_with('_') {
        return Err("it must not end with '_'");
    }
    if name.contains("__") {
        return Err("it must not have two '_' in a row");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.into())
    }

    fn variable(name: &str) -> Part {
        Part::Variable(name.into())
    }

    #[test]
    fn parts_come_in_order() {
        let parse = |text: &str| Template::parse(text).unwrap().parts;
        assert_eq!(parse(""), []);
        assert_eq!(parse("plain"), [literal("plain")]);
        assert_eq!(parse("{{a}}"), [variable("a")]);
        assert_eq!(parse("x{{ a }}y{{\tb\n}}"), [literal("x"), variable("a"), literal("y"), variable("b")]);
    }

    #[test]
    fn closing_braces_alone_are_text() {
        assert_eq!(Template::parse("a }} b").unwrap().parts, [literal("a }} b")]);
        assert_eq!(Template::parse("{ a }").unwrap().parts, [literal("{ a }")]);
    }

    #[test]
    fn an_open_brace_is_reported_where_it_stands() {
        assert_eq!(Template::parse("a {{ b"), Err(TemplateError::Unmatched { at: 2 }));
        assert_eq!(Template::parse("{{ a }} {{"), Err(TemplateError::Unmatched { at: 8 }));
        let message = Template::parse("{{").unwrap_err().to_string();
        assert_eq!(message, "unmatched '{{' in template at byte 0: close it with '}}'");
    }

    #[test]
    fn what_cannot_be_a_variable_is_refused() {
        for text in ["{{}}", "{{ A }}", "{{ a-b }}", "{{ a b }}", "{{ 1a }}", "{{ a_ }}", "{{ a__b }}", "{{{a}}}"] {
            assert!(matches!(Template::parse(text), Err(TemplateError::InvalidVariable { .. })), "{text}");
        }
    }

    #[test]
    fn values_are_not_templates() {
        let template = Template::parse("{{ a }}").unwrap();
        assert_eq!(template.resolve(|_| Ok::<_, ()>("{{ b }}".into())), Ok("{{ b }}".into()));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[{} a-z_é]{0,40}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn text_without_braces_stands_for_itself(text in "[^{}]{0,40}") {
            let template = Template::parse(&text).unwrap();
            prop_assert!(template.is_literal());
            prop_assert_eq!(template.resolve(|_| Err("asked")), Ok(text));
        }

        #[test]
        fn display_reads_back_as_the_same_template(text in "([a-z ]{0,5}(\\{\\{ ?[a-z]{1,5} ?\\}\\})?){0,5}") {
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(Template::parse(&template.to_string()).unwrap(), template);
        }

        #[test]
        fn resolving_replaces_exactly_the_variables(pieces in prop::collection::vec(("[a-z }]{0,6}", "[a-z]{1,6}"), 0..6)) {
            let text: String = pieces.iter().map(|(before, name)| format!("{before}{{{{ {name} }}}}")).collect();
            let expected: String = pieces.iter().map(|(before, name)| format!("{before}<{name}>")).collect();
            let template = Template::parse(&text).unwrap();
            prop_assert_eq!(template.resolve(|name| Ok::<_, ()>(format!("<{name}>"))), Ok(expected));
        }
    }
}
