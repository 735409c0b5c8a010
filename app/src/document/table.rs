//! A TOML table with everything needed to say what is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::Located;
use super::report::{Report, quoted};

/// A table of the document, a name for it in messages, and the report that problems go to.
///
/// Every reader returns what could be read and reports what could not, so that one pass finds all problems.
pub struct Table<'d, 't> {
    /// Where problems go.
    pub report: &'d Report<'t>,
    pub(crate) fields: &'d DeTable<'t>,
    /// Where the table begins, for problems about what is not there.
    header: Range<usize>,
    /// How messages call the table, for example ``component `hello` ``.
    name: String,
}

impl<'d, 't> Table<'d, 't> {
    /// The whole document; `name` is how messages call it.
    pub fn document(fields: &'d DeTable<'t>, report: &'d Report<'t>, name: &str) -> Self {
        Self { report, fields, header: 0..0, name: name.to_owned() }
    }

    /// A value that must be a table. `header` is where it is reported if something is missing in it.
    pub fn of(
        report: &'d Report<'t>,
        header: Range<usize>,
        value: &'d Spanned<DeValue<'t>>,
        name: impl Into<String>,
    ) -> Option<Self> {
        let name = name.into();
        match value.get_ref() {
            DeValue::Table(fields) => Some(Self { report, fields, header, name }),
            _ => {
                mismatch(report, value, &name, "a table");
                None
            }
        }
    }

    /// The same table under another name.
    pub fn renamed(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// How messages call this table.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How messages call a field of this table.
    pub fn field_name(&self, key: &str) -> String {
        format!("{} in {}", quoted(key), self.name)
    }

    /// Where the table begins.
    pub fn header(&self) -> &Range<usize> {
        &self.header
    }

    /// A field as it is.
    pub fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.fields.get(key)
    }

    /// The span of a key.
    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.fields.get_key_value(key).map(|(key, _)| key.span())
    }

    /// All fields in the order of the text: key, span of the key, value.
    pub fn entries(&self) -> impl Iterator<Item = (&'d str, Range<usize>, &'d Spanned<DeValue<'t>>)> {
        self.fields.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
    }

    /// Reports a field that is not there.
    pub fn missing(&self, key: &str, help: &str) {
        let message = format!("the key {} is missing in {}", quoted(key), self.name);
        self.report.problem_with_help(&self.header, message, help.to_owned());
    }

    /// A text, with its place.
    pub fn text(&self, key: &str) -> Option<Located<String>> {
        let value = self.get(key)?;
        text(self.report, value, || self.field_name(key))
    }

    /// A text that may be absent and whose place does not matter.
    pub fn plain_text(&self, key: &str) -> Option<String> {
        self.text(key).map(|located| located.value)
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            mismatch(self.report, value, &self.field_name(key), "true or false");
        }
        flag
    }

    /// A whole number that is not negative.
    pub fn count(&self, key: &str) -> Option<u64> {
        let value = self.get(key)?;
        let count = match value.get_ref() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => {
                mismatch(self.report, value, &self.field_name(key), "a whole number");
                return None;
            }
        };
        if count.is_none() {
            let message = format!("{} must be a whole number from 0 to {}", self.field_name(key), u64::MAX);
            self.report.problem(&value.span(), message);
        }
        count
    }

    /// A list of tables, each by the name `name`; empty if absent.
    pub fn tables(&self, key: &str, name: &str) -> Vec<Table<'d, 't>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            mismatch(self.report, value, &self.field_name(key), "a list of tables");
            return Vec::new();
        };
        items.iter().filter_map(|item| Self::of(self.report, item.span(), item, name)).collect()
    }

    /// A list of texts with their places; empty if absent.
    pub fn texts(&self, key: &str) -> Vec<Located<String>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            mismatch(self.report, value, &self.field_name(key), "a list of texts");
            return Vec::new();
        };
        let item_name = || format!("each item of {}", self.field_name(key));
        items.iter().filter_map(|item| text(self.report, item, item_name)).collect()
    }

    /// A list of texts whose places do not matter.
    pub fn plain_texts(&self, key: &str) -> Vec<String> {
        self.texts(key).into_iter().map(|located| located.value).collect()
    }

    /// A table of texts; empty if absent. Every key is shown to `check_key` with its span.
    pub fn text_map(&self, key: &str, check_key: impl Fn(&str, Range<usize>)) -> BTreeMap<String, Located<String>> {
        let Some(table) = self.table(key, || self.field_name(key)) else {
            return BTreeMap::new();
        };
        let read = table.entries().filter_map(|(name, span, value)| {
            check_key(name, span);
            let value = text(self.report, value, || table.field_name(name))?;
            Some((name.to_owned(), value))
        });
        read.collect()
    }

    /// A field that is a table.
    pub fn table(&self, key: &str, name: impl FnOnce() -> String) -> Option<Table<'d, 't>> {
        let (key, value) = self.fields.get_key_value(key)?;
        Self::of(self.report, key.span(), value, name())
    }

    /// A text that is turned into something else; what that says against it is reported.
    pub fn parsed<T>(&self, key: &str, what: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text.value) {
            Ok(value) => Some(value),
            Err(reason) => {
                let message = format!("{} in {} is not {what}: {reason}", quoted(&text.value), self.field_name(key));
                self.report.add(text.at, message, None);
                None
            }
        }
    }

    /// Reports every key that is not known.
    ///
    /// `elsewhere` are keys that a reader of other formats may expect here, each with what to do instead.
    pub fn expect_only(&self, known: &[&str], elsewhere: &[(&str, &str)]) {
        for (key, span, _) in self.entries() {
            if known.contains(&key) {
                continue;
            }
            if let Some((_, help)) = elsewhere.iter().find(|(name, _)| *name == key) {
                let message = format!("unknown key {}", self.field_name(key));
                self.report.problem_with_help(&span, message, (*help).to_owned());
                continue;
            }
            let help = self
                .report
                .suggest(key, known.iter().copied())
                .unwrap_or_else(|| format!("known keys are {}", known.join(", ")));
            self.report.problem_with_help(&span, format!("unknown key {}", self.field_name(key)), help);
        }
    }
}

/// A value that must be a text, with its place.
pub fn text(
    report: &Report<'_>,
    value: &Spanned<DeValue<'_>>,
    name: impl FnOnce() -> String,
) -> Option<Located<String>> {
    match value.get_ref() {
        DeValue::String(text) => {
            Some(Located { value: text.as_ref().to_owned(), at: report.position(value.span().start) })
        }
        _ => {
            mismatch(report, value, &name(), "a text in quotes");
            None
        }
    }
}

/// Reports a value of the wrong kind.
pub fn mismatch(report: &Report<'_>, value: &Spanned<DeValue<'_>>, name: &str, expected: &str) {
    report.problem(&value.span(), format!("{name} must be {expected}, not {}", kind(value.get_ref())));
}

/// The kind of a value in plain words.
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
