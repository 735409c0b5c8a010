//! TOML values as JSON: what a trigger gets to see of the parts of a manifest that only it understands.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::{Report, Table, quoted};

impl Table<'_, '_> {
    /// The whole table as JSON, for those who understand it.
    pub(super) fn to_json(&self) -> Option<Map<String, Value>> {
        object(self.report, self.fields)
    }

    /// A field with a table that only other programs understand; empty if absent.
    pub(super) fn foreign(&self, key: &str) -> Map<String, Value> {
        let table = self.table(key, || self.field_name(key));
        table.map(|table| foreign(table.fields)).unwrap_or_default()
    }
}

/// A value as JSON. What has no JSON form is reported; `key` is the field it belongs to.
pub(super) fn value(report: &Report<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
    let refuse = |what: &str, help: &str| {
        let message = format!("{what} in {} cannot be passed on to the trigger", quoted(key));
        report.problem_with_help(&value.span(), message, help.to_owned());
        None
    };
    match value.get_ref() {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Some(Value::from(*flag)),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Some(Value::from(integer)),
            Err(_) => refuse("the integer", "an integer must fit 64 bits"),
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(float) => Some(Value::Number(float)),
            None => refuse("the float", "a float must be finite"),
        },
        DeValue::Datetime(_) => refuse("the date or time", "write it as a text in quotes"),
        DeValue::Array(items) => {
            // Every item is visited even if one fails, so that all problems are found.
            let items: Vec<_> = items.iter().map(|item| self::value(report, key, item)).collect();
            items.into_iter().collect::<Option<Vec<_>>>().map(Value::Array)
        }
        DeValue::Table(fields) => object(report, fields).map(Value::Object),
    }
}

/// A table as JSON.
pub(super) fn object(report: &Report<'_>, fields: &DeTable<'_>) -> Option<Map<String, Value>> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, field)| Some((key.get_ref().to_string(), value(report, key.get_ref(), field)?)))
        .collect();
    fields.into_iter().collect()
}

/// A table that only other programs understand: what has no JSON form becomes text.
pub(super) fn foreign(fields: &DeTable<'_>) -> Map<String, Value> {
    fields.iter().map(|(key, field)| (key.get_ref().to_string(), foreign_value(field.get_ref()))).collect()
}

fn foreign_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(integer) => Value::from(integer),
            Err(_) => Value::from(integer.to_string()),
        },
        DeValue::Float(float) => match float.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Value::Number(number),
            None => Value::from(float.as_str()),
        },
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Array(items) => items.iter().map(|item| foreign_value(item.get_ref())).collect(),
        DeValue::Table(fields) => Value::Object(foreign(fields)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn convert(text: &str) -> Result<Value, String> {
        let report = Report::new(text);
        let document = DeTable::parse(text).unwrap();
        let object = object(&report, document.get_ref());
        match report.into_error(Path::new("t")) {
            None => Ok(Value::Object(object.unwrap())),
            Some(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn every_kind_that_json_knows_keeps_its_value() {
        let text = "a = 'x'\nb = true\nc = 0xff\nd = -1_000\ne = 2.5\nf = [1, [2]]\ng = { h.i = 1.0 }";
        let expected = json!({
            "a": "x", "b": true, "c": 255, "d": -1000, "e": 2.5, "f": [1, [2]], "g": { "h": { "i": 1.0 } }
        });
        assert_eq!(convert(text), Ok(expected));
    }

    #[test]
    fn what_json_does_not_know_is_refused_all_at_once() {
        let text = "a = [2020-01-01, nan]\nb = 99999999999999999999\nc = { d = inf }";
        let problems = convert(text).unwrap_err();
        let lines: Vec<_> = problems.lines().filter(|line| line.starts_with("t:")).collect();
        assert_eq!(
            lines,
            [
                "t:1:6: the date or time in `a` cannot be passed on to the trigger",
                "t:1:18: the float in `a` cannot be passed on to the trigger",
                "t:2:5: the integer in `b` cannot be passed on to the trigger",
                "t:3:11: the float in `d` cannot be passed on to the trigger",
            ]
        );
    }
}
