//! A TOML document as an editor shows it to a schema, and where everything stands in it.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The way to a value from the outside in: keys, and numbers in lists.
pub(crate) type Steps = Vec<String>;

pub(crate) struct Document<'t> {
    text: &'t str,
    /// Dates are texts, as in editors.
    pub(crate) value: Value,
    /// The byte at which a key or value begins, and what it is or belongs to.
    places: Vec<(usize, Steps)>,
}

impl<'t> Document<'t> {
    /// Nothing if it is not TOML.
    pub(crate) fn read(text: &'t str) -> Option<Self> {
        let table = DeTable::parse(text).ok()?;
        let mut document = Self { text, value: Value::Null, places: vec![(0, Steps::new())] };
        document.value = document.table(table.get_ref(), &Steps::new());
        Some(document)
    }

    /// What begins at a line and a character in it, both from 1.
    pub(crate) fn at(&self, line: usize, column: usize) -> impl Iterator<Item = &Steps> {
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let offset = start + self.text[start..].chars().take(column - 1).map(char::len_utf8).sum::<usize>();
        self.places.iter().filter(move |(begin, _)| *begin == offset).map(|(_, steps)| steps)
    }

    fn table(&mut self, table: &DeTable<'_>, steps: &Steps) -> Value {
        let mut fields = Map::new();
        for (key, value) in table.iter() {
            let steps = below(steps, key.get_ref());
            self.places.push((key.span().start, steps.clone()));
            fields.insert(key.get_ref().to_string(), self.value(value, &steps));
        }
        Value::Object(fields)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, steps: &Steps) -> Value {
        self.places.push((value.span().start, steps.clone()));
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Null, Value::from)
            }
            DeValue::Float(float) => {
                float.as_str().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::from)
            }
            DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| self.value(item, &below(steps, &index.to_string()))).collect()
            }
            DeValue::Table(table) => self.table(table, steps),
        }
    }
}

pub(crate) fn below(steps: &Steps, step: &str) -> Steps {
    steps.iter().map(String::as_str).chain([step]).map(str::to_owned).collect()
}
