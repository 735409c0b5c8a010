//! Whether schema and parser say the same about a document.

use std::path::Path;

use boon::{Compiler, ErrorKind, InstanceToken, SchemaIndex, Schemas, ValidationError};
use spin_app_model::Manifest;
use spin_app_model::manifest::{Problem, schema_json};

use crate::document::{Document, Steps, below};

/// Why a manifest may be refused that the schema accepts: parts of messages, by what a schema cannot do.
pub(crate) const UNSEEN: &[&str] = &[
    // Compare one part of a document with another.
    "is declared",
    "two triggers have the id",
    "may not have its own resources or permissions",
    "must specify a package name",
    "is not permitted in dependency",
    "conflicts with",
    "exclude each other",
    // Know TOML: to a schema a date is a text, and 2.0 is 2.
    "date or time",
    "the float in",
    "invalid manifest version: `2.0`",
    "invalid manifest version: `+2`",
    "invalid manifest version: `0b10`",
    // Read templates and hosts.
    "unmatched '{{' in template",
    "is not a variable name: it must start with a lower-case letter",
    "cannot be an allowed outbound host",
    // Measure keys.
    "it is longer than 128 characters",
    // Count parts of a path, and pair brackets.
    "a `[` is not closed",
];

/// Where the schema says that something is wrong.
#[derive(Debug)]
struct Mark {
    steps: Steps,
    /// Whether it is about a key that may not be there, and so about everything below it.
    is_key: bool,
}

impl Mark {
    /// Whether it is at a place or right below it.
    fn is_about(&self, place: &Steps) -> bool {
        let is_near = self.steps.starts_with(place) && self.steps.len() <= place.len() + 1;
        is_near || (self.is_key && place.starts_with(&self.steps))
    }
}

/// The schema, ready for use.
pub(crate) struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    pub(crate) fn new() -> Self {
        let schema = serde_json::from_str(&schema_json()).unwrap();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource("memory:manifest", schema).unwrap();
        let index = compiler.compile("memory:manifest", &mut schemas).unwrap();
        Self { schemas, index }
    }

    pub(crate) fn accepts(&self, document: &Document<'_>) -> bool {
        self.refused(document).is_empty()
    }

    /// What the schema marks as wrong.
    fn refused(&self, document: &Document<'_>) -> Vec<Mark> {
        let mut found = Vec::new();
        if let Err(error) = self.schemas.validate(&document.value, self.index) {
            collect(&error, &mut found);
        }
        found
    }

    /// Compares the two. What the parser accepts, the schema must accept; for everything that the parser refuses, the
    /// schema must mark the same place, but for what it cannot see: that is returned. Else, how they disagree.
    pub(crate) fn compare(&self, text: &str) -> Result<Vec<String>, String> {
        let Some(document) = Document::read(text) else {
            return Ok(Vec::new());
        };
        let refused = self.refused(&document);
        let problems = match Manifest::parse(text, Path::new("t")) {
            Ok(_) if refused.is_empty() => return Ok(Vec::new()),
            Ok(_) => return Err(format!("only the schema refuses {refused:?}")),
            Err(error) => error.problems().to_vec(),
        };
        let unmarked = |problem: &Problem| {
            let mut places = document.at(problem.at.line, problem.at.column);
            !places.any(|place| refused.iter().any(|mark| mark.is_about(place)))
        };
        let unseen: Vec<_> = problems.into_iter().filter(unmarked).map(|problem| problem.message).collect();
        let is_expected = |message: &String| UNSEEN.iter().any(|part| message.contains(part));
        match unseen.iter().find(|message| !is_expected(message)) {
            None => Ok(unseen),
            Some(message) => Err(format!("the schema does not see that {message}")),
        }
    }
}

/// The marks of an error: the innermost ones, and every key that is not known.
fn collect(error: &ValidationError<'_, '_>, found: &mut Vec<Mark>) {
    error.causes.iter().for_each(|cause| collect(cause, found));
    if !error.causes.is_empty() {
        return;
    }
    let steps = error.instance_location.tokens.iter().map(|token| match token {
        InstanceToken::Prop(name) => name.to_string(),
        InstanceToken::Item(index) => index.to_string(),
    });
    let steps: Steps = steps.collect();
    match &error.kind {
        ErrorKind::AdditionalProperties { got } => {
            found.extend(got.iter().map(|key| Mark { steps: below(&steps, key), is_key: true }))
        }
        _ => found.push(Mark { steps, is_key: false }),
    }
}
