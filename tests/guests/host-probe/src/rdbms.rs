//! What databases answer, in the generations whose interfaces have the same types for all of them.

use crate::shown::Shown;

/// Columns with their types, and rows.
pub struct Table(pub Vec<String>, pub Vec<String>);

impl Shown for Table {
    fn shown(&self) -> String {
        let text = format!("{} {}", self.0.join(","), self.1.join(" ")).trim().to_owned();
        if text.is_empty() { "no rows".to_owned() } else { text }
    }
}

pub fn row(values: Vec<String>) -> String {
    format!("[{}]", values.join(" "))
}

/// A result as a table. The three kinds of generated types have the same fields.
macro_rules! table {
    ($found:expr, $module:ident) => {
        $crate::rdbms::Table(
            $found
                .columns
                .iter()
                .map(|column| format!("{}:{}", column.name, $module::kind(&column.data_type)))
                .collect(),
            $found.rows.iter().map(|values| $crate::rdbms::row(values.iter().map($module::value).collect())).collect(),
        )
    };
}

/// What the two generations before 3.0.0 have in common.
macro_rules! rdbms {
    ($module:ident, $($types:tt)*) => {
        mod $module {
            use $($types)*::{DbDataType, DbValue, ParameterValue};

            pub fn parameters(words: &[&str]) -> Vec<ParameterValue> {
                words.iter().map(|word| parameter(word)).collect()
            }

            fn parameter(word: &str) -> ParameterValue {
                match word.split_once(':') {
                    Some(("boolean", value)) => ParameterValue::Boolean(value == "true"),
                    Some(("int8", value)) => ParameterValue::Int8(value.parse().expect("a number")),
                    Some(("int16", value)) => ParameterValue::Int16(value.parse().expect("a number")),
                    Some(("int32", value)) => ParameterValue::Int32(value.parse().expect("a number")),
                    Some(("int64", value)) => ParameterValue::Int64(value.parse().expect("a number")),
                    Some(("uint8", value)) => ParameterValue::Uint8(value.parse().expect("a number")),
                    Some(("uint16", value)) => ParameterValue::Uint16(value.parse().expect("a number")),
                    Some(("uint32", value)) => ParameterValue::Uint32(value.parse().expect("a number")),
                    Some(("uint64", value)) => ParameterValue::Uint64(value.parse().expect("a number")),
                    Some(("floating32", value)) => ParameterValue::Floating32(value.parse().expect("a number")),
                    Some(("floating64", value)) => ParameterValue::Floating64(value.parse().expect("a number")),
                    Some(("str", value)) => ParameterValue::Str(value.to_owned()),
                    Some(("binary", value)) => ParameterValue::Binary(value.as_bytes().to_vec()),
                    _ => ParameterValue::DbNull,
                }
            }

            pub fn kind(kind: &DbDataType) -> String {
                let name = format!("{kind:?}");
                name.rsplit("::").next().unwrap_or_default().to_lowercase()
            }

            pub fn value(value: &DbValue) -> String {
                match value {
                    DbValue::Boolean(value) => format!("boolean:{value}"),
                    DbValue::Int8(value) => format!("int8:{value}"),
                    DbValue::Int16(value) => format!("int16:{value}"),
                    DbValue::Int32(value) => format!("int32:{value}"),
                    DbValue::Int64(value) => format!("int64:{value}"),
                    DbValue::Uint8(value) => format!("uint8:{value}"),
                    DbValue::Uint16(value) => format!("uint16:{value}"),
                    DbValue::Uint32(value) => format!("uint32:{value}"),
                    DbValue::Uint64(value) => format!("uint64:{value}"),
                    DbValue::Floating32(value) => format!("floating32:{value}"),
                    DbValue::Floating64(value) => format!("floating64:{value}"),
                    DbValue::Str(value) => format!("str:{value}"),
                    DbValue::Binary(value) => format!("binary:{}", value.escape_ascii()),
                    DbValue::DbNull => "null".to_owned(),
                    DbValue::Unsupported => "unsupported".to_owned(),
                }
            }
        }
    };
}

pub(crate) use {rdbms, table};
