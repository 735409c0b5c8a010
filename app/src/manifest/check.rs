//! Checks that need more than one part of a manifest at a time, or the file system.

use std::collections::BTreeMap;
use std::path::Path;

use super::locking::absolute_source;
use super::parse::Parsed;
use super::problem::{Located, ManifestError, Problem, Report, did_you_mean, error_of, quoted};
use super::schema::{Component, Manifest};
use crate::expression::{Template, TemplateError};

/// Reports references that lead nowhere and names that are given twice.
pub(super) fn cross_check(parsed: &Parsed<'_>, report: &Report<'_>) {
    check_references(parsed, report);
    check_trigger_ids(&parsed.manifest, report);
    for component in &parsed.manifest.components {
        let templates = component.variables.values().chain(&component.allowed_outbound_hosts);
        for template in templates {
            check_template(parsed, template, report);
        }
    }
}

fn check_references(parsed: &Parsed<'_>, report: &Report<'_>) {
    for reference in parsed.manifest.triggers.iter().filter_map(|trigger| trigger.component.as_ref()) {
        if !parsed.components.contains(reference.value.as_str()) {
            let declared = parsed.components.iter().map(|id| &**id);
            let help = did_you_mean(reference.value.as_str(), declared)
                .unwrap_or_else(|| format!("declare it: `[component.{}]`", reference.value));
            report.add(reference.at, format!("no component `{}` is declared", reference.value), Some(help));
        }
    }
}

fn check_trigger_ids(manifest: &Manifest, report: &Report<'_>) {
    let mut seen = BTreeMap::new();
    for trigger in &manifest.triggers {
        if let Some(first) = seen.insert(&trigger.id.value, trigger.id.at) {
            let message = format!("two triggers have the id {}", quoted(&trigger.id.value));
            report.add(trigger.id.at, message, Some(format!("the other one is in line {}", first.line)));
        }
    }
}

fn check_template(parsed: &Parsed<'_>, text: &Located<String>, report: &Report<'_>) {
    let template = match Template::parse(&text.value) {
        Ok(template) => template,
        Err(error) => {
            let message = match error {
                // Offsets into the value are not offsets into the file: the value may have escapes.
                TemplateError::Unmatched { .. } => "unmatched '{{' in template: close it with '}}'".to_owned(),
                TemplateError::InvalidVariable { name, reason } => {
                    format!("{} is not a variable name: {reason}", quoted(&name))
                }
            };
            report.add(text.at, message, None);
            return;
        }
    };
    for name in template.variables().filter(|name| !parsed.variables.contains(*name)) {
        let help = did_you_mean(name, parsed.variables.iter().map(|name| &**name))
            .unwrap_or_else(|| format!("declare it: `{name} = {{ required = true }}` below `[variables]`"));
        report.add(text.at, format!("no variable `{name}` is declared"), Some(help));
    }
}

impl Manifest {
    /// Checks that the wasm files of all components are there.
    ///
    /// Not part of reading, because a manifest is also read in order to build them. `base_dir` is the directory of the
    /// manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`], pointing at every `source` that names no file.
    pub fn check_sources(&self, base_dir: &Path) -> Result<(), ManifestError> {
        let missing = self.components.iter().filter(|component| {
            let path = absolute_source(base_dir, &component.source.value);
            !path.is_file()
        });
        match error_of(&self.path, missing.map(missing_source).collect(), 0) {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

fn missing_source(component: &Component) -> Problem {
    let id = &component.id.value;
    let path = component.source.value.to_string_lossy();
    let help = match &component.build {
        Some(_) => "build it first: `spin build`, or `spin up --build`".to_owned(),
        None => "correct the path, which is relative to the manifest".to_owned(),
    };
    Problem {
        line: component.source.at.line,
        column: component.source.at.column,
        message: format!("the wasm file of component `{id}` does not exist: {}", quoted(&path)),
        help: Some(help),
    }
}

#[cfg(test)]
mod tests;
