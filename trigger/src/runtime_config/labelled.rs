//! Tables that have a `type`, which says what else is in them; most of them have a label each.

use std::collections::BTreeMap;

use spin_app_model::document::{Table, did_you_mean, quoted};

/// The types of such a table.
pub(super) struct Kinds {
    pub(super) known: &'static [&'static str],
    /// Types of the public ecosystem that have no effect here yet.
    pub(super) later: &'static [&'static str],
}

/// Reads the tables `[key.LABEL]`, each by `of`, which gets a type that is known.
pub(super) fn read<T>(
    document: &Table<'_, '_>,
    key: &str,
    kinds: &Kinds,
    of: impl Fn(&str, &Table<'_, '_>) -> Option<T>,
) -> BTreeMap<String, T> {
    let Some(labels) = document.table(key, || format!("[{key}]")) else { return BTreeMap::new() };
    let read = labels.entries().filter_map(|(label, span, value)| {
        let name = format!("[{key}.{label}]");
        let table = Table::of(labels.report, span, value, name)?;
        let kind = kind(&table, kinds)?;
        Some((label.to_owned(), of(&kind, &table)?))
    });
    read.collect()
}

/// The type of a table, if it is a known one.
pub(super) fn kind(table: &Table<'_, '_>, kinds: &Kinds) -> Option<String> {
    let types = format!("the types are {}", kinds.known.join(", "));
    if table.get("type").is_none() {
        table.missing("type", &types);
    }
    let kind = table.text("type")?;
    let name = kind.value.as_str();
    if kinds.known.contains(&name) {
        return Some(kind.value);
    }
    let (message, help) = if kinds.later.contains(&name) {
        (format!("the type {} is not in this version of the trigger", quoted(name)), types)
    } else {
        let near = did_you_mean(name, kinds.known.iter().copied()).map(|near| near + " ").unwrap_or_default();
        (format!("{} is not a type of {}", quoted(name), table.name()), format!("{near}{types}"))
    };
    table.report.add(kind.at, message, Some(help));
    None
}

/// The address of a server of HTTP, below which it is asked: nothing else of it would be of use.
pub(super) fn http_address(table: &Table<'_, '_>, key: &str) -> Option<String> {
    let address = address(table, key, &["http", "https"])?;
    let url = url::Url::parse(&address).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !has_user && url.query().is_none() && url.fragment().is_none() {
        return Some(address);
    }
    let message = format!("{} has more than a server's address", table.field_name(key));
    let help = "remove the user and the password in front of the host, and everything from `?` or `#` on".to_owned();
    table.report.add(table.text(key)?.at, message, Some(help));
    None
}

/// The address of a server, with one of these schemes. It may hold a password, so that messages don't repeat it.
pub(super) fn address(table: &Table<'_, '_>, key: &str, schemes: &[&str]) -> Option<String> {
    let form = format!(
        "it begins with {}",
        schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ")
    );
    if table.get(key).is_none() {
        table.missing(key, &format!("write the server's address: {form}"));
    }
    let text = table.text(key)?;
    let url = url::Url::parse(&text.value).ok();
    if url.is_some_and(|url| schemes.contains(&url.scheme()) && url.has_host()) {
        return Some(text.value);
    }
    table.report.add(text.at, format!("{} is not the address of a server", table.field_name(key)), Some(form));
    None
}
