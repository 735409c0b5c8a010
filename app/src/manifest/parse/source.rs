//! Reading where code is: a path, a download, or a package.

use semver::{Version, VersionReq};
use toml::Spanned;
use toml::de::DeValue;
use url::Url;

use super::super::schema::{Download, Package, SourceRef};
use super::form::{Form, recognise};
use crate::document::{Located, Table, mismatch, quoted};

const DOWNLOAD: &str = "a download";
const PACKAGE: &str = "a package from a registry";

pub(super) const FORMS: &[Form] = &[
    Form { name: DOWNLOAD, keys: &["url", "digest"] },
    Form { name: PACKAGE, keys: &["registry", "package", "version"] },
];

/// What people write who remember other formats.
const ELSEWHERE: &[(&str, &str)] = &[
    ("path", "write a local file as a text: `source = \"hello.wasm\"`"),
    ("file", "write a local file as a text: `source = \"hello.wasm\"`"),
    ("reference", "bindles are gone; write a path, a download or a package"),
    ("parcel", "bindles are gone; write a path, a download or a package"),
    ("sha256", "the key is `digest`, its value `sha256:` and the digits"),
];

/// The field `source`, which must be there.
pub(super) fn source(table: &Table<'_, '_>) -> Option<Located<SourceRef>> {
    match table.get("source") {
        Some(value) => of_value(table, value),
        None => {
            table.missing("source", "name the component's wasm file: `source = \"hello.wasm\"`");
            None
        }
    }
}

/// The value of a field `source`.
pub(super) fn of_value(table: &Table<'_, '_>, value: &Spanned<DeValue<'_>>) -> Option<Located<SourceRef>> {
    let report = table.report;
    let at = report.position(value.span().start);
    let source = match value.get_ref() {
        DeValue::String(path) => file(table, path, value)?,
        DeValue::Table(_) => {
            let table = Table::of(report, value.span(), value, table.field_name("source"))?;
            match recognise(table, FORMS, &[], ELSEWHERE)? {
                (DOWNLOAD, table) => SourceRef::Download(download(&table)?),
                (_, table) => SourceRef::Package(package(&table)?),
            }
        }
        _ => {
            let expected = "the path of a file, or a table with a download or a package";
            mismatch(report, value, &table.field_name("source"), expected);
            return None;
        }
    };
    Some(Located { value: source, at })
}

fn file(table: &Table<'_, '_>, path: &str, value: &Spanned<DeValue<'_>>) -> Option<SourceRef> {
    let problem = if path.is_empty() {
        Some(("is empty", "write the path of a wasm file"))
    } else if path.contains("://") {
        Some(("is a URL", "write `source = { url = \"…\", digest = \"sha256:…\" }`"))
    } else if path.contains('\0') {
        Some(("has a character that no path has", "write the path of a wasm file"))
    } else {
        None
    };
    if let Some((problem, help)) = problem {
        let message = format!("{} {problem}", table.field_name("source"));
        table.report.problem_with_help(&value.span(), message, help.to_owned());
        return None;
    }
    Some(SourceRef::File(path.into()))
}

/// `url` and `digest`.
pub(super) fn download(table: &Table<'_, '_>) -> Option<Download> {
    for (key, help) in
        [("url", "add the address: `url = \"https://…\"`"), ("digest", "add what it must be: `digest = \"sha256:…\"`")]
    {
        if table.get(key).is_none() {
            table.missing(key, help);
        }
    }
    let url = table.parsed("url", "an address to download from", web_address);
    let digest = table.parsed("digest", "a digest", str::parse);
    Some(Download { url: url?, digest: digest? })
}

/// A URL that can be downloaded from.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("it must start with `https://` or `http://`, not {}", quoted(&format!("{other}:")))),
    }
}

/// `registry`, `package` and one exact `version`.
fn package(table: &Table<'_, '_>) -> Option<Package> {
    for (key, help) in [
        ("package", "add which package: `package = \"namespace:name\"`"),
        ("version", "add which version: `version = \"1.2.3\"`"),
    ] {
        if table.get(key).is_none() {
            table.missing(key, help);
        }
    }
    let registry = registry(table);
    let name = table.parsed("package", "the name of a package", str::parse);
    let version = table.parsed("version", "one exact version", exact);
    Some(Package { registry: registry?, name: name?, version: version? })
}

/// The registry, if one is named; `None` outside if what is there is none.
pub(super) fn registry(table: &Table<'_, '_>) -> Option<Option<String>> {
    if table.get("registry").is_none() {
        return Some(None);
    }
    let of_text = |text: &str| match text {
        "" => Err("it is empty".to_owned()),
        _ if text.contains("://") => {
            Err("a registry is written without a scheme, as in `registry.example.com`".to_owned())
        }
        _ if text.contains(char::is_whitespace) => Err("it has a blank".to_owned()),
        _ => Ok(text.to_owned()),
    };
    table.parsed("registry", "a registry", of_text).map(Some)
}

fn exact(text: &str) -> Result<VersionReq, String> {
    let version = Version::parse(text).map_err(|error| error.to_string())?;
    // What follows a `+` names a build and takes no part in comparing.
    let version = Version { build: semver::BuildMetadata::EMPTY, ..version };
    Ok(VersionReq::parse(&format!("={version}")).expect("an exact version is a requirement"))
}
