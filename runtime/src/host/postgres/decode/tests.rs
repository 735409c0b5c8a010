//! Values on their way to a server and back, in the forms that it documents.

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type};

use super::super::encode::{self, Parameter};
use super::super::v4::ParameterValue;
use super::*;

fn parameter(value: ParameterValue) -> Result<Parameter, String> {
    Ok(encode::parameters(vec![value])?.remove(0))
}

fn sent(given: ParameterValue, wanted: &Type) -> BytesMut {
    let mut bytes = BytesMut::new();
    let null = parameter(given).expect("a value").to_sql_checked(wanted, &mut bytes).expect("it fits");
    assert!(matches!(null, IsNull::No));
    bytes
}

fn read(of: &Type, bytes: &[u8]) -> Result<DbValue, Undecodable> {
    value(of, bytes, &mut Budget::new())
}

fn shown(value: &DbValue) -> String {
    format!("{value:?}")
}

#[test]
fn what_is_sent_is_read_as_the_same() {
    use RangeBoundKind::{Exclusive, Inclusive};
    macro_rules! same {
        ($($case:ident($value:expr), $of:expr;)*) => {$({
            let bytes = sent(ParameterValue::$case($value), &$of);
            let found = read(&$of, &bytes).expect("it was just written");
            assert_eq!(shown(&found), shown(&DbValue::$case($value)));
            assert_eq!(format!("{:?}", data_type(&$of)), format!("{:?}", DbDataType::$case));
        })*};
    }
    same! {
        Boolean(true), Type::BOOL;
        Boolean(false), Type::BOOL;
        Int16(-2), Type::INT2;
        Int32(i32::MIN), Type::INT4;
        Int64(i64::MAX), Type::INT8;
        Floating32(1.5), Type::FLOAT4;
        Floating64(-0.1), Type::FLOAT8;
        Str("håll".to_owned()), Type::TEXT;
        Str("x".to_owned()), Type::VARCHAR;
        Str("y".to_owned()), Type::BPCHAR;
        Binary(vec![0, 255]), Type::BYTEA;
        Date((1969, 7, 20)), Type::DATE;
        Time((23, 59, 1, 5_000)), Type::TIME;
        Datetime((2024, 2, 29, 12, 0, 0, 1_000)), Type::TIMESTAMP;
        Uuid("00112233-4455-6677-8899-aabbccddeeff".to_owned()), Type::UUID;
        Jsonb(br#"{"a": [1]}"#.to_vec()), Type::JSONB;
        Decimal("-12345678901234567890123456789012345.60".to_owned()), Type::NUMERIC;
        RangeInt32((Some((1, Inclusive)), Some((9, Exclusive)))), Type::INT4_RANGE;
        RangeInt32((None, Some((9, Inclusive)))), Type::INT4_RANGE;
        RangeInt64((Some((1, Exclusive)), None)), Type::INT8_RANGE;
        RangeDecimal((Some(("0.5".to_owned(), Inclusive)), Some(("1".to_owned(), Exclusive)))), Type::NUM_RANGE;
        ArrayInt32(vec![Some(1), None, Some(-1)]), Type::INT4_ARRAY;
        ArrayInt32(vec![]), Type::INT4_ARRAY;
        ArrayInt64(vec![Some(1)]), Type::INT8_ARRAY;
        ArrayDecimal(vec![Some("1.50".to_owned()), None]), Type::NUMERIC_ARRAY;
        ArrayStr(vec![Some(String::new()), None, Some("z".to_owned())]), Type::TEXT_ARRAY;
        Interval(Interval { micros: -1, days: 2, months: -3 }), Type::INTERVAL;
    }
}

#[test]
fn a_timestamp_is_read_as_utc() {
    let bytes = sent(ParameterValue::Timestamp(86_400), &Type::TIMESTAMPTZ);
    let found = read(&Type::TIMESTAMPTZ, &bytes).expect("a moment");
    assert_eq!(shown(&found), shown(&DbValue::Datetime((1970, 1, 2, 0, 0, 0, 0))));
}

#[test]
fn json_has_no_version() {
    assert_eq!(&sent(ParameterValue::Jsonb(b"1".to_vec()), &Type::JSON)[..], b"1");
    assert_eq!(&sent(ParameterValue::Jsonb(b"1".to_vec()), &Type::JSONB)[..], b"\x011");
    assert_eq!(&sent(ParameterValue::Int8(-1), &Type::CHAR)[..], [255]);
}

#[test]
fn a_value_goes_only_where_it_is_meant_to() {
    for (given, wanted, error) in [
        (ParameterValue::Int32(1), Type::INT8, "a value of the type int32 can't be used where the statement has int8"),
        (
            ParameterValue::Str(String::new()),
            Type::UUID,
            "a value of the type str can't be used where the statement has uuid",
        ),
        (
            ParameterValue::Timestamp(1),
            Type::TIMESTAMP,
            "a value of the type timestamp can't be used where the statement has timestamp",
        ),
        (
            ParameterValue::ArrayStr(vec![]),
            Type::INT4_ARRAY,
            "a value of the type array-str can't be used where the statement has _int4",
        ),
    ] {
        let mut bytes = BytesMut::new();
        let refused =
            parameter(given).expect("a value").to_sql_checked(&wanted, &mut bytes).err().expect("it doesn't fit");
        assert_eq!(refused.to_string(), error);
        assert!(bytes.is_empty());
    }
    let mut bytes = BytesMut::new();
    let null = parameter(ParameterValue::DbNull).expect("a value").to_sql_checked(&Type::POINT, &mut bytes);
    assert!(matches!(null, Ok(IsNull::Yes)));
}

#[test]
fn what_is_no_value_is_told_with_its_place() {
    for wrong in [
        ParameterValue::Uuid("no".to_owned()),
        ParameterValue::Decimal("1e5".to_owned()),
        ParameterValue::Date((2023, 2, 29)),
        ParameterValue::Jsonb(b"{".to_vec()),
        ParameterValue::ArrayDecimal(vec![None, Some("x".to_owned())]),
        ParameterValue::RangeDecimal((None, Some(("x".to_owned(), RangeBoundKind::Inclusive)))),
    ] {
        let error = encode::parameters(vec![ParameterValue::DbNull, wrong]).expect_err("it is no value");
        assert!(error.starts_with("parameter 2: "), "{error}");
    }
}

#[test]
fn a_type_that_guests_dont_have_comes_as_it_is() {
    assert_eq!(format!("{:?}", data_type(&Type::POINT)), format!("{:?}", DbDataType::Other("point".to_owned())));
    assert_eq!(shown(&read(&Type::POINT, &[1, 2]).expect("bytes")), shown(&DbValue::Unsupported(vec![1, 2])));
}

#[test]
fn an_empty_range_is_one_without_anything_between_its_ends() {
    let found = read(&Type::INT4_RANGE, &[EMPTY]).expect("a range");
    let (lower, upper) = (Some((0, RangeBoundKind::Inclusive)), Some((0, RangeBoundKind::Exclusive)));
    assert_eq!(shown(&found), shown(&DbValue::RangeInt32((lower, upper))));
}

#[test]
fn what_a_server_should_not_send_is_an_error() {
    let two_dimensions = [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 23];
    for (of, bytes) in [
        (Type::INT4, &[1, 2, 3][..]),
        (Type::TEXT, &[0xff]),
        (Type::JSONB, &[2, b'1']),
        (Type::INT4_RANGE, &[0, 0, 0, 0, 9, 1]),
        (Type::INT4_ARRAY, &two_dimensions),
        (Type::UUID, &[1]),
        (Type::DATE, &[0x7f, 0xff, 0xff, 0xff]),
    ] {
        assert!(read(&of, bytes).is_err(), "{of}");
    }
}

#[test]
fn what_a_value_takes_is_counted_before_it_is_made() {
    // `1e131071` comes in ten bytes.
    let number = [0, 1, 0x7f, 0xff, 0, 0, 0, 0, 3, 232];
    let mut budget = Budget::new();
    let mut made = 0;
    while value(&Type::NUMERIC, &number, &mut budget).is_ok() {
        made += 1;
    }
    assert_eq!(made, 1023);
    // Nulls in an array come in four bytes, and take more.
    let nulls = 1_000_000;
    let head = [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 1];
    let array: Vec<u8> = head.into_iter().chain(std::iter::repeat_n(255, 4 * nulls)).collect();
    let mut budget = Budget::new();
    assert!(value(&Type::TEXT_ARRAY, &array, &mut budget).is_ok());
    assert_eq!(budget.used(), nulls * size_of::<Option<String>>());
    let full = &mut Budget::new();
    full.take(crate::host::rows::MOST_BUFFERED - 1).expect("room");
    for (of, bytes) in [(Type::TEXT, &b"xy"[..]), (Type::BYTEA, b"xy"), (Type::POINT, b"xy"), (Type::JSONB, b"\x01{}")]
    {
        let error = value(&of, bytes, full).expect_err("there is no room");
        assert!(matches!(error, Undecodable::TooLarge(_)), "{of}");
    }
}
