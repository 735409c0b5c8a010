//! Whether schema and parser say the same about a document.

use std::path::Path;

use boon::{Compiler, ErrorKind, InstanceToken, SchemaIndex, Schemas, ValidationError};
use spin_app_model::Manifest;
use spin_app_model::manifest::{Problem, schema_json};

use crate::document::{Document, Steps, below};

/// Why a manifest may be refused that the schema accepts: parts of messages, by what a schema cannot do.
pub const UNSEEN: &[&str] = &[
    // Compare one part of a document with another.
    "is declared",
    "two triggers have the id",
    "may not have its own resources or permissions",
    "must specify a package name",
    "is not permitted in dependency",
    "conflicts with",
    "exclude each other",
    // Know TOML: to a schema a date is a text, and 2.0 is 2.
    "the date or time in",
    "the float in",
    "invalid manifest version: `2.0`",
    // Read templates and hosts.
    "unmatched '{{' in template",
    "is not a variable name: it must start with a lower-case letter",
    "cannot be an allowed outbound host",
    // Count parts of a path, and pair brackets.
    "a `[` is not closed",
];

/// The schema, ready for use.
pub struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    pub fn new() -> Self {
        let schema = serde_json::from_str(&schema_json()).unwrap();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource("memory:manifest", schema).unwrap();
        let index = compiler.compile("memory:manifest", &mut schemas).unwrap();
        Self { schemas, index }
    }

    pub fn accepts(&self, document: &Document<'_>) -> bool {
        self.refused(document).is_empty()
    }

    /// What the schema marks as wrong.
    fn refused(&self, document: &Document<'_>) -> Vec<Steps> {
        let mut found = Vec::new();
        if let Err(error) = self.schemas.validate(&document.value, self.index) {
            collect(&error, &mut found);
        }
        found
    }

    /// Compares the two. What the parser accepts, the schema must accept; for everything that the parser refuses, the
    /// schema must mark the same place. Returns the messages of the parser about which it does not.
    ///
    /// # Panics
    ///
    /// If they disagree.
    pub fn compare(&self, text: &str) -> Vec<String> {
        let Some(document) = Document::read(text) else {
            return Vec::new();
        };
        let refused = self.refused(&document);
        let problems = match Manifest::parse(text, Path::new("t")) {
            Ok(_) => {
                assert!(refused.is_empty(), "only the schema refuses {refused:?} in this document:\n{text}");
                return Vec::new();
            }
            Err(error) => error.problems().to_vec(),
        };
        let unmarked = |problem: &Problem| {
            let mut places = document.at(problem.line, problem.column);
            !places.any(|place| refused.iter().any(|refused| is_about(refused, place)))
        };
        let unseen: Vec<_> = problems.into_iter().filter(unmarked).map(|problem| problem.message).collect();
        for message in &unseen {
            let is_known = UNSEEN.iter().any(|part| message.contains(part));
            assert!(is_known, "the schema does not see that {message}, in this document:\n{text}");
        }
        unseen
    }
}

/// Whether a mark is at a place or right below it.
fn is_about(mark: &Steps, place: &Steps) -> bool {
    mark.starts_with(place) && mark.len() <= place.len() + 1
}

/// The marks of an error: the innermost ones, and every key that is not known.
fn collect(error: &ValidationError<'_, '_>, found: &mut Vec<Steps>) {
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
        ErrorKind::AdditionalProperties { got } => found.extend(got.iter().map(|key| below(&steps, key))),
        _ => found.push(steps),
    }
}
