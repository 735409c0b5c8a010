//! Reading `dependencies`: which imports, and where the code that satisfies them is.

use semver::VersionReq;
use toml::Spanned;
use toml::de::DeValue;

use super::super::schema::{Dependency, DependencyName, DependencySource};
use super::component;
use super::form::{Form, recognise};
use super::source::{download, registry};
use crate::document::{Located, Table, did_you_mean, mismatch, quoted};
use crate::lock::Inherit;

const PACKAGE: &str = "a package from a registry";
const FILE: &str = "a local file";
const DOWNLOAD: &str = "a download";
const COMPONENT: &str = "a component of the application";

pub(super) const FORMS: &[Form] = &[
    Form { name: PACKAGE, keys: &["version", "registry", "package"] },
    Form { name: FILE, keys: &["path"] },
    Form { name: DOWNLOAD, keys: &["url", "digest"] },
    Form { name: COMPONENT, keys: &["component"] },
];

/// Keys that every form may have.
pub(super) const SHARED: &[&str] = &["export", "inherit_configuration"];

const ELSEWHERE: &[(&str, &str)] = &[("sha256", "the key is `digest`, its value `sha256:` and the digits")];

/// What a dependency can inherit: the keys of a component that say what it may do.
const INHERITABLE: &[&str] = &[
    "ai_models",
    "allowed_outbound_hosts",
    "environment",
    "files",
    "key_value_stores",
    "sqlite_databases",
    "variables",
];

/// The field `dependencies`, in the order of the text.
pub(super) fn dependencies(table: &Table<'_, '_>) -> Vec<Dependency> {
    let Some(all) = table.table("dependencies", || table.field_name("dependencies")) else {
        return Vec::new();
    };
    let entries = all.entries().filter_map(|(key, span, value)| {
        let name = match key.parse::<DependencyName>() {
            Ok(value) => Some(Located { value, at: all.report.position(span.start) }),
            Err(reason) => {
                let message = format!("{} cannot be the name of a dependency: {reason}", quoted(key));
                let help = "write the import: `namespace:package/interface@1.2.3`, shortened from behind".to_owned();
                all.report.problem_with_help(&span, message, help);
                None
            }
        };
        dependency(&all, key, name, value)
    });
    entries.collect()
}

/// The value is read even if the name is none, so that all problems are found.
fn dependency(
    all: &Table<'_, '_>,
    key: &str,
    name: Option<Located<DependencyName>>,
    value: &Spanned<DeValue<'_>>,
) -> Option<Dependency> {
    let report = all.report;
    let at = report.position(value.span().start);
    match value.get_ref() {
        DeValue::String(_) => {
            let version = all.parsed(key, "a version requirement", requirement)?;
            let source = Located { value: DependencySource::Version(version), at };
            Some(Dependency { name: name?, source, export: None, inherit: None })
        }
        DeValue::Table(_) => {
            let title = format!("dependency {}", quoted(key));
            let table = Table::of(report, value.span(), value, title)?;
            let (form, table) = recognise(table, FORMS, SHARED, ELSEWHERE)?;
            let export = table.text("export");
            let inherit = inherit(&table);
            let source = Located { value: source(form, &table)?, at };
            Some(Dependency { name: name?, source, export, inherit })
        }
        _ => {
            mismatch(report, value, &all.field_name(key), "a version or a table");
            None
        }
    }
}

fn source(form: &str, table: &Table<'_, '_>) -> Option<DependencySource> {
    match form {
        FILE => {
            let path = |text: &str| match text {
                "" => Err("it is empty".to_owned()),
                _ if text.contains('\0') => Err("it has a character that no path has".to_owned()),
                _ => Ok(text.into()),
            };
            table.parsed("path", "a path", path).map(DependencySource::File)
        }
        DOWNLOAD => download(table).map(DependencySource::Download),
        COMPONENT => {
            let name = table.text("component")?;
            let span = table.get("component")?.span();
            component::id(table.report, &name.value, &span).map(DependencySource::Component)
        }
        _ => {
            if table.get("version").is_none() {
                table.missing("version", "add which versions would do: `version = \"1.2\"`");
            }
            let version = table.parsed("version", "a version requirement", requirement);
            let registry = registry(table);
            let package = match table.get("package") {
                None => Some(None),
                Some(_) => table.parsed("package", "the name of a package", str::parse).map(Some),
            };
            Some(DependencySource::Package { registry: registry?, package: package?, version: version? })
        }
    }
}

fn requirement(text: &str) -> Result<VersionReq, String> {
    VersionReq::parse(text).map_err(|error| error.to_string())
}

fn inherit(table: &Table<'_, '_>) -> Option<Located<Inherit>> {
    let key = "inherit_configuration";
    let value = table.get(key)?;
    let inherit = match value.get_ref() {
        DeValue::Boolean(true) => Inherit::All,
        DeValue::Boolean(false) => Inherit::Nothing,
        DeValue::Array(_) => {
            let keys = table.texts(key);
            for unknown in keys.iter().filter(|key| !INHERITABLE.contains(&key.value.as_str())) {
                let known = INHERITABLE.iter().copied();
                let help = did_you_mean(&unknown.value, known)
                    .unwrap_or_else(|| format!("what can be inherited is {}", INHERITABLE.join(", ")));
                let message = format!("{} in {} has no effect", quoted(&unknown.value), table.field_name(key));
                table.report.warn(unknown.at, message, help);
            }
            Inherit::Some(keys.into_iter().map(|key| key.value).collect())
        }
        _ => {
            mismatch(table.report, value, &table.field_name(key), "true, false or a list of texts");
            return None;
        }
    };
    Some(Located { value: inherit, at: table.report.position(value.span().start) })
}
