//! The server's answers about entries of a stream.

use redis::{ErrorKind, RedisError, RedisResult, Value};

/// The fields of an entry, in their order; a name may occur twice.
pub(super) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its number.
    pub(super) id: String,
    /// None if it was deleted after it had been handed over.
    pub(super) fields: Option<Fields>,
}

/// The entries in an answer to `XREADGROUP` of one stream.
///
/// # Errors
/// For an answer that is none.
pub(super) fn of_read(answer: Value) -> RedisResult<Vec<Entry>> {
    match answer {
        // No entries in time.
        Value::Nil => Ok(Vec::new()),
        Value::Array(streams) => match <[Value; 1]>::try_from(streams) {
            Ok([Value::Array(stream)]) => entries(stream.into_iter().nth(1)),
            _ => Err(unexpected()),
        },
        _ => Err(unexpected()),
    }
}

/// The entries in an answer to `XAUTOCLAIM`.
///
/// # Errors
/// For an answer that is none.
pub(super) fn of_claim(answer: Value) -> RedisResult<Vec<Entry>> {
    match answer {
        Value::Array(parts) => entries(parts.into_iter().nth(1)),
        _ => Err(unexpected()),
    }
}

/// How often an entry was handed over, by the answer to `XPENDING` for it alone.
pub(super) fn deliveries(answer: &Value) -> u32 {
    let entry = match answer {
        Value::Array(entries) => entries.first(),
        _ => None,
    };
    match entry {
        Some(Value::Array(parts)) => match parts.get(3) {
            Some(Value::Int(count)) => u32::try_from(*count).unwrap_or(u32::MAX),
            _ => 1,
        },
        _ => 1,
    }
}

fn entries(value: Option<Value>) -> RedisResult<Vec<Entry>> {
    match value {
        // An entry that was deleted is nothing at all in the answers of Redis 6.2 to claims.
        Some(Value::Array(entries)) => entries.into_iter().filter(|entry| *entry != Value::Nil).map(entry).collect(),
        _ => Err(unexpected()),
    }
}

fn entry(value: Value) -> RedisResult<Entry> {
    let Value::Array(parts) = value else { return Err(unexpected()) };
    let Ok([Value::BulkString(id), fields]) = <[Value; 2]>::try_from(parts) else { return Err(unexpected()) };
    let id = String::from_utf8(id).map_err(|_| unexpected())?;
    let fields = match fields {
        Value::Nil => None,
        Value::Array(words) => Some(pairs(words)?),
        _ => return Err(unexpected()),
    };
    Ok(Entry { id, fields })
}

fn pairs(words: Vec<Value>) -> RedisResult<Fields> {
    let mut words = words.into_iter();
    let mut pairs = Vec::with_capacity(words.len() / 2);
    while let Some(name) = words.next() {
        match (name, words.next()) {
            (Value::BulkString(name), Some(Value::BulkString(value))) => pairs.push((name, value)),
            _ => return Err(unexpected()),
        }
    }
    Ok(pairs)
}

fn unexpected() -> RedisError {
    (ErrorKind::UnexpectedReturnType, "an answer about a stream has another form than expected").into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn array(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Array(values.into_iter().collect())
    }

    #[test]
    fn entries_are_read_with_their_fields_in_order() {
        let fields = array([text("b"), text("1"), text("a"), text("2")]);
        let entries = array([array([text("1-0"), fields]), array([text("2-0"), Value::Nil])]);
        let expected = [
            Entry {
                id: "1-0".to_owned(),
                fields: Some(vec![(b"b".to_vec(), b"1".to_vec()), (b"a".to_vec(), b"2".to_vec())]),
            },
            Entry { id: "2-0".to_owned(), fields: None },
        ];
        assert_eq!(of_read(array([array([text("s"), entries.clone()])])).unwrap(), expected);
        assert_eq!(of_claim(array([text("0-0"), entries, array([])])).unwrap(), expected);
        assert_eq!(of_read(Value::Nil).unwrap(), []);
        assert_eq!(of_claim(array([text("0-0"), array([Value::Nil])])).unwrap(), []);
    }

    #[test]
    fn other_answers_are_errors() {
        for answer in [text("x"), array([]), array([array([text("s"), text("x")])]), Value::Int(1)] {
            assert!(of_read(answer).is_err());
        }
        assert!(of_claim(array([text("0-0"), array([array([text("1-0"), array([text("odd")])])])])).is_err());
    }

    #[test]
    fn deliveries_are_the_fourth_part() {
        let entry = array([text("1-0"), text("consumer"), Value::Int(5), Value::Int(3)]);
        assert_eq!(deliveries(&array([entry])), 3);
        assert_eq!(deliveries(&array([])), 1);
    }
}
