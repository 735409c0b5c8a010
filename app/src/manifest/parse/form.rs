//! Tables that may have one of several forms: which one is meant, so that messages can be about that one.

use crate::document::{Table, nearest};

/// One form of a table.
pub(super) struct Form {
    /// What it describes, for messages.
    pub(super) name: &'static str,
    /// The keys that only this form has.
    pub(super) keys: &'static [&'static str],
}

/// Which form a table has, going by its keys. Reports if it is none or a mixture; `shared` keys decide nothing.
///
/// The table comes back under a name that says which form it is taken for, its unknown keys reported.
pub(super) fn recognise<'d, 't>(
    table: Table<'d, 't>,
    forms: &'static [Form],
    shared: &[&'static str],
    elsewhere: &[(&str, &str)],
) -> Option<(&'static str, Table<'d, 't>)> {
    let keys: Vec<_> = table.entries().map(|(key, ..)| key).collect();
    let has = |form: &&Form| keys.iter().any(|key| form.keys.contains(key));
    let present: Vec<_> = forms.iter().filter(has).collect();
    let form = match present.as_slice() {
        [form] => *form,
        [] => match resembled(&keys, forms) {
            Some(form) => form,
            None => {
                let message = format!("{} has none of the forms it may have", table.name());
                let help = known_elsewhere(&keys, elsewhere).unwrap_or_else(|| described(forms));
                table.report.problem_with_help(table.header(), message, help);
                return None;
            }
        },
        several => {
            let names: Vec<_> = several.iter().map(|form| form.name).collect();
            let message = format!("{} is a mixture of {}", table.name(), names.join(" and "));
            table.report.problem_with_help(table.header(), message, described(forms));
            return None;
        }
    };
    let name = format!("{} ({})", table.name(), form.name);
    let table = table.renamed(name);
    let known: Vec<_> = form.keys.iter().chain(shared).copied().collect();
    table.expect_only(&known, elsewhere);
    Some((form.name, table))
}

/// The form with a key that is much like one that is there.
fn resembled(keys: &[&str], forms: &'static [Form]) -> Option<&'static Form> {
    // A table of any of these forms has a handful of keys.
    const KEYS: usize = 20;
    let has_near = |form: &&Form| keys.iter().take(KEYS).any(|key| nearest(key, form.keys.iter().copied()).is_some());
    forms.iter().find(has_near)
}

fn known_elsewhere(keys: &[&str], elsewhere: &[(&str, &str)]) -> Option<String> {
    elsewhere.iter().find(|(key, _)| keys.contains(key)).map(|(_, help)| (*help).to_owned())
}

fn described(forms: &[Form]) -> String {
    let described: Vec<_> = forms.iter().map(|form| format!("{} has {}", form.name, form.keys.join(", "))).collect();
    described.join("; ")
}
