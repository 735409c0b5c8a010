//! Reading the document: its version, the top level, `[application]` and `[variables]`.
//!
//! A hand-written walk over the parsed TOML, because a derived reader stops at the first problem and knows nothing of
//! keys that are valid elsewhere.

mod build;
mod component;
mod dependency;
mod files;
mod form;
mod source;
mod trigger;
mod version1;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::ids::check_snake;
use super::schema::{Application, Component, Manifest, Variable};
use crate::document::{self, Problems, Report, Table, bare_or_quoted, quoted};
use crate::names::TriggerType;

pub(super) use trigger::{Reference, assign_id};

pub(super) const VERSION_KEY: &str = "spin_manifest_version";

/// Public Spin reads this key too, for manifests of version 1 that were written before the key got its name.
const OLD_VERSION_KEY: &str = "spin_version";

const DOCUMENT_KEYS: &[&str] = &[VERSION_KEY, "application", "variables", "trigger", "component"];
/// What version 1 has at the top.
const DOCUMENT_ELSEWHERE: &[(&str, &str)] = &[
    ("name", BELOW_APPLICATION),
    ("version", BELOW_APPLICATION),
    ("description", BELOW_APPLICATION),
    ("authors", BELOW_APPLICATION),
];
const BELOW_APPLICATION: &str = "in version 2 it belongs below `[application]`";

const APPLICATION_KEYS: &[&str] = &["name", "version", "description", "authors", "targets", "trigger", "tool"];
const VARIABLE_KEYS: &[&str] = &["description", "required", "default", "secret"];

/// A document as far as it could be read.
pub(super) struct Parsed<'t> {
    /// What could be read.
    pub(super) manifest: Manifest,
    /// Components whose table says nowhere where their code is; see [`super::Draft::without_code`].
    pub(super) without_code: Vec<Component>,
    /// Every component that is declared, also if its table cannot be read: a reference to it is not at fault.
    pub(super) components: BTreeSet<Cow<'t, str>>,
    /// Every variable that is declared, likewise.
    pub(super) variables: BTreeSet<Cow<'t, str>>,
}

/// Reads a document as far as it can be read; `None` if nothing can be said about its parts. Problems are reported.
pub(super) fn document<'t>(text: &'t str, path: &Path, report: &Report<'t>) -> Option<Parsed<'t>> {
    let fields = document::parse(text, report)?;
    let document = Table::document(&fields, report, "the manifest");
    match version(&document)? {
        Version::One => Some(version1::document(&document, path)),
        Version::Two => Some(version_2(&document, path)),
    }
}

fn version_2<'t>(document: &Table<'_, 't>, path: &Path) -> Parsed<'t> {
    document.expect_only(DOCUMENT_KEYS, DOCUMENT_ELSEWHERE);
    let application = application(document);
    let mut components = component::components(document);
    let mut declared = keys(document, "component");
    let (triggers, inline) = trigger::triggers(document, |id| declared.contains(id));
    declared.extend(inline.iter().map(|component| Cow::Owned(component.id.value.to_string())));
    components.extend(inline);
    let (components, without_code) = components.into_iter().partition(Component::has_code);
    let manifest = Manifest {
        path: path.to_owned(),
        application,
        variables: variables(document),
        triggers,
        components,
        profile: None,
        warnings: Problems::default(),
    };
    Parsed { manifest, without_code, components: declared, variables: keys(document, "variables") }
}

/// The keys of a table, whatever their values are.
fn keys<'t>(document: &Table<'_, 't>, key: &str) -> BTreeSet<Cow<'t, str>> {
    let table = document.get(key).and_then(|value| value.get_ref().as_table());
    table.into_iter().flat_map(|table| table.keys()).map(|key| key.get_ref().clone()).collect()
}

/// The versions of the format.
enum Version {
    One,
    Two,
}

/// Which version it is; reading anything else as one of them would only produce nonsense.
fn version(document: &Table<'_, '_>) -> Option<Version> {
    let found: Vec<_> = [VERSION_KEY, OLD_VERSION_KEY]
        .into_iter()
        .filter_map(|key| Some((key, document.key_span(key)?, document.get(key)?)))
        .collect();
    let report = document.report;
    let (key, value) = match found.as_slice() {
        [] => {
            document.missing(VERSION_KEY, "write `spin_manifest_version = 2` at the top");
            return None;
        }
        [(key, _, value)] => (*key, value),
        [_, (key, span, _), ..] => {
            let message = format!("the version is given twice: {} is the old name of the key", quoted(key));
            report.problem_with_help(span, message, "remove one of the two".to_owned());
            return None;
        }
    };
    match value.get_ref() {
        // The old name went out of use before version 2.
        DeValue::Integer(_) if report.quote(&value.span()) == "2" && key == VERSION_KEY => Some(Version::Two),
        DeValue::String(version) if version == "1" => Some(Version::One),
        _ => {
            let message = format!("invalid manifest version: {}", quoted(report.quote(&value.span())));
            let help = format!("write `{VERSION_KEY} = 2`, or `{key} = \"1\"` for the old format");
            report.problem_with_help(&value.span(), message, help);
            None
        }
    }
}

fn application(document: &Table<'_, '_>) -> Application {
    let Some(table) = document.table("application", || "[application]".to_owned()) else {
        if document.get("application").is_none() {
            document.missing("application", "write `[application]` and below it `name = \"…\"`");
        }
        return Application::default();
    };
    table.expect_only(APPLICATION_KEYS, &[]);
    if table.get("name").is_none() {
        table.missing("name", "give the application a name");
    }
    Application {
        name: table.plain_text("name").unwrap_or_default(),
        version: table.plain_text("version").unwrap_or_default(),
        description: table.plain_text("description").unwrap_or_default(),
        authors: table.plain_texts("authors"),
        targets: build::targets(&table).unwrap_or_default(),
        tool: table.foreign("tool"),
        trigger_settings: trigger_settings(&table),
    }
}

/// `[application.trigger.TYPE]`: opaque, except that each must be a table of a possible type.
fn trigger_settings(application: &Table<'_, '_>) -> BTreeMap<TriggerType, Map<String, Value>> {
    let Some(table) = application.table("trigger", || "[application.trigger]".to_owned()) else {
        return BTreeMap::new();
    };
    let settings = table.entries().filter_map(|(name, span, _)| {
        let trigger_type = trigger_type(table.report, name, &span);
        let of_type = table.table(name, || format!("[application.trigger.{}]", bare_or_quoted(name)))?;
        Some((trigger_type?, of_type.to_json()?))
    });
    settings.collect()
}

fn variables(document: &Table<'_, '_>) -> BTreeMap<String, Variable> {
    let Some(table) = document.table("variables", || "[variables]".to_owned()) else {
        return BTreeMap::new();
    };
    let variables = table.entries().filter_map(|(name, span, _)| {
        check_variable_key(table.report, name, &span);
        let table = table.table(name, || format!("variable {}", quoted(name)))?;
        Some((name.to_owned(), variable(&table)))
    });
    variables.collect()
}

fn variable(table: &Table<'_, '_>) -> Variable {
    table.expect_only(VARIABLE_KEYS, &[]);
    let required = table.flag("required").unwrap_or_default();
    let problem = match (required, table.get("default").is_some()) {
        (true, true) => Some(("is `required` and also has a `default`", "remove one of the two")),
        (false, false) => {
            Some(("must be `required` or have a `default`", "add `required = true` or `default = \"…\"`"))
        }
        _ => None,
    };
    if let Some((problem, help)) = problem {
        table.report.problem_with_help(table.header(), format!("{} {problem}", table.name()), help.to_owned());
    }
    Variable {
        description: table.plain_text("description"),
        required,
        default: table.plain_text("default"),
        secret: table.flag("secret").unwrap_or_default(),
        at: table.report.position(table.header().start),
    }
}

/// Reports a name that no variable may have.
fn check_variable_key(report: &Report<'_>, name: &str, span: &Range<usize>) {
    if let Err(reason) = check_snake(name) {
        report.problem(span, format!("{} is not a variable name: {reason}", quoted(name)));
    }
}

/// A key that is a trigger type.
fn trigger_type(report: &Report<'_>, name: &str, span: &Range<usize>) -> Option<TriggerType> {
    match name.parse() {
        Ok(trigger_type) => Some(trigger_type),
        Err(error) => {
            report.problem(span, format!("{} is not a trigger type: {}", quoted(name), error.reason));
            None
        }
    }
}

/// The keys of every table of version 2 whose keys are known, each form of a table for itself.
#[cfg(test)]
pub(super) fn known_keys() -> Vec<Vec<&'static str>> {
    let tables = [
        DOCUMENT_KEYS,
        APPLICATION_KEYS,
        VARIABLE_KEYS,
        trigger::OWN_KEYS,
        component::COMPONENT_KEYS,
        component::PROFILE_KEYS,
        component::PROFILE_BUILD_KEYS,
        build::BUILD_KEYS,
        files::PLACED_KEYS,
    ];
    let forms = [(build::TARGET_FORMS, &[][..]), (source::FORMS, &[]), (dependency::FORMS, dependency::SHARED)];
    let forms = forms.iter().flat_map(|(forms, shared)| forms.iter().map(|form| [form.keys, shared].concat()));
    tables.iter().map(|keys| keys.to_vec()).chain(forms).collect()
}

#[cfg(test)]
mod tests;
