//! What guests give for the parameters of a statement, as PostgreSQL reads it.
//!
//! The server says which type each parameter has. A value goes only to the types that are meant for it: a 32-bit number in
//! a column of 64-bit ones is an error, not a conversion. Null goes everywhere.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type};

use super::moment;
use super::numeric::Numeric;
use super::v4::{Interval, ParameterValue, RangeBoundKind};

/// A value that was looked at: what can be wrong with it without asking the server isn't.
#[derive(Debug)]
pub(super) enum Parameter {
    Boolean(bool),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Floating32(f32),
    Floating64(f64),
    Str(String),
    Binary(Vec<u8>),
    /// Days since 2000.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds since 2000, of no time zone.
    Datetime(i64),
    /// Microseconds since 2000, in UTC.
    Timestamp(i64),
    Uuid(uuid::Uuid),
    Jsonb(Vec<u8>),
    Decimal(Numeric),
    RangeInt32(Range<i32>),
    RangeInt64(Range<i64>),
    RangeDecimal(Range<Numeric>),
    ArrayInt32(Vec<Option<i32>>),
    ArrayInt64(Vec<Option<i64>>),
    ArrayDecimal(Vec<Option<Numeric>>),
    ArrayStr(Vec<Option<String>>),
    Interval(Interval),
    Null,
}

/// Lower and upper end; one that isn't there lets the range go on for ever.
type Range<T> = (Option<(T, RangeBoundKind)>, Option<(T, RangeBoundKind)>);

/// A value is meant for other types than the one that the statement has there.
#[derive(Debug, thiserror::Error)]
#[error("a value of the type {given} can't be used where the statement has {wanted}")]
struct Unfit {
    given: &'static str,
    wanted: String,
}

/// Looks at the values for a statement.
///
/// # Errors
/// In words for the guest, for the first one that can't be used anywhere.
pub(super) fn parameters(values: Vec<ParameterValue>) -> Result<Vec<Parameter>, String> {
    let numbered = values.into_iter().enumerate();
    numbered.map(|(at, value)| parameter(value).map_err(|error| format!("parameter {}: {error}", at + 1))).collect()
}

fn parameter(value: ParameterValue) -> Result<Parameter, Box<dyn StdError>> {
    Ok(match value {
        ParameterValue::Boolean(value) => Parameter::Boolean(value),
        ParameterValue::Int8(value) => Parameter::Int8(value),
        ParameterValue::Int16(value) => Parameter::Int16(value),
        ParameterValue::Int32(value) => Parameter::Int32(value),
        ParameterValue::Int64(value) => Parameter::Int64(value),
        ParameterValue::Floating32(value) => Parameter::Floating32(value),
        ParameterValue::Floating64(value) => Parameter::Floating64(value),
        ParameterValue::Str(value) => Parameter::Str(value),
        ParameterValue::Binary(value) => Parameter::Binary(value),
        ParameterValue::Date(value) => Parameter::Date(moment::days(value)?),
        ParameterValue::Time(value) => Parameter::Time(moment::micros(value)?),
        ParameterValue::Datetime(value) => Parameter::Datetime(moment::since(value)?),
        ParameterValue::Timestamp(value) => Parameter::Timestamp(moment::since_seconds(value)?),
        ParameterValue::Uuid(value) => Parameter::Uuid(uuid::Uuid::parse_str(&value)?),
        ParameterValue::Jsonb(value) => {
            serde_json::from_slice::<serde::de::IgnoredAny>(&value)?;
            Parameter::Jsonb(value)
        }
        ParameterValue::Decimal(value) => Parameter::Decimal(Numeric::parse(&value)?),
        ParameterValue::RangeInt32(value) => Parameter::RangeInt32(value),
        ParameterValue::RangeInt64(value) => Parameter::RangeInt64(value),
        ParameterValue::RangeDecimal((lower, upper)) => {
            let bound = |bound: Option<(String, RangeBoundKind)>| {
                bound.map(|(number, kind)| Numeric::parse(&number).map(|number| (number, kind))).transpose()
            };
            Parameter::RangeDecimal((bound(lower)?, bound(upper)?))
        }
        ParameterValue::ArrayInt32(value) => Parameter::ArrayInt32(value),
        ParameterValue::ArrayInt64(value) => Parameter::ArrayInt64(value),
        ParameterValue::ArrayDecimal(value) => {
            let item = |item: Option<String>| item.map(|number| Numeric::parse(&number)).transpose();
            Parameter::ArrayDecimal(value.into_iter().map(item).collect::<Result<_, _>>()?)
        }
        ParameterValue::ArrayStr(value) => Parameter::ArrayStr(value),
        ParameterValue::Interval(value) => Parameter::Interval(value),
        ParameterValue::DbNull => Parameter::Null,
    })
}

/// Types of text, also those that come with extensions.
fn is_text(wanted: &Type) -> bool {
    [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN].contains(wanted)
        || ["citext", "ltree", "lquery", "ltxtquery"].contains(&wanted.name())
}

impl Parameter {
    /// The name of the case, and whether it goes to a type.
    fn fits(&self, wanted: &Type) -> (&'static str, bool) {
        let items = |of: Type| matches!(wanted.kind(), Kind::Array(item) if *item == of);
        match self {
            Self::Boolean(_) => ("boolean", *wanted == Type::BOOL),
            Self::Int8(_) => ("int8", *wanted == Type::CHAR),
            Self::Int16(_) => ("int16", *wanted == Type::INT2),
            Self::Int32(_) => ("int32", *wanted == Type::INT4),
            Self::Int64(_) => ("int64", *wanted == Type::INT8),
            Self::Floating32(_) => ("floating32", *wanted == Type::FLOAT4),
            Self::Floating64(_) => ("floating64", *wanted == Type::FLOAT8),
            Self::Str(_) => ("str", is_text(wanted)),
            Self::Binary(_) => ("binary", *wanted == Type::BYTEA),
            Self::Date(_) => ("date", *wanted == Type::DATE),
            Self::Time(_) => ("time", *wanted == Type::TIME),
            Self::Datetime(_) => ("datetime", *wanted == Type::TIMESTAMP),
            Self::Timestamp(_) => ("timestamp", *wanted == Type::TIMESTAMPTZ),
            Self::Uuid(_) => ("uuid", *wanted == Type::UUID),
            Self::Jsonb(_) => ("jsonb", *wanted == Type::JSONB || *wanted == Type::JSON),
            Self::Decimal(_) => ("decimal", *wanted == Type::NUMERIC),
            Self::RangeInt32(_) => ("range-int32", *wanted == Type::INT4_RANGE),
            Self::RangeInt64(_) => ("range-int64", *wanted == Type::INT8_RANGE),
            Self::RangeDecimal(_) => ("range-decimal", *wanted == Type::NUM_RANGE),
            Self::ArrayInt32(_) => ("array-int32", items(Type::INT4)),
            Self::ArrayInt64(_) => ("array-int64", items(Type::INT8)),
            Self::ArrayDecimal(_) => ("array-decimal", items(Type::NUMERIC)),
            Self::ArrayStr(_) => ("array-str", matches!(wanted.kind(), Kind::Array(item) if is_text(item))),
            Self::Interval(_) => ("interval", *wanted == Type::INTERVAL),
            Self::Null => ("db-null", true),
        }
    }

    fn write(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Boolean(value) => out.put_u8(u8::from(*value)),
            Self::Int8(value) => out.put_i8(*value),
            Self::Int16(value) => out.put_i16(*value),
            Self::Int32(value) | Self::Date(value) => out.put_i32(*value),
            Self::Int64(value) | Self::Time(value) | Self::Datetime(value) | Self::Timestamp(value) => {
                out.put_i64(*value);
            }
            Self::Floating32(value) => out.put_f32(*value),
            Self::Floating64(value) => out.put_f64(*value),
            Self::Str(value) => return value.as_str().to_sql(wanted, out),
            Self::Binary(value) => out.put_slice(value),
            Self::Uuid(value) => out.put_slice(value.as_bytes()),
            Self::Jsonb(value) => {
                if *wanted == Type::JSONB {
                    // The version of its form.
                    out.put_u8(1);
                }
                out.put_slice(value);
            }
            Self::Decimal(value) => value.write(out),
            Self::RangeInt32(value) => range(value, out, |value, out| out.put_i32(*value))?,
            Self::RangeInt64(value) => range(value, out, |value, out| out.put_i64(*value))?,
            Self::RangeDecimal(value) => range(value, out, Numeric::write)?,
            Self::ArrayInt32(value) => array(value, wanted, out, |value, out| out.put_i32(*value))?,
            Self::ArrayInt64(value) => array(value, wanted, out, |value, out| out.put_i64(*value))?,
            Self::ArrayDecimal(value) => array(value, wanted, out, Numeric::write)?,
            Self::ArrayStr(value) => array(value, wanted, out, |value, out| out.put_slice(value.as_bytes()))?,
            Self::Interval(value) => {
                out.put_i64(value.micros);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Self::Null => return Ok(IsNull::Yes),
        }
        Ok(IsNull::No)
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self.fits(wanted) {
            (_, true) => self.write(wanted, out),
            (given, false) => Err(Box::new(Unfit { given, wanted: wanted.name().to_owned() })),
        }
    }

    /// Which types it goes to depends on the value.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.to_sql(wanted, out)
    }
}

/// Bits of the first byte of a range.
pub(super) const LOWER_INCLUSIVE: u8 = 0x02;
pub(super) const UPPER_INCLUSIVE: u8 = 0x04;
pub(super) const LOWER_INFINITE: u8 = 0x08;
pub(super) const UPPER_INFINITE: u8 = 0x10;

fn range<T>(
    (lower, upper): &Range<T>,
    out: &mut BytesMut,
    write: impl Fn(&T, &mut BytesMut),
) -> Result<(), Box<dyn StdError + Sync + Send>> {
    let flag = |bound: &Option<(T, RangeBoundKind)>, inclusive, infinite| match bound {
        None => infinite,
        Some((_, RangeBoundKind::Inclusive)) => inclusive,
        Some((_, RangeBoundKind::Exclusive)) => 0,
    };
    out.put_u8(flag(lower, LOWER_INCLUSIVE, LOWER_INFINITE) | flag(upper, UPPER_INCLUSIVE, UPPER_INFINITE));
    for (value, _) in [lower, upper].into_iter().flatten() {
        with_length(out, |out| write(value, out))?;
    }
    Ok(())
}

fn array<T>(
    items: &[Option<T>],
    wanted: &Type,
    out: &mut BytesMut,
    write: impl Fn(&T, &mut BytesMut),
) -> Result<(), Box<dyn StdError + Sync + Send>> {
    let Kind::Array(item) = wanted.kind() else { return Err("this is no array".into()) };
    // An array without items has no dimension.
    out.put_i32(i32::from(!items.is_empty()));
    out.put_i32(i32::from(items.iter().any(Option::is_none)));
    out.put_u32(item.oid());
    if !items.is_empty() {
        out.put_i32(i32::try_from(items.len())?);
        // Where counting begins.
        out.put_i32(1);
    }
    for item in items {
        match item {
            Some(item) => with_length(out, |out| write(item, out))?,
            None => out.put_i32(-1),
        }
    }
    Ok(())
}

/// Puts the length in front of what is written.
fn with_length(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Result<(), Box<dyn StdError + Sync + Send>> {
    let at = out.len();
    out.put_i32(0);
    write(out);
    let length = i32::try_from(out.len() - at - 4)?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}
