//! What PostgreSQL sends, as guests of `spin:postgres@4` have it.

use std::error::Error as StdError;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

use super::encode::{LOWER_INCLUSIVE, LOWER_INFINITE, UPPER_INCLUSIVE, UPPER_INFINITE};
use super::numeric::{NoDecimal, Numeric};
use super::v4::{Column, DbDataType, DbValue, Interval, RangeBoundKind};
use super::{Error, error, moment};
use crate::host::rows::{Budget, TooLarge};

/// The first byte of a range in which there is nothing.
const EMPTY: u8 = 0x01;

/// Why a value is not given to a guest.
#[derive(Debug, thiserror::Error)]
enum Undecodable {
    #[error(transparent)]
    Moment(#[from] moment::NoSuchMoment),
    #[error(transparent)]
    Decimal(#[from] NoDecimal),
    #[error("a text is not UTF-8")]
    Text(#[from] std::str::Utf8Error),
    #[error("arrays with more than one dimension are not supported")]
    Dimensions,
    #[error("the server sent something else than it should")]
    Malformed,
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// The columns of a row.
pub(super) fn columns(row: &Row) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

/// A row. What its values take is counted before they are made: some are much larger than what was sent of them.
pub(super) fn row(row: &Row, budget: &mut Budget) -> Result<Vec<DbValue>, Error> {
    budget.take(row.len() * size_of::<DbValue>())?;
    let values = row.columns().iter().enumerate().map(|(at, column)| {
        let raw = row.try_get::<_, Raw<'_>>(at).map_err(|error| error::query(&error))?;
        let read = raw.0.map_or(Ok(DbValue::DbNull), |bytes| value(column.type_(), bytes, budget));
        read.map_err(|error| match error {
            Undecodable::TooLarge(error) => error.into(),
            error => error::query_text(format!("column \"{}\": {error}", column.name())),
        })
    });
    values.collect()
}

/// What was sent, of whatever type.
struct Raw<'a>(Option<&'a [u8]>);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// Reads a value, for which there must be room.
type Read<T> = fn(&[u8], &mut Budget) -> Result<T, Undecodable>;

/// Which case a type is, and how values of it are read.
struct Decoder {
    data_type: DbDataType,
    read: Read<DbValue>,
}

/// What is said of the type of a column.
fn data_type(of: &Type) -> DbDataType {
    decoder(of).map_or_else(|| DbDataType::Other(of.name().to_owned()), |decoder| decoder.data_type)
}

fn value(of: &Type, bytes: &[u8], budget: &mut Budget) -> Result<DbValue, Undecodable> {
    match decoder(of) {
        Some(decoder) => (decoder.read)(bytes, budget),
        None => Ok(DbValue::Unsupported(binary(bytes, budget)?)),
    }
}

fn decoder(of: &Type) -> Option<Decoder> {
    let as_is = |data_type, read| Some(Decoder { data_type, read });
    if let Kind::Array(item) = of.kind() {
        return match *item {
            Type::INT4 => as_is(DbDataType::ArrayInt32, |it, room| Ok(DbValue::ArrayInt32(array(it, room, int32)?))),
            Type::INT8 => as_is(DbDataType::ArrayInt64, |it, room| Ok(DbValue::ArrayInt64(array(it, room, int64)?))),
            Type::NUMERIC => {
                as_is(DbDataType::ArrayDecimal, |it, room| Ok(DbValue::ArrayDecimal(array(it, room, decimal)?)))
            }
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => {
                as_is(DbDataType::ArrayStr, |it, room| Ok(DbValue::ArrayStr(array(it, room, text)?)))
            }
            _ => None,
        };
    }
    match *of {
        Type::BOOL => as_is(DbDataType::Boolean, |it, _| Ok(DbValue::Boolean(fixed::<1>(it)? != [0]))),
        Type::BYTEA => as_is(DbDataType::Binary, |it, room| Ok(DbValue::Binary(binary(it, room)?))),
        Type::FLOAT4 => as_is(DbDataType::Floating32, |it, _| Ok(DbValue::Floating32(f32::from_be_bytes(fixed(it)?)))),
        Type::FLOAT8 => as_is(DbDataType::Floating64, |it, _| Ok(DbValue::Floating64(f64::from_be_bytes(fixed(it)?)))),
        Type::INT2 => as_is(DbDataType::Int16, |it, _| Ok(DbValue::Int16(i16::from_be_bytes(fixed(it)?)))),
        Type::INT4 => as_is(DbDataType::Int32, |it, room| Ok(DbValue::Int32(int32(it, room)?))),
        Type::INT8 => as_is(DbDataType::Int64, |it, room| Ok(DbValue::Int64(int64(it, room)?))),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => {
            as_is(DbDataType::Str, |it, room| Ok(DbValue::Str(text(it, room)?)))
        }
        // One with a time zone is sent in UTC.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            as_is(DbDataType::Datetime, |it, room| Ok(DbValue::Datetime(moment::date_time(int64(it, room)?)?)))
        }
        Type::DATE => as_is(DbDataType::Date, |it, room| Ok(DbValue::Date(moment::date(int32(it, room)?)?))),
        Type::TIME => as_is(DbDataType::Time, |it, room| Ok(DbValue::Time(moment::time(int64(it, room)?)?))),
        Type::UUID => as_is(DbDataType::Uuid, |it, room| {
            let id = uuid::Uuid::from_bytes(fixed(it)?);
            room.take(uuid::fmt::Hyphenated::LENGTH)?;
            Ok(DbValue::Uuid(id.to_string()))
        }),
        Type::JSONB => as_is(DbDataType::Jsonb, jsonb),
        Type::NUMERIC => as_is(DbDataType::Decimal, |it, room| Ok(DbValue::Decimal(decimal(it, room)?))),
        Type::INT4_RANGE => {
            as_is(DbDataType::RangeInt32, |it, room| Ok(DbValue::RangeInt32(range(it, room, int32, &0)?)))
        }
        Type::INT8_RANGE => {
            as_is(DbDataType::RangeInt64, |it, room| Ok(DbValue::RangeInt64(range(it, room, int64, &0)?)))
        }
        Type::NUM_RANGE => as_is(DbDataType::RangeDecimal, |it, room| {
            Ok(DbValue::RangeDecimal(range(it, room, decimal, &"0".to_owned())?))
        }),
        Type::INTERVAL => as_is(DbDataType::Interval, interval),
        _ => None,
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable::Malformed)
}

fn int32(bytes: &[u8], _: &mut Budget) -> Result<i32, Undecodable> {
    Ok(i32::from_be_bytes(fixed(bytes)?))
}

fn int64(bytes: &[u8], _: &mut Budget) -> Result<i64, Undecodable> {
    Ok(i64::from_be_bytes(fixed(bytes)?))
}

fn binary(bytes: &[u8], room: &mut Budget) -> Result<Vec<u8>, Undecodable> {
    room.take(bytes.len())?;
    Ok(bytes.to_vec())
}

fn text(bytes: &[u8], room: &mut Budget) -> Result<String, Undecodable> {
    room.take(bytes.len())?;
    Ok(std::str::from_utf8(bytes)?.to_owned())
}

fn decimal(bytes: &[u8], room: &mut Budget) -> Result<String, Undecodable> {
    let number = Numeric::read(bytes)?;
    room.take(number.text_length())?;
    Ok(number.to_string())
}

fn jsonb(bytes: &[u8], room: &mut Budget) -> Result<DbValue, Undecodable> {
    // The version of its form comes first; there is one.
    match bytes.split_first() {
        Some((1, json)) => Ok(DbValue::Jsonb(binary(json, room)?)),
        _ => Err(Undecodable::Malformed),
    }
}

fn interval(bytes: &[u8], _: &mut Budget) -> Result<DbValue, Undecodable> {
    let mut bytes = Cut(bytes);
    let (micros, days, months) = (i64::from_be_bytes(bytes.fixed()?), bytes.int32()?, bytes.int32()?);
    Ok(DbValue::Interval(Interval { micros, days, months }))
}

/// Takes bytes from the front.
struct Cut<'a>(&'a [u8]);

impl<'a> Cut<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Undecodable> {
        let (front, rest) = self.0.split_at_checked(count).ok_or(Undecodable::Malformed)?;
        self.0 = rest;
        Ok(front)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Undecodable> {
        fixed(self.take(N)?)
    }

    fn int32(&mut self) -> Result<i32, Undecodable> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    /// What has its length in front; none is null.
    fn item(&mut self) -> Result<Option<&'a [u8]>, Undecodable> {
        match self.int32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Undecodable::Malformed)?).map(Some),
        }
    }
}

type Bound<T> = Option<(T, RangeBoundKind)>;

/// A range with nothing in it has no ends; guests get one from `zero` to before it, where there is nothing either.
fn range<T: Clone>(
    bytes: &[u8],
    room: &mut Budget,
    read: Read<T>,
    zero: &T,
) -> Result<(Bound<T>, Bound<T>), Undecodable> {
    let mut bytes = Cut(bytes);
    let [flags] = bytes.fixed()?;
    if flags & EMPTY != 0 {
        return Ok((Some((zero.clone(), RangeBoundKind::Inclusive)), Some((zero.clone(), RangeBoundKind::Exclusive))));
    }
    let mut bound = |inclusive, infinite| {
        if flags & infinite != 0 {
            return Ok(None);
        }
        let kind = if flags & inclusive == 0 { RangeBoundKind::Exclusive } else { RangeBoundKind::Inclusive };
        let end = bytes.item()?.ok_or(Undecodable::Malformed)?;
        Ok::<_, Undecodable>(Some((read(end, room)?, kind)))
    };
    Ok((bound(LOWER_INCLUSIVE, LOWER_INFINITE)?, bound(UPPER_INCLUSIVE, UPPER_INFINITE)?))
}

fn array<T>(bytes: &[u8], room: &mut Budget, read: Read<T>) -> Result<Vec<Option<T>>, Undecodable> {
    let mut bytes = Cut(bytes);
    let dimensions = bytes.int32()?;
    // Whether there are nulls, and the type of the items.
    bytes.take(8)?;
    match dimensions {
        0 => return Ok(Vec::new()),
        1 => bytes.take(8)?,
        _ => return Err(Undecodable::Dimensions),
    };
    let mut items = Vec::new();
    while !bytes.0.is_empty() {
        room.take(size_of::<Option<T>>())?;
        items.push(bytes.item()?.map(|item| read(item, room)).transpose()?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
