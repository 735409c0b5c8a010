//! Reading `[component.ID]`.

use std::ops::Range;
use std::path::PathBuf;

use toml::de::DeValue;

use super::super::hosts;
use super::super::ids::{check_kebab, is_label, kebab_of};
use super::super::problem::{Located, Problem, Report, quoted};
use super::super::schema::{Build, BuildCommand, Component};
use super::super::table::{Table, mismatch};
use super::{check_variable_key, ignored};
use crate::names::ComponentId;

const COMPONENT_KEYS: &[&str] = &[
    "source",
    "description",
    "variables",
    "environment",
    "allowed_outbound_hosts",
    "allowed_http_hosts",
    "key_value_stores",
    "sqlite_databases",
    "ai_models",
    "targets",
    "build",
    "tool",
];

/// Keys that public Spin knows, with what to do as long as we do not.
const LATER_COMPONENT_KEYS: &[(&str, &str)] = &[
    ("files", "build what the component needs into it, or let it fetch it"),
    ("exclude_files", "`files` is not supported either, so remove it"),
    ("dependencies", "compose the component before, for example with `wac plug`"),
    ("dependencies_inherit_configuration", "`dependencies` is not supported either, so remove it"),
    ("profile", "keep one manifest for each profile and choose with `--from`"),
];

const BUILD_KEYS: &[&str] = &["command", "workdir", "watch"];

/// All components, in the order of the text.
pub(super) fn components(document: &Table<'_, '_>) -> Vec<Component> {
    let Some(table) = document.table("component", || "[component]".to_owned()) else {
        return Vec::new();
    };
    let components = table.entries().filter_map(|(name, span, _)| {
        let id = id(table.report, name, &span);
        let of_id = table.table(name, || format!("component {}", quoted(name)))?;
        let at = table.report.position(span.start);
        component(&of_id, id.map(|value| Located { value, at }))
    });
    components.collect()
}

/// A name that is a component id and may be written in a manifest.
pub(super) fn id(report: &Report<'_>, name: &str, span: &Range<usize>) -> Option<ComponentId> {
    let reason = match (check_kebab(name), name.parse::<ComponentId>()) {
        (Ok(()), Ok(id)) => return Some(id),
        (Err(reason), _) => reason,
        (_, Err(error)) => error.reason,
    };
    let help = kebab_of(name).map(|kebab| format!("write {}", quoted(&kebab)));
    report.problem_with_help(span, format!("{} is not a component id: {reason}", quoted(name)), help);
    None
}

/// Everything is read even if there is no valid id or source, so that all problems are found.
fn component(table: &Table<'_, '_>, id: Option<Located<ComponentId>>) -> Option<Component> {
    table.expect_only(COMPONENT_KEYS, LATER_COMPONENT_KEYS);
    ignored(table, "targets", "a list", |value| value.is_array());
    ignored(table, "tool", "a table", |value| value.is_table());
    let source = source(table);
    let environment = table.text_map("environment", |name, span| check_environment_key(table.report, name, &span));
    let read = Component {
        description: table.plain_text("description").unwrap_or_default(),
        environment: environment.into_iter().map(|(name, located)| (name, located.value)).collect(),
        variables: table.text_map("variables", |name, span| check_variable_key(table.report, name, &span)),
        allowed_outbound_hosts: outbound_hosts(table),
        allowed_http_hosts: http_hosts(table),
        key_value_stores: labels(table, "key_value_stores"),
        sqlite_databases: labels(table, "sqlite_databases"),
        ai_models: table.plain_texts("ai_models"),
        build: table.table("build", || format!("the build of {}", table.name())).and_then(|table| build(&table)),
        ..Component::new(id?, source?)
    };
    Some(read)
}

fn source(table: &Table<'_, '_>) -> Option<Located<PathBuf>> {
    let Some(value) = table.get("source") else {
        table.missing("source", "name the component's wasm file: `source = \"hello.wasm\"`");
        return None;
    };
    if let DeValue::Table(form) = value.get_ref() {
        let what = if form.contains_key("url") {
            "a component from a URL"
        } else if form.contains_key("registry") || form.contains_key("package") {
            "a component from a registry"
        } else {
            "a table as `source`"
        };
        table.unsupported(&value.span(), what, "download the file and write its path: `source = \"hello.wasm\"`");
        return None;
    }
    let source = table.text("source")?;
    if source.value.is_empty() {
        table.report.problem(&value.span(), format!("{} is empty", table.field_name("source")));
        return None;
    }
    if source.value.contains("://") {
        table.unsupported(&value.span(), "a component from a URL", "download the file and write its path");
        return None;
    }
    Some(Located { value: source.value.into(), at: source.at })
}

fn outbound_hosts(table: &Table<'_, '_>) -> Vec<Located<String>> {
    let hosts = table.texts("allowed_outbound_hosts");
    for host in &hosts {
        if let Err((reason, help)) = hosts::check_outbound_host(&host.value) {
            let message = format!("{} cannot be an allowed outbound host: {reason}", quoted(&host.value));
            table.report.add(host.at, message, Some(help));
        }
    }
    hosts
}

fn http_hosts(table: &Table<'_, '_>) -> Vec<Located<String>> {
    let hosts = table.texts("allowed_http_hosts");
    for host in &hosts {
        if let Err(reason) = hosts::of_http_host(&host.value) {
            let message = format!("{} cannot be an allowed HTTP host: {reason}", quoted(&host.value));
            let help = "write a host, or better use `allowed_outbound_hosts`".to_owned();
            table.report.add(host.at, message, Some(help));
        }
    }
    hosts
}

fn labels(table: &Table<'_, '_>, key: &str) -> Vec<String> {
    let labels = table.texts(key);
    for label in labels.iter().filter(|label| !is_label(&label.value)) {
        let message = format!("{} in {} is not a label", quoted(&label.value), table.field_name(key));
        let help = "use words of letters and digits, joined by '-' or by '_'".to_owned();
        table.report.add(label.at, message, Some(help));
    }
    labels.into_iter().map(|label| label.value).collect()
}

fn check_environment_key(report: &Report<'_>, name: &str, span: &Range<usize>) {
    if name.is_empty() || name.contains(['=', '\0']) {
        report.problem(span, format!("{} cannot be the name of an environment variable", quoted(name)));
    }
}

fn build(table: &Table<'_, '_>) -> Option<Build> {
    table.expect_only(BUILD_KEYS, &[]);
    let command = match table.get("command") {
        None => {
            table.missing("command", "write what builds the component: `command = \"cargo build …\"`");
            None
        }
        Some(value) => match value.get_ref() {
            DeValue::String(command) => Some(BuildCommand::One(command.to_string())),
            DeValue::Array(_) => Some(BuildCommand::Several(table.plain_texts("command"))),
            _ => {
                mismatch(table.report, value, &table.field_name("command"), "a text or a list of texts");
                None
            }
        },
    };
    let workdir = table.plain_text("workdir");
    let watch = table.plain_texts("watch");
    Some(Build { command: command?, workdir, watch })
}

/// What is deprecated, with what to write instead.
pub(super) fn warnings(components: &[Component]) -> Vec<Problem> {
    let deprecated = components.iter().filter_map(|component| {
        let first = component.allowed_http_hosts.first()?;
        let modern = component.allowed_http_hosts.iter().filter_map(|host| hosts::of_http_host(&host.value).ok());
        let modern: Vec<_> = modern.flatten().map(|host| format!("{host:?}")).collect();
        Some(Problem {
            line: first.at.line,
            column: first.at.column,
            message: format!("`allowed_http_hosts` in component `{}` is deprecated", component.id.value),
            help: Some(format!("add to `allowed_outbound_hosts`: {}", modern.join(", "))),
        })
    });
    deprecated.collect()
}
