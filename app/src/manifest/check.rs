//! Checks that need more than one part of a manifest at a time, or the file system.

use std::collections::{BTreeMap, BTreeSet};

use super::dependencies::{self, Resolver};
use super::parse::Parsed;
use super::schema::{Component, DependencySource, Manifest, Trigger};
use crate::document::{Located, Position, Report, quoted};
use crate::expression::{Template, TemplateError};
use crate::hosts::{AllowedHost, HostError, Internal};
use crate::names::ComponentId;

/// Reports references that lead nowhere, names that are given twice, and values that can never be right.
pub(super) fn cross_check(parsed: &Parsed<'_>, report: &Report<'_>) {
    for reference in parsed.manifest.triggers.iter().flat_map(references) {
        check_reference(parsed, reference, report);
    }
    check_trigger_ids(&parsed.manifest, report);
    for component in &parsed.manifest.components {
        for template in component.variables.values() {
            check_template(parsed, template, report);
        }
        for host in &component.allowed_outbound_hosts {
            if let Some(template) = check_template(parsed, host, report) {
                check_host(parsed, host, &template, report);
            }
        }
    }
    warn_of_unknown_components(parsed, report);
    check_dependencies(parsed, report);
}

fn references(trigger: &Trigger) -> impl Iterator<Item = &Located<ComponentId>> {
    trigger.component.iter().chain(trigger.components.values().flatten())
}

fn check_reference(parsed: &Parsed<'_>, reference: &Located<ComponentId>, report: &Report<'_>) {
    if parsed.components.contains(reference.value.as_str()) {
        return;
    }
    let declared = parsed.components.iter().map(|id| &**id);
    let help =
        report.suggest(reference.value.as_str(), declared).unwrap_or_else(|| dependencies::declare(&reference.value));
    report.add(reference.at, format!("no component `{}` is declared", reference.value), Some(help));
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

/// The template, if it is one and all its variables are declared.
fn check_template(parsed: &Parsed<'_>, text: &Located<String>, report: &Report<'_>) -> Option<Template> {
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
            return None;
        }
    };
    let unknown: Vec<_> = template.variables().filter(|name| !parsed.variables.contains(*name)).collect();
    for name in &unknown {
        let help = report
            .suggest(name, parsed.variables.iter().map(|name| &**name))
            .unwrap_or_else(|| format!("declare it: `{name} = {{ required = true }}` below `[variables]`"));
        report.add(text.at, format!("no variable `{name}` is declared"), Some(help));
    }
    unknown.is_empty().then_some(template)
}

/// Checks a host that is known already: because it has no variables, or because all of them have defaults.
fn check_host(parsed: &Parsed<'_>, text: &Located<String>, template: &Template, report: &Report<'_>) {
    let default =
        |name: &str| parsed.manifest.variables.get(name).and_then(|variable| variable.default.clone()).ok_or(());
    let Ok(host) = template.resolve(default) else {
        return;
    };
    let error = match AllowedHost::parse(&host) {
        Ok(_) => return,
        // A variable may well be empty by default; such an entry allows nothing.
        Err(HostError::Empty) if !template.is_literal() => return,
        Err(error) => error,
    };
    let entry = quoted(&text.value);
    let value = if template.is_literal() { String::new() } else { format!(", by default {},", quoted(&host)) };
    report.add(text.at, format!("{entry}{value} cannot be an allowed outbound host: {error}"), Some(error.help()));
}

/// Warns of hosts that are components which are not declared. They can't be reached, which does no harm.
fn warn_of_unknown_components(parsed: &Parsed<'_>, report: &Report<'_>) {
    let declared: BTreeSet<_> = parsed.components.iter().map(|id| id.to_ascii_lowercase()).collect();
    for host in parsed.manifest.components.iter().flat_map(Component::outbound_hosts) {
        let Ok(allowed) = AllowedHost::parse(&host.value) else { continue };
        if let Some(Internal::One(name)) = allowed.internal()
            && !declared.contains(name)
        {
            let help = "name a component of this application, or remove it".to_owned();
            let message = format!("{} leads nowhere: no component {} is declared", quoted(&host.value), quoted(name));
            report.warn(host.at, message, help);
        }
    }
}

/// Reports what is wrong with dependencies, once if it is found twice.
fn check_dependencies(parsed: &Parsed<'_>, report: &Report<'_>) {
    let mut said = check_dependency_references(parsed, report);
    let resolver = Resolver::new(&parsed.manifest);
    for component in &parsed.manifest.components {
        resolver.resolve(component, &mut |at, message, help| {
            if said.insert((at, message.clone())) {
                report.add(at, message, help);
            }
        });
    }
}

/// Reports dependencies that are components which are not declared, and gives what is said of them. A component that is
/// declared and could not be read is not there either, and nothing is to be said of it.
fn check_dependency_references(parsed: &Parsed<'_>, report: &Report<'_>) -> BTreeSet<(Position, String)> {
    let components = &parsed.manifest.components;
    let read: BTreeSet<_> = components.iter().map(|component| component.id.value.as_str()).collect();
    let mut said = BTreeSet::new();
    for dependency in components.iter().flat_map(|component| &component.dependencies) {
        let DependencySource::Component(id) = &dependency.source.value else { continue };
        if read.contains(id.as_str()) {
            continue;
        }
        let (at, message) = (dependency.source.at, dependencies::does_not_exist(id));
        if !parsed.components.contains(id.as_str()) {
            let help = report.suggest(id.as_str(), read.iter().copied()).unwrap_or_else(|| dependencies::declare(id));
            report.add(at, message.clone(), Some(help));
        }
        said.insert((at, message));
    }
    said
}

#[cfg(test)]
mod tests;
