//! What PostgreSQL sends, as guests of `spin:postgres@4` have it.

use std::error::Error as StdError;

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, Kind, Type};

use super::encode::{LOWER_INCLUSIVE, LOWER_INFINITE, UPPER_INCLUSIVE, UPPER_INFINITE};
use super::numeric::{NoDecimal, Numeric};
use super::v4::{Column, DbDataType, DbValue, Interval, RangeBoundKind};
use super::{Error, error, moment};

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
}

/// The columns of a row.
pub(super) fn columns(row: &Row) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

/// A row, and about how many bytes it takes.
pub(super) fn row(row: &Row) -> Result<(Vec<DbValue>, usize), Error> {
    let values = row.columns().iter().enumerate().map(|(at, column)| {
        let raw = row.try_get::<_, Raw<'_>>(at).map_err(|error| error::query(&error))?;
        let named = |error| error::query_text(format!("column \"{}\": {error}", column.name()));
        raw.0.map_or(Ok(DbValue::DbNull), |bytes| value(column.type_(), bytes)).map_err(named)
    });
    let values: Vec<DbValue> = values.collect::<Result<_, _>>()?;
    let bytes = row.raw_size_bytes() + values.len() * size_of::<DbValue>();
    Ok((values, bytes))
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

/// Which case a type is, and how values of it are read.
struct Decoder {
    data_type: DbDataType,
    read: fn(&[u8]) -> Result<DbValue, Undecodable>,
}

/// What is said of the type of a column.
fn data_type(of: &Type) -> DbDataType {
    decoder(of).map_or_else(|| DbDataType::Other(of.name().to_owned()), |decoder| decoder.data_type)
}

fn value(of: &Type, bytes: &[u8]) -> Result<DbValue, Undecodable> {
    match decoder(of) {
        Some(decoder) => (decoder.read)(bytes),
        None => Ok(DbValue::Unsupported(bytes.to_vec())),
    }
}

fn decoder(of: &Type) -> Option<Decoder> {
    let as_is = |data_type, read| Some(Decoder { data_type, read });
    if let Kind::Array(item) = of.kind() {
        return match *item {
            Type::INT4 => as_is(DbDataType::ArrayInt32, |bytes| Ok(DbValue::ArrayInt32(array(bytes, int32)?))),
            Type::INT8 => as_is(DbDataType::ArrayInt64, |bytes| Ok(DbValue::ArrayInt64(array(bytes, int64)?))),
            Type::NUMERIC => as_is(DbDataType::ArrayDecimal, |bytes| Ok(DbValue::ArrayDecimal(array(bytes, decimal)?))),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR => {
                as_is(DbDataType::ArrayStr, |bytes| Ok(DbValue::ArrayStr(array(bytes, text)?)))
            }
            _ => None,
        };
    }
    match *of {
        Type::BOOL => as_is(DbDataType::Boolean, |bytes| Ok(DbValue::Boolean(fixed::<1>(bytes)? != [0]))),
        Type::BYTEA => as_is(DbDataType::Binary, |bytes| Ok(DbValue::Binary(bytes.to_vec()))),
        Type::FLOAT4 => {
            as_is(DbDataType::Floating32, |bytes| Ok(DbValue::Floating32(f32::from_be_bytes(fixed(bytes)?))))
        }
        Type::FLOAT8 => {
            as_is(DbDataType::Floating64, |bytes| Ok(DbValue::Floating64(f64::from_be_bytes(fixed(bytes)?))))
        }
        Type::INT2 => as_is(DbDataType::Int16, |bytes| Ok(DbValue::Int16(i16::from_be_bytes(fixed(bytes)?)))),
        Type::INT4 => as_is(DbDataType::Int32, |bytes| Ok(DbValue::Int32(int32(bytes)?))),
        Type::INT8 => as_is(DbDataType::Int64, |bytes| Ok(DbValue::Int64(int64(bytes)?))),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => as_is(DbDataType::Str, |bytes| Ok(DbValue::Str(text(bytes)?))),
        // One with a time zone is sent in UTC.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            as_is(DbDataType::Datetime, |bytes| Ok(DbValue::Datetime(moment::date_time(int64(bytes)?)?)))
        }
        Type::DATE => as_is(DbDataType::Date, |bytes| Ok(DbValue::Date(moment::date(int32(bytes)?)?))),
        Type::TIME => as_is(DbDataType::Time, |bytes| Ok(DbValue::Time(moment::time(int64(bytes)?)?))),
        Type::UUID => {
            as_is(DbDataType::Uuid, |bytes| Ok(DbValue::Uuid(uuid::Uuid::from_bytes(fixed(bytes)?).to_string())))
        }
        Type::JSONB => as_is(DbDataType::Jsonb, jsonb),
        Type::NUMERIC => as_is(DbDataType::Decimal, |bytes| Ok(DbValue::Decimal(decimal(bytes)?))),
        Type::INT4_RANGE => as_is(DbDataType::RangeInt32, |bytes| Ok(DbValue::RangeInt32(range(bytes, int32, &0)?))),
        Type::INT8_RANGE => as_is(DbDataType::RangeInt64, |bytes| Ok(DbValue::RangeInt64(range(bytes, int64, &0)?))),
        Type::NUM_RANGE => {
            as_is(DbDataType::RangeDecimal, |bytes| Ok(DbValue::RangeDecimal(range(bytes, decimal, &"0".to_owned())?)))
        }
        Type::INTERVAL => as_is(DbDataType::Interval, interval),
        _ => None,
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Undecodable> {
    bytes.try_into().map_err(|_| Undecodable::Malformed)
}

fn int32(bytes: &[u8]) -> Result<i32, Undecodable> {
    Ok(i32::from_be_bytes(fixed(bytes)?))
}

fn int64(bytes: &[u8]) -> Result<i64, Undecodable> {
    Ok(i64::from_be_bytes(fixed(bytes)?))
}

fn text(bytes: &[u8]) -> Result<String, Undecodable> {
    Ok(std::str::from_utf8(bytes)?.to_owned())
}

fn decimal(bytes: &[u8]) -> Result<String, Undecodable> {
    Ok(Numeric::read(bytes)?.to_string())
}

fn jsonb(bytes: &[u8]) -> Result<DbValue, Undecodable> {
    // The version of its form comes first; there is one.
    match bytes.split_first() {
        Some((1, json)) => Ok(DbValue::Jsonb(json.to_vec())),
        _ => Err(Undecodable::Malformed),
    }
}

fn interval(bytes: &[u8]) -> Result<DbValue, Undecodable> {
    let mut bytes = Cut(bytes);
    let micros = int64(bytes.take(8)?)?;
    let days = int32(bytes.take(4)?)?;
    let months = int32(bytes.take(4)?)?;
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

    /// What has its length in front; none is null.
    fn item(&mut self) -> Result<Option<&'a [u8]>, Undecodable> {
        match int32(self.take(4)?)? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Undecodable::Malformed)?).map(Some),
        }
    }
}

type Bound<T> = Option<(T, RangeBoundKind)>;

/// A range with nothing in it has no ends; guests get one from `zero` to before it, where there is nothing either.
fn range<T: Clone>(
    bytes: &[u8],
    read: fn(&[u8]) -> Result<T, Undecodable>,
    zero: &T,
) -> Result<(Bound<T>, Bound<T>), Undecodable> {
    let mut bytes = Cut(bytes);
    let [flags] = fixed(bytes.take(1)?)?;
    if flags & EMPTY != 0 {
        return Ok((Some((zero.clone(), RangeBoundKind::Inclusive)), Some((zero.clone(), RangeBoundKind::Exclusive))));
    }
    let mut bound = |inclusive, infinite| {
        if flags & infinite != 0 {
            return Ok(None);
        }
        let kind = if flags & inclusive == 0 { RangeBoundKind::Exclusive } else { RangeBoundKind::Inclusive };
        let end = bytes.item()?.ok_or(Undecodable::Malformed)?;
        Ok::<_, Undecodable>(Some((read(end)?, kind)))
    };
    Ok((bound(LOWER_INCLUSIVE, LOWER_INFINITE)?, bound(UPPER_INCLUSIVE, UPPER_INFINITE)?))
}

fn array<T>(bytes: &[u8], read: fn(&[u8]) -> Result<T, Undecodable>) -> Result<Vec<Option<T>>, Undecodable> {
    let mut bytes = Cut(bytes);
    let dimensions = int32(bytes.take(4)?)?;
    // Whether there are nulls, and the type of the items.
    bytes.take(8)?;
    match dimensions {
        0 => return Ok(Vec::new()),
        1 => bytes.take(8)?,
        _ => return Err(Undecodable::Dimensions),
    };
    let mut items = Vec::new();
    while !bytes.0.is_empty() {
        items.push(bytes.item()?.map(read).transpose()?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
