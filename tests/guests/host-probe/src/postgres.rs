//! `postgres` in the generations before 4, and what all of them have in common. Every call but `open` and those that begin anew
//! is about the connection that was opened last.
//!
//! Parameters of statements are written as a case and its value (`int32:5`, `str:text`, `date:2024-2-29`,
//! `range-int32:[1,9)`, `array-str:a,null`, `null`), and values of rows are shown in the same way.

use crate::rdbms::{rdbms, table};
use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:postgres;
                 world imports {
                     import fermyon:spin/postgres;
                     import fermyon:spin/postgres@2.0.0;
                     import spin:postgres/postgres@3.0.0;
                 }",
        path: [
            "../../../wit/fermyon-spin",
            "../../../wit/fermyon-spin-2.0.0",
            "../../../wit/spin-postgres-3.0.0",
        ],
        generate_all,
    });
}

/// `1-2-3` as numbers.
pub fn numbers<const N: usize>(text: &str) -> [i64; N] {
    let mut numbers = text.split(['-', ':', ' ', '.']).map(|number| number.parse().expect("a number"));
    std::array::from_fn(|_| numbers.next().expect("enough numbers"))
}

pub fn small(number: i64) -> u8 {
    u8::try_from(number).expect("a small number")
}

rdbms!(v1, super::bindings::fermyon::spin::rdbms_types);
rdbms!(v2, super::bindings::fermyon::spin2_0_0::rdbms_types);

/// What 3.0.0 and 4 have in common.
macro_rules! versioned {
    ($($types:tt)*) => {
        pub use $($types)*::{Connection, DbDataType, DbValue, ParameterValue};

        pub fn parameters(words: &[&str]) -> Vec<ParameterValue> {
            words.iter().map(|word| parameter(word)).collect()
        }

        fn plain(case: &str, value: &str) -> Option<ParameterValue> {
            use $crate::postgres::{numbers, small};
            Some(match case {
                "boolean" => ParameterValue::Boolean(value == "true"),
                "int8" => ParameterValue::Int8(value.parse().expect("a number")),
                "int16" => ParameterValue::Int16(value.parse().expect("a number")),
                "int32" => ParameterValue::Int32(value.parse().expect("a number")),
                "int64" => ParameterValue::Int64(value.parse().expect("a number")),
                "floating32" => ParameterValue::Floating32(value.parse().expect("a number")),
                "floating64" => ParameterValue::Floating64(value.parse().expect("a number")),
                "str" => ParameterValue::Str(value.to_owned()),
                "binary" => ParameterValue::Binary(value.as_bytes().to_vec()),
                "date" => {
                    let [year, month, day] = numbers(value);
                    ParameterValue::Date((year as i32, small(month), small(day)))
                }
                "time" => {
                    let [hour, minute, second, nanos] = numbers(value);
                    ParameterValue::Time((small(hour), small(minute), small(second), nanos as u32))
                }
                "datetime" => {
                    let [year, month, day, hour, minute, second, nanos] = numbers(value);
                    let (hour, minute, second) = (small(hour), small(minute), small(second));
                    ParameterValue::Datetime((
                        year as i32,
                        small(month),
                        small(day),
                        hour,
                        minute,
                        second,
                        nanos as u32,
                    ))
                }
                "timestamp" => ParameterValue::Timestamp(value.parse().expect("a number")),
                _ => return None,
            })
        }

        fn plain_value(value: &DbValue) -> Option<String> {
            Some(match value {
                DbValue::Boolean(value) => format!("boolean:{value}"),
                DbValue::Int8(value) => format!("int8:{value}"),
                DbValue::Int16(value) => format!("int16:{value}"),
                DbValue::Int32(value) => format!("int32:{value}"),
                DbValue::Int64(value) => format!("int64:{value}"),
                DbValue::Floating32(value) => format!("floating32:{value}"),
                DbValue::Floating64(value) => format!("floating64:{value}"),
                DbValue::Str(value) => format!("str:{value}"),
                DbValue::Binary(value) => format!("binary:{}", value.escape_ascii()),
                DbValue::Date((year, month, day)) => format!("date:{year}-{month}-{day}"),
                DbValue::Time((hour, minute, second, nanos)) => format!("time:{hour}:{minute}:{second}.{nanos}"),
                DbValue::Datetime((year, month, day, hour, minute, second, nanos)) => {
                    format!("datetime:{year}-{month}-{day} {hour}:{minute}:{second}.{nanos}")
                }
                DbValue::Timestamp(value) => format!("timestamp:{value}"),
                DbValue::DbNull => "null".to_owned(),
                _ => return None,
            })
        }
    };
}

mod v3 {
    versioned!(super::bindings::spin::postgres::postgres);

    fn parameter(word: &str) -> ParameterValue {
        let (case, value) = word.split_once(':').unwrap_or((word, ""));
        plain(case, value).unwrap_or(ParameterValue::DbNull)
    }

    pub fn kind(kind: &DbDataType) -> String {
        let name = format!("{kind:?}");
        name.rsplit("::").next().unwrap_or_default().to_lowercase()
    }

    pub fn value(value: &DbValue) -> String {
        plain_value(value).unwrap_or_else(|| "unsupported".to_owned())
    }
}

/// What all of 4 have in common.
macro_rules! fourth {
    ($($types:tt)*) => {
        use $($types)*::{Interval, RangeBoundKind};
        $crate::postgres::versioned!($($types)*);

        type Bound<T> = Option<(T, RangeBoundKind)>;

        /// `[1,9)`; an end that isn't there is empty.
        fn range<T>(text: &str, read: impl Fn(&str) -> T) -> (Bound<T>, Bound<T>) {
            let (lower, upper) = text[1..text.len() - 1].split_once(',').expect("two ends");
            let kind = |inclusive| if inclusive { RangeBoundKind::Inclusive } else { RangeBoundKind::Exclusive };
            let bound = |end: &str, inclusive| (!end.is_empty()).then(|| (read(end), kind(inclusive)));
            (bound(lower, text.starts_with('[')), bound(upper, text.ends_with(']')))
        }

        fn shown_range<T: ToString>((lower, upper): &(Bound<T>, Bound<T>)) -> String {
            let end = |bound: &Bound<T>| bound.as_ref().map_or_else(String::new, |(end, _)| end.to_string());
            let inclusive = |bound: &Bound<T>| matches!(bound, Some((_, RangeBoundKind::Inclusive)));
            let open = if inclusive(lower) { '[' } else { '(' };
            let close = if inclusive(upper) { ']' } else { ')' };
            format!("{open}{},{}{close}", end(lower), end(upper))
        }

        fn array<T>(text: &str, read: impl Fn(&str) -> T) -> Vec<Option<T>> {
            let items = text.split(',').filter(|item| !item.is_empty());
            items.map(|item| (item != "null").then(|| read(item))).collect()
        }

        fn shown_array<T: ToString>(items: &[Option<T>]) -> String {
            let item = |item: &Option<T>| item.as_ref().map_or_else(|| "null".to_owned(), T::to_string);
            items.iter().map(item).collect::<Vec<_>>().join(",")
        }

        fn parameter(word: &str) -> ParameterValue {
            let (case, value) = word.split_once(':').unwrap_or((word, ""));
            if let Some(parameter) = plain(case, value) {
                return parameter;
            }
            let int32 = |text: &str| text.parse::<i32>().expect("a number");
            let int64 = |text: &str| text.parse::<i64>().expect("a number");
            match case {
                "uuid" => ParameterValue::Uuid(value.to_owned()),
                "jsonb" => ParameterValue::Jsonb(value.as_bytes().to_vec()),
                "decimal" => ParameterValue::Decimal(value.to_owned()),
                "range-int32" => ParameterValue::RangeInt32(range(value, int32)),
                "range-int64" => ParameterValue::RangeInt64(range(value, int64)),
                "range-decimal" => ParameterValue::RangeDecimal(range(value, str::to_owned)),
                "array-int32" => ParameterValue::ArrayInt32(array(value, int32)),
                "array-int64" => ParameterValue::ArrayInt64(array(value, int64)),
                "array-decimal" => ParameterValue::ArrayDecimal(array(value, str::to_owned)),
                "array-str" => ParameterValue::ArrayStr(array(value, str::to_owned)),
                "interval" => {
                    let parts: Vec<i64> = value.split(',').map(int64).collect();
                    ParameterValue::Interval(Interval { months: parts[0] as i32, days: parts[1] as i32, micros: parts[2] })
                }
                _ => ParameterValue::DbNull,
            }
        }

        pub fn kind(kind: &DbDataType) -> String {
            if let DbDataType::Other(name) = kind {
                return format!("other({name})");
            }
            let name = format!("{kind:?}");
            name.rsplit("::").next().unwrap_or_default().to_lowercase()
        }

        pub fn value(value: &DbValue) -> String {
            if let Some(shown) = plain_value(value) {
                return shown;
            }
            match value {
                DbValue::Uuid(value) => format!("uuid:{value}"),
                DbValue::Jsonb(value) => format!("jsonb:{}", value.escape_ascii()),
                DbValue::Decimal(value) => format!("decimal:{value}"),
                DbValue::RangeInt32(value) => format!("range-int32:{}", shown_range(value)),
                DbValue::RangeInt64(value) => format!("range-int64:{}", shown_range(value)),
                DbValue::RangeDecimal(value) => format!("range-decimal:{}", shown_range(value)),
                DbValue::ArrayInt32(value) => format!("array-int32:{}", shown_array(value)),
                DbValue::ArrayInt64(value) => format!("array-int64:{}", shown_array(value)),
                DbValue::ArrayDecimal(value) => format!("array-decimal:{}", shown_array(value)),
                DbValue::ArrayStr(value) => format!("array-str:{}", shown_array(value)),
                DbValue::Interval(value) => format!("interval:{},{},{}", value.months, value.days, value.micros),
                DbValue::Unsupported(value) => format!("unsupported:{}", value.escape_ascii()),
                _ => unreachable!("the others are shown above"),
            }
        }
    };
}

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::postgres;
    let call = |call: &[&str]| match call {
        ["query", address, statement, parameters @ ..] => {
            result(postgres::query(address, statement, &v1::parameters(parameters)).map(|found| table!(found, v1)))
        }
        ["execute", address, statement, parameters @ ..] => {
            result(postgres::execute(address, statement, &v1::parameters(parameters)))
        }
        // More calls than there are connections.
        ["query-many", address, times] => {
            let done =
                (0..times.parse().unwrap_or(0)).take_while(|_| postgres::query(address, "SELECT 1", &[]).is_ok());
            done.count().to_string()
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

macro_rules! connection_calls {
    ($module:ident, $connection:ty, $calls:expr) => {{
        let mut connection: Option<$connection> = None;
        let mut call = |call: &[&str]| match (call, &connection) {
            (["open", address], _) => result(<$connection>::open(address).map(|opened| connection = Some(opened))),
            (["query", statement, parameters @ ..], Some(connection)) => {
                let found = connection.query(statement, &$module::parameters(parameters));
                result(found.map(|found| table!(found, $module)))
            }
            (["execute", statement, parameters @ ..], Some(connection)) => {
                result(connection.execute(statement, &$module::parameters(parameters)))
            }
            (["close"], Some(_)) => {
                connection = None;
                "ok".to_owned()
            }
            (other, _) => unknown(other),
        };
        $calls.iter().map(|words| call(words)).collect()
    }};
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    connection_calls!(v2, bindings::fermyon::spin2_0_0::postgres::Connection, calls)
}

pub fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    connection_calls!(v3, v3::Connection, calls)
}

#[allow(unused_imports, reason = "each probe has its own generation of 4")]
pub(crate) use {connection_calls, fourth, versioned};
