//! Reading `build` and `targets`: how a component is made, and for which environments.

use toml::Spanned;
use toml::de::DeValue;

use super::super::schema::{Build, BuildCommand, Target};
use super::form::{Form, recognise};
use super::source::web_address;
use crate::document::{Table, mismatch, quoted};

pub(super) const BUILD_KEYS: &[&str] = &["command", "workdir", "watch"];

const URL: &str = "a definition at a URL";
const FILE: &str = "a definition in a file";

pub(super) const TARGET_FORMS: &[Form] = &[Form { name: URL, keys: &["url"] }, Form { name: FILE, keys: &["path"] }];

/// The table `build`.
pub(super) fn build(table: &Table<'_, '_>) -> Option<Build> {
    table.expect_only(BUILD_KEYS, &[]);
    if table.get("command").is_none() {
        table.missing("command", "write what builds the component: `command = \"cargo build …\"`");
    }
    let command = command(table);
    let workdir = table.parsed("workdir", "a folder to build in", |text| match text {
        _ if text.starts_with('/') => Err("it must be relative to the manifest".to_owned()),
        _ if text.contains('\0') => Err("it has a character that no path has".to_owned()),
        _ => Ok(text.to_owned()),
    });
    let watch = table.plain_texts("watch");
    Some(Build { command: command?, workdir, watch })
}

/// The field `command`: a text, or a list of texts.
pub(super) fn command(table: &Table<'_, '_>) -> Option<BuildCommand> {
    let value = table.get("command")?;
    let command = match value.get_ref() {
        DeValue::String(command) => BuildCommand::One(command.to_string()),
        DeValue::Array(_) => BuildCommand::Several(table.plain_texts("command")),
        _ => {
            mismatch(table.report, value, &table.field_name("command"), "a text or a list of texts");
            return None;
        }
    };
    let is_empty = value.get_ref().as_array().is_some_and(|items| items.is_empty());
    if is_empty || command.commands().iter().any(String::is_empty) {
        let message = format!("{} is empty", table.field_name("command"));
        let help = "write what builds the component, or leave `build` out".to_owned();
        table.report.problem_with_help(&value.span(), message, help);
        return None;
    }
    if command.commands().iter().any(|command| command.contains('\0')) {
        let message = format!("{} has a character that no command can have", table.field_name("command"));
        let help = "leave the character of number 0 out".to_owned();
        table.report.problem_with_help(&value.span(), message, help);
        return None;
    }
    Some(command)
}

/// The field `targets`; `None` if it is absent.
pub(super) fn targets(table: &Table<'_, '_>) -> Option<Vec<Target>> {
    let value = table.get("targets")?;
    let DeValue::Array(items) = value.get_ref() else {
        mismatch(table.report, value, &table.field_name("targets"), "a list");
        return None;
    };
    Some(items.iter().filter_map(|item| target(table, item)).collect())
}

fn target(table: &Table<'_, '_>, item: &Spanned<DeValue<'_>>) -> Option<Target> {
    match item.get_ref() {
        DeValue::String(text) => {
            let (name, version) =
                text.split_once([':', '@']).map_or((text.as_ref(), None), |(name, version)| (name, Some(version)));
            let is_word =
                |text: &str| !text.is_empty() && !text.contains(['/', '\\', ':', '@']) && !text.contains("..");
            if !is_word(name) || !version.is_none_or(is_word) {
                let message = format!("{} in {} is not a target", quoted(text), table.field_name("targets"));
                table.report.problem_with_help(&item.span(), message, "write `name:version`".to_owned());
                return None;
            }
            Some(Target::Named { name: name.to_owned(), version: version.map(str::to_owned) })
        }
        DeValue::Table(_) => {
            let name = format!("an entry of {}", table.field_name("targets"));
            let entry = Table::of(table.report, item.span(), item, name)?;
            match recognise(entry, TARGET_FORMS, &[], &[])? {
                (URL, entry) => entry.parsed("url", "an address to download from", web_address).map(Target::Url),
                (_, entry) => entry.plain_text("path").map(|path| Target::File(path.into())),
            }
        }
        _ => {
            let name = format!("each entry of {}", table.field_name("targets"));
            mismatch(table.report, item, &name, "a text, or a table with `url` or `path`");
            None
        }
    }
}
