//! Reading `files` and `exclude_files`, as far as it takes no look at the disk.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::super::patterns;
use super::super::schema::FileMount;
use crate::document::{Located, Table, mismatch, quoted};
use crate::paths::stays_inside;

pub(super) const PLACED_KEYS: &[&str] = &["source", "destination"];

/// The field `files`.
pub(super) fn files(table: &Table<'_, '_>) -> Vec<Located<FileMount>> {
    let Some(value) = table.get("files") else {
        return Vec::new();
    };
    let DeValue::Array(items) = value.get_ref() else {
        mismatch(table.report, value, &table.field_name("files"), "a list");
        return Vec::new();
    };
    items.iter().filter_map(|item| entry(table, item)).collect()
}

/// The field `exclude_files`.
pub(super) fn exclude_files(table: &Table<'_, '_>) -> Vec<Located<String>> {
    let globs = table.texts("exclude_files");
    for glob in &globs {
        if let Err(reason) = patterns::check(&glob.value) {
            let name = table.field_name("exclude_files");
            table.report.add(glob.at, format!("{} in {name} is not a glob: {reason}", quoted(&glob.value)), None);
        }
    }
    globs
}

fn entry(table: &Table<'_, '_>, item: &Spanned<DeValue<'_>>) -> Option<Located<FileMount>> {
    let at = table.report.position(item.span().start);
    let value = match item.get_ref() {
        DeValue::String(pattern) => self::pattern(table, pattern, item)?,
        DeValue::Table(_) => {
            let name = format!("an entry of {}", table.field_name("files"));
            placed(&Table::of(table.report, item.span(), item, name)?)?
        }
        _ => {
            let name = format!("each entry of {}", table.field_name("files"));
            mismatch(table.report, item, &name, "a text or a table with `source` and `destination`");
            return None;
        }
    };
    Some(Located { value, at })
}

fn pattern(table: &Table<'_, '_>, pattern: &str, item: &Spanned<DeValue<'_>>) -> Option<FileMount> {
    let refuse = |reason: &str, help: &str| {
        let message = format!("{} in {} {reason}", quoted(pattern), table.field_name("files"));
        table.report.problem_with_help(&item.span(), message, help.to_owned());
        None
    };
    if pattern.is_empty() || pattern.contains('\0') {
        return refuse("is not a path", "name a file, a folder or a glob");
    }
    if matches!(pattern.rsplit('/').next(), Some("." | "..")) {
        return refuse("ends with dots", "name the folder, or write `./**/*` for everything beside the manifest");
    }
    if !stays_inside(Path::new(pattern)) {
        return refuse(
            "is outside of the folder of the manifest",
            "write `{ source = \"…\", destination = \"…\" }` to say where the guest sees it",
        );
    }
    if let Err(reason) = patterns::check(pattern) {
        return refuse(&format!("is not a glob: {reason}"), "put what is not meant as a glob in `[` and `]`");
    }
    if pattern == "**" {
        let message =
            format!("{} in {} names folders, and none of their files", quoted(pattern), table.field_name("files"));
        let help = "write `./**/*` for everything beside the manifest".to_owned();
        table.report.warn(table.report.position(item.span().start), message, help);
    }
    if matches!(pattern, "*" | "**/*") {
        let message =
            format!("{} in {} also takes what should not be seen", quoted(pattern), table.field_name("files"));
        let help = format!("write {} if that is meant", quoted(&format!("./{pattern}")));
        table.report.warn(table.report.position(item.span().start), message, help);
    }
    Some(FileMount::Pattern(pattern.to_owned()))
}

fn placed(table: &Table<'_, '_>) -> Option<FileMount> {
    table.expect_only(PLACED_KEYS, &[]);
    for key in PLACED_KEYS.iter().filter(|key| table.get(key).is_none()) {
        table.missing(key, "an entry has a `source` and a `destination`");
    }
    let path = |text: &str| match text {
        "" => Err("it is empty".to_owned()),
        _ if text.contains('\0') => Err("it has a character that no path has".to_owned()),
        _ => Ok(text.to_owned()),
    };
    let inside = |text: &str| match text {
        _ if !stays_inside(Path::new(text.trim_start_matches('/'))) => {
            Err("it is outside of what the guest sees".to_owned())
        }
        _ => path(text),
    };
    let source = table.parsed("source", "a path", path);
    let destination = table.parsed("destination", "a path", inside);
    Some(FileMount::Placed { source: source?, destination: destination? })
}
