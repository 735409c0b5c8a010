//! Values between guests, in the form of `spin:mysql@3.0.0`, and MySQL.

use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column as DriverColumn, Row as DriverRow, Value};

use super::v3::{Column, DbDataType, DbValue, Error, ParameterValue};

/// A value for a parameter.
pub(super) fn parameter(value: ParameterValue) -> Value {
    match value {
        ParameterValue::Boolean(value) => Value::Int(i64::from(value)),
        ParameterValue::Int8(value) => Value::Int(i64::from(value)),
        ParameterValue::Int16(value) => Value::Int(i64::from(value)),
        ParameterValue::Int32(value) => Value::Int(i64::from(value)),
        ParameterValue::Int64(value) => Value::Int(value),
        ParameterValue::Uint8(value) => Value::UInt(u64::from(value)),
        ParameterValue::Uint16(value) => Value::UInt(u64::from(value)),
        ParameterValue::Uint32(value) => Value::UInt(u64::from(value)),
        ParameterValue::Uint64(value) => Value::UInt(value),
        ParameterValue::Floating32(value) => Value::Float(value),
        ParameterValue::Floating64(value) => Value::Double(value),
        ParameterValue::Str(value) => Value::Bytes(value.into_bytes()),
        ParameterValue::Binary(value) => Value::Bytes(value),
        ParameterValue::DbNull => Value::NULL,
    }
}

/// What is said of columns.
pub(super) fn columns(columns: &[DriverColumn]) -> Vec<Column> {
    let column = |column: &DriverColumn| Column {
        name: column.name_str().into_owned(),
        data_type: data_type(column.column_type(), column.flags()),
    };
    columns.iter().map(column).collect()
}

fn data_type(of: ColumnType, flags: ColumnFlags) -> DbDataType {
    let unsigned = flags.contains(ColumnFlags::UNSIGNED_FLAG);
    let either = |signed, without| if unsigned { without } else { signed };
    match of {
        ColumnType::MYSQL_TYPE_TINY => either(DbDataType::Int8, DbDataType::Uint8),
        ColumnType::MYSQL_TYPE_SHORT => either(DbDataType::Int16, DbDataType::Uint16),
        ColumnType::MYSQL_TYPE_INT24 | ColumnType::MYSQL_TYPE_LONG => either(DbDataType::Int32, DbDataType::Uint32),
        ColumnType::MYSQL_TYPE_LONGLONG => either(DbDataType::Int64, DbDataType::Uint64),
        ColumnType::MYSQL_TYPE_FLOAT => DbDataType::Floating32,
        ColumnType::MYSQL_TYPE_DOUBLE => DbDataType::Floating64,
        ColumnType::MYSQL_TYPE_VARCHAR
        | ColumnType::MYSQL_TYPE_VAR_STRING
        | ColumnType::MYSQL_TYPE_STRING
        | ColumnType::MYSQL_TYPE_TINY_BLOB
        | ColumnType::MYSQL_TYPE_BLOB
        | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
        | ColumnType::MYSQL_TYPE_LONG_BLOB => {
            if flags.contains(ColumnFlags::BINARY_FLAG) {
                DbDataType::Binary
            } else {
                DbDataType::Str
            }
        }
        _ => DbDataType::Other,
    }
}

/// A row.
pub(super) fn row(row: DriverRow, columns: &[Column]) -> Result<Vec<DbValue>, Error> {
    let values = row.unwrap_raw().into_iter().zip(columns).map(|(found, column)| {
        value(found.unwrap_or(Value::NULL), column.data_type).ok_or_else(|| {
            let reason = format!("the value of column \"{}\" has a type that is not supported", column.name);
            Error::ValueConversionFailed(reason)
        })
    });
    values.collect()
}

/// About how many bytes a row takes.
pub(super) fn size(row: &[DbValue]) -> usize {
    let inside = row.iter().map(|value| match value {
        DbValue::Str(text) => text.len(),
        DbValue::Binary(bytes) => bytes.len(),
        _ => 0,
    });
    size_of_val(row) + inside.sum::<usize>()
}

/// A value as its column says; none if it has no such form. What comes in answer to an unprepared statement is text.
fn value(found: Value, of: DbDataType) -> Option<DbValue> {
    /// A whole number of a type.
    fn whole<T: TryFrom<i64> + TryFrom<u64> + std::str::FromStr>(found: &Value) -> Option<T> {
        match found {
            Value::Int(number) => T::try_from(*number).ok(),
            Value::UInt(number) => T::try_from(*number).ok(),
            Value::Bytes(text) => std::str::from_utf8(text).ok()?.parse().ok(),
            _ => None,
        }
    }
    if found == Value::NULL {
        return Some(DbValue::DbNull);
    }
    Some(match of {
        DbDataType::Boolean => DbValue::Boolean(whole::<i64>(&found)? != 0),
        DbDataType::Int8 => DbValue::Int8(whole(&found)?),
        DbDataType::Int16 => DbValue::Int16(whole(&found)?),
        DbDataType::Int32 => DbValue::Int32(whole(&found)?),
        DbDataType::Int64 => DbValue::Int64(whole(&found)?),
        DbDataType::Uint8 => DbValue::Uint8(whole(&found)?),
        DbDataType::Uint16 => DbValue::Uint16(whole(&found)?),
        DbDataType::Uint32 => DbValue::Uint32(whole(&found)?),
        DbDataType::Uint64 => DbValue::Uint64(whole(&found)?),
        DbDataType::Floating32 => DbValue::Floating32(match found {
            Value::Float(number) => number,
            Value::Bytes(text) => std::str::from_utf8(&text).ok()?.parse().ok()?,
            _ => return None,
        }),
        DbDataType::Floating64 => DbValue::Floating64(match found {
            Value::Double(number) => number,
            Value::Float(number) => f64::from(number),
            Value::Bytes(text) => std::str::from_utf8(&text).ok()?.parse().ok()?,
            _ => return None,
        }),
        DbDataType::Str => match found {
            Value::Bytes(text) => DbValue::Str(String::from_utf8(text).ok()?),
            _ => return None,
        },
        DbDataType::Binary => match found {
            Value::Bytes(bytes) => DbValue::Binary(bytes),
            _ => return None,
        },
        DbDataType::Other => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: Option<DbValue>) -> String {
        format!("{value:?}")
    }

    #[test]
    fn types_are_known_by_their_flags() {
        let (none, unsigned, binary) = (ColumnFlags::empty(), ColumnFlags::UNSIGNED_FLAG, ColumnFlags::BINARY_FLAG);
        for (of, flags, expected) in [
            (ColumnType::MYSQL_TYPE_TINY, none, DbDataType::Int8),
            (ColumnType::MYSQL_TYPE_TINY, unsigned, DbDataType::Uint8),
            (ColumnType::MYSQL_TYPE_INT24, none, DbDataType::Int32),
            (ColumnType::MYSQL_TYPE_LONG, unsigned, DbDataType::Uint32),
            (ColumnType::MYSQL_TYPE_LONGLONG, binary | unsigned, DbDataType::Uint64),
            (ColumnType::MYSQL_TYPE_DOUBLE, binary, DbDataType::Floating64),
            (ColumnType::MYSQL_TYPE_BLOB, none, DbDataType::Str),
            (ColumnType::MYSQL_TYPE_BLOB, binary, DbDataType::Binary),
            (ColumnType::MYSQL_TYPE_VAR_STRING, binary, DbDataType::Binary),
            (ColumnType::MYSQL_TYPE_STRING, none, DbDataType::Str),
            (ColumnType::MYSQL_TYPE_DATETIME, binary, DbDataType::Other),
            (ColumnType::MYSQL_TYPE_NEWDECIMAL, binary, DbDataType::Other),
            (ColumnType::MYSQL_TYPE_JSON, binary, DbDataType::Other),
        ] {
            assert_eq!(format!("{:?}", data_type(of, flags)), format!("{expected:?}"), "{of:?} {flags:?}");
        }
    }

    #[test]
    fn a_value_has_the_form_of_its_column_or_none() {
        assert_eq!(shown(value(Value::Int(-1), DbDataType::Int8)), shown(Some(DbValue::Int8(-1))));
        assert_eq!(shown(value(Value::Int(7), DbDataType::Uint64)), shown(Some(DbValue::Uint64(7))));
        assert_eq!(shown(value(Value::Bytes(b"-12".to_vec()), DbDataType::Int32)), shown(Some(DbValue::Int32(-12))));
        assert_eq!(
            shown(value(Value::Bytes(b"0.5".to_vec()), DbDataType::Floating32)),
            shown(Some(DbValue::Floating32(0.5)))
        );
        assert_eq!(shown(value(Value::NULL, DbDataType::Other)), shown(Some(DbValue::DbNull)));
        for (found, of) in [
            (Value::Int(300), DbDataType::Int8),
            (Value::Int(-1), DbDataType::Uint8),
            (Value::Bytes(vec![0xff]), DbDataType::Str),
            (Value::Bytes(b"1.5".to_vec()), DbDataType::Other),
            (Value::Date(2024, 2, 29, 0, 0, 0, 0), DbDataType::Other),
        ] {
            assert!(value(found.clone(), of).is_none(), "{found:?}");
        }
    }

    #[test]
    fn parameters_keep_their_sign() {
        assert_eq!(parameter(ParameterValue::Uint64(u64::MAX)), Value::UInt(u64::MAX));
        assert_eq!(parameter(ParameterValue::Int8(-1)), Value::Int(-1));
        assert_eq!(parameter(ParameterValue::Boolean(true)), Value::Int(1));
        assert_eq!(parameter(ParameterValue::DbNull), Value::NULL);
    }
}
