//! Values between guests of each generation, which all have the same cases, and SQLite.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

use super::Failure;
use super::bindings::fermyon::spin::sqlite as v1;
use super::bindings::fermyon::spin2_0_0::sqlite as v2;
use super::bindings::spin::sqlite::sqlite::{self as v3, Value};
use super::{Answer, Refused};

/// A value as a parameter of a statement.
pub(super) struct Parameter(pub(super) Value);

impl ToSql for Parameter {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match &self.0 {
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
            Value::Null => ValueRef::Null,
        }))
    }
}

/// A value of a row.
///
/// # Errors
/// For a text that is not UTF-8, which a guest can't be given.
pub(super) fn value(found: ValueRef<'_>) -> Result<Value, Failure> {
    Ok(match found {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|error| Failure(format!("a text of a row: {error}")))?;
            Value::Text(text.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    })
}

/// About how many bytes a value takes.
pub(super) fn size(found: ValueRef<'_>) -> usize {
    let beside = match found {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
    };
    size_of::<Value>() + beside
}

macro_rules! generation {
    ($version:ident) => {
        impl From<$version::Value> for Value {
            fn from(value: $version::Value) -> Self {
                match value {
                    $version::Value::Integer(number) => Self::Integer(number),
                    $version::Value::Real(number) => Self::Real(number),
                    $version::Value::Text(text) => Self::Text(text),
                    $version::Value::Blob(bytes) => Self::Blob(bytes),
                    $version::Value::Null => Self::Null,
                }
            }
        }

        impl From<Value> for $version::Value {
            fn from(value: Value) -> Self {
                match value {
                    Value::Integer(number) => Self::Integer(number),
                    Value::Real(number) => Self::Real(number),
                    Value::Text(text) => Self::Text(text),
                    Value::Blob(bytes) => Self::Blob(bytes),
                    Value::Null => Self::Null,
                }
            }
        }

        impl From<Answer> for $version::QueryResult {
            fn from(answer: Answer) -> Self {
                let rows = answer
                    .rows
                    .into_iter()
                    .map(|row| $version::RowResult { values: row.values.into_iter().map(Into::into).collect() });
                Self { columns: answer.columns, rows: rows.collect() }
            }
        }
    };
}

macro_rules! errors {
    ($version:ident) => {
        impl From<Failure> for $version::Error {
            fn from(failure: Failure) -> Self {
                Self::Io(failure.0)
            }
        }

        impl From<Refused> for $version::Error {
            fn from(refused: Refused) -> Self {
                match refused {
                    Refused::AccessDenied => Self::AccessDenied,
                    Refused::NoSuchDatabase => Self::NoSuchDatabase,
                    Refused::Failed(failure) => failure.into(),
                }
            }
        }
    };
}

generation!(v1);
generation!(v2);
errors!(v1);
errors!(v2);
errors!(v3);

impl From<Answer> for v3::QueryResult {
    fn from(answer: Answer) -> Self {
        Self { columns: answer.columns, rows: answer.rows }
    }
}
