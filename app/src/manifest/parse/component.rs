//! Reading `[component.ID]`.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeValue;

use super::super::http_hosts;
use super::super::ids::{check_kebab, is_label, kebab_of};
use super::super::schema::{Component, Profile};
use super::build::{build, command, targets};
use super::check_variable_key;
use super::dependency::dependencies;
use super::files::{exclude_files, files};
use super::source::{self, source};
use crate::document::{Located, Position, Report, Table, quoted};
use crate::names::ComponentId;

pub(super) const COMPONENT_KEYS: &[&str] = &[
    "source",
    "description",
    "variables",
    "environment",
    "files",
    "exclude_files",
    "allowed_outbound_hosts",
    "allowed_http_hosts",
    "key_value_stores",
    "sqlite_databases",
    "ai_models",
    "targets",
    "build",
    "tool",
    "dependencies",
    "dependencies_inherit_configuration",
    "profile",
];

/// What only version 1 has.
const ELSEWHERE: &[(&str, &str)] = &[
    ("config", "in version 2 it is called `variables`"),
    ("id", "in version 2 it is in the name of the table: `[component.ID]`"),
    ("trigger", "in version 2 triggers have tables of their own: `[[trigger.http]]`"),
];

pub(super) const PROFILE_KEYS: &[&str] = &["source", "environment", "dependencies", "build"];
pub(super) const PROFILE_BUILD_KEYS: &[&str] = &["command"];

/// All components that have an id, in the order of the text.
pub(super) fn components(document: &Table<'_, '_>) -> Vec<Component> {
    let report = document.report;
    let Some(table) = report.vital(|| table_of_components(document)) else {
        return Vec::new();
    };
    let components = table.entries().filter_map(|(name, span, _)| {
        let (id, of_id) =
            report.vital(|| (id(report, name, &span), table.table(name, || format!("component {}", quoted(name)))));
        // What has no valid id is read all the same, so that all problems are found.
        let at = report.position(span.start);
        let component = component(&of_id?, at);
        Some(Component { id: Located { value: id?, at }, ..component })
    });
    components.collect()
}

fn table_of_components<'d, 't>(document: &Table<'d, 't>) -> Option<Table<'d, 't>> {
    let value = document.get("component")?;
    if let (DeValue::Array(_), Some(span)) = (value.get_ref(), document.key_span("component")) {
        let message = "the components must be tables with names, not a list";
        let help = "write `[component.ID]`, with one bracket; `[[component]]` is version 1".to_owned();
        document.report.problem_with_help(&span, message, help);
        return None;
    }
    document.table("component", || "[component]".to_owned())
}

/// A component without an id of its own; it has a stand-in until it gets one.
pub(super) fn inline(table: &Table<'_, '_>) -> Component {
    component(table, table.report.position(table.header().start))
}

/// A name that is a component id and may be written in a manifest.
pub(super) fn id(report: &Report<'_>, name: &str, span: &Range<usize>) -> Option<ComponentId> {
    let (reason, help) = match (check_kebab(name), name.parse::<ComponentId>()) {
        (Ok(()), Ok(id)) => return Some(id),
        (Err(reason), _) => (reason, kebab_of(name).map(|kebab| format!("write {}", quoted(&kebab)))),
        (_, Err(error)) => (error.reason, Some("give it a shorter one".to_owned())),
    };
    report.problem_with_help(span, format!("{} is not a component id: {reason}", quoted(name)), help);
    None
}

/// A component but for its id. Everything is read even if there is no valid source, so that all problems are found.
fn component(table: &Table<'_, '_>, at: Position) -> Component {
    table.expect_only(COMPONENT_KEYS, ELSEWHERE);
    let source = source(table);
    let stand_in = Component::stand_in(at);
    Component {
        variables: table.text_map("variables", |name, span| check_variable_key(table.report, name, &span)),
        allowed_outbound_hosts: table.texts("allowed_outbound_hosts"),
        allowed_http_hosts: http_hosts(table, Deprecated::Yes),
        key_value_stores: labels(table, "key_value_stores"),
        sqlite_databases: labels(table, "sqlite_databases"),
        targets: targets(table),
        tool: table.foreign("tool"),
        dependencies: dependencies(table),
        dependencies_inherit_configuration: inherit_configuration(table),
        profiles: profiles(table),
        ..shared_fields(table, Component::new(stand_in.id, source.unwrap_or(stand_in.source)))
    }
}

/// The fields that versions 1 and 2 have alike.
pub(super) fn shared_fields(table: &Table<'_, '_>, component: Component) -> Component {
    Component {
        description: table.plain_text("description").unwrap_or_default(),
        environment: environment(table),
        files: files(table),
        exclude_files: exclude_files(table),
        ai_models: table.plain_texts("ai_models"),
        build: table.report.vital(|| build(&table.table("build", || format!("the build of {}", table.name()))?)),
        ..component
    }
}

fn environment(table: &Table<'_, '_>) -> BTreeMap<String, String> {
    let check = |name: &str, span: Range<usize>| {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("{} cannot be the name of an environment variable", quoted(name));
            table.report.problem(&span, message);
        }
    };
    let environment = table.text_map("environment", check);
    for (name, value) in environment.iter().filter(|(_, value)| value.value.contains('\0')) {
        let message =
            format!("the value of the environment variable {} has a character that none can have", quoted(name));
        table.report.add(value.at, message, Some("leave the character of number 0 out".to_owned()));
    }
    environment.into_iter().map(|(name, located)| (name, located.value)).collect()
}

/// Whether a list should not be used any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Deprecated {
    /// There is a better one.
    Yes,
    /// There is no better one in this version of the format.
    No,
}

/// The field `allowed_http_hosts`.
pub(super) fn http_hosts(table: &Table<'_, '_>, deprecated: Deprecated) -> Vec<Located<String>> {
    let hosts = table.texts("allowed_http_hosts");
    for host in &hosts {
        if let Err(reason) = http_hosts::modern(&host.value) {
            let message = format!("{} cannot be an allowed HTTP host: {reason}", quoted(&host.value));
            let help = "write a host, or better use `allowed_outbound_hosts`".to_owned();
            table.report.add(host.at, message, Some(help));
        }
    }
    if let Some(first) = hosts.first().filter(|_| deprecated == Deprecated::Yes) {
        let modern: Vec<_> = http_hosts::modern_list(&hosts).iter().map(|host| format!("{:?}", host.value)).collect();
        let message = format!("{} is deprecated", table.field_name("allowed_http_hosts"));
        table.report.warn(first.at, message, format!("add to `allowed_outbound_hosts`: {}", modern.join(", ")));
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

fn inherit_configuration(table: &Table<'_, '_>) -> Option<Located<bool>> {
    let key = "dependencies_inherit_configuration";
    let value = table.flag(key)?;
    let at = table.key_span(key).map_or(Position::START, |span| table.report.position(span.start));
    Some(Located { value, at })
}

fn profiles(table: &Table<'_, '_>) -> BTreeMap<String, Profile> {
    let report = table.report;
    let Some(all) = report.vital(|| table.table("profile", || table.field_name("profile"))) else {
        return BTreeMap::new();
    };
    let profiles = all.entries().filter_map(|(name, span, _)| {
        let of_name = report.vital(|| all.table(name, || format!("profile {} of {}", quoted(name), table.name())))?;
        let at = all.report.position(span.start);
        Some((name.to_owned(), Profile { at, ..profile(&of_name) }))
    });
    profiles.collect()
}

fn profile(table: &Table<'_, '_>) -> Profile {
    let build_command = table.report.vital(|| {
        // One of the unknown keys may be meant for `build`.
        table.expect_only(PROFILE_KEYS, &[]);
        let build = table.table("build", || format!("the build of {}", table.name()))?;
        build.expect_only(PROFILE_BUILD_KEYS, &[("workdir", ONLY_COMMAND), ("watch", ONLY_COMMAND)]);
        command(&build)
    });
    Profile {
        source: table.get("source").and_then(|value| source::of_value(table, value)),
        environment: environment(table),
        dependencies: dependencies(table),
        build_command,
        at: Position::START,
    }
}

const ONLY_COMMAND: &str = "a profile only changes the command; the rest is as the component says";
