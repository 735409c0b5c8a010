//! The JSON of libsql's protocol over HTTP (Hrana 3). A statement is asked of a *cursor*: a batch goes, and its answer comes
//! one line a row. Whatever else is done goes in a *pipeline*, answered as a whole. Integers are texts, because JSON's numbers
//! hold no 64 bits; a blob is base64.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::super::{Failure, RowResult, Value};

/// Servers leave out the padding, or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is done as a whole, and on which connection.
#[derive(Serialize)]
pub(super) struct Pipeline<'a> {
    pub(super) baton: Option<&'a str>,
    pub(super) requests: &'a [Request<'a>],
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Request<'a> {
    /// Several statements, whose rows nobody wants.
    Sequence { sql: &'a str },
    /// Whether no transaction is open.
    GetAutocommit,
    /// The end of the connection.
    Close,
}

/// Statements whose rows come one by one, and on which connection.
#[derive(Serialize)]
pub(super) struct Cursor<'a> {
    baton: Option<&'a str>,
    batch: Batch<'a>,
}

/// The step of a batch that is the guest's statement, and the one that is done when no transaction is open after it: a cursor
/// has no other way to tell.
pub(super) const STATEMENT: u32 = 0;
pub(super) const AUTOCOMMIT: u32 = 1;

impl<'a> Cursor<'a> {
    pub(super) fn new(baton: Option<&'a str>, sql: &'a str, args: &'a [Cell]) -> Self {
        let statement = Step { condition: None, stmt: Statement { sql, args, want_rows: true } };
        let tells = Statement { sql: "SELECT 1", args: &[], want_rows: false };
        let autocommit = Step { condition: Some(Condition::IsAutocommit), stmt: tells };
        Self { baton, batch: Batch { steps: [statement, autocommit] } }
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    steps: [Step<'a>; 2],
}

#[derive(Serialize)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    stmt: Statement<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Condition {
    IsAutocommit,
}

#[derive(Serialize)]
struct Statement<'a> {
    sql: &'a str,
    args: &'a [Cell],
    want_rows: bool,
}

/// A value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Cell {
    Null,
    Integer {
        value: String,
    },
    /// Nothing for an infinite number.
    Float {
        value: Option<f64>,
    },
    Text {
        value: String,
    },
    Blob {
        base64: String,
    },
}

impl TryFrom<Value> for Cell {
    type Error = Failure;

    fn try_from(value: Value) -> Result<Self, Failure> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer { value: number.to_string() },
            // As SQLite takes it.
            Value::Real(value) if value.is_nan() => Self::Null,
            Value::Real(value) if value.is_infinite() => {
                return Err(Failure("an infinite number can't be sent to the server".to_owned()));
            }
            Value::Real(value) => Self::Float { value: Some(value) },
            Value::Text(value) => Self::Text { value },
            Value::Blob(bytes) => Self::Blob { base64: BASE64.encode(bytes) },
        })
    }
}

impl TryFrom<Cell> for Value {
    type Error = Failure;

    fn try_from(cell: Cell) -> Result<Self, Failure> {
        Ok(match cell {
            Cell::Null => Self::Null,
            Cell::Integer { value } => Self::Integer(
                value.parse().map_err(|_| Failure("the server answers with an integer that is none".to_owned()))?,
            ),
            Cell::Float { value } => Self::Real(
                value.ok_or_else(|| Failure("the server answers with a number that it can't send".to_owned()))?,
            ),
            Cell::Text { value } => Self::Text(value),
            Cell::Blob { base64 } => Self::Blob(
                BASE64.decode(base64).map_err(|error| Failure(format!("the server answers with a blob: {error}")))?,
            ),
        })
    }
}

/// Where a connection is from now on: the beginning of what a pipeline answers, and a cursor's first line.
#[derive(Deserialize)]
pub(super) struct Place {
    /// Names the connection in the next request; without one it is closed.
    pub(super) baton: Option<String>,
    /// Where the connection is to be asked for from now on.
    pub(super) base_url: Option<String>,
}

/// What a pipeline answers.
#[derive(Deserialize)]
pub(super) struct Answers {
    #[serde(flatten)]
    pub(super) place: Place,
    pub(super) results: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outcome {
    Ok { response: Response },
    Error { error: ServerError },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Response {
    GetAutocommit {
        is_autocommit: bool,
    },
    #[serde(other)]
    Other,
}

/// What went wrong, in the server's words; also the body of an answer with a status that tells of an error, where some
/// servers have another name for it.
#[derive(Deserialize)]
pub(super) struct ServerError {
    #[serde(alias = "error")]
    pub(super) message: String,
}

/// A line of what a cursor answers, after the first.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Entry {
    StepBegin {
        step: u32,
        cols: Vec<Column>,
    },
    Row {
        row: Vec<Cell>,
    },
    StepEnd {
        #[serde(default)]
        affected_row_count: u64,
        #[serde(default, alias = "last_inserted_rowid")]
        last_insert_rowid: Option<RowId>,
    },
    StepError {
        step: u32,
        error: ServerError,
    },
    /// Of the batch as a whole, and the last line.
    Error {
        error: ServerError,
    },
    /// What only other clients need.
    #[serde(other)]
    Other,
}

/// By the specification a text, as all integers; of the public server a number.
pub(super) struct RowId(pub(super) i64);

impl<'de> Deserialize<'de> for RowId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelled {
            Number(i64),
            Text(String),
        }
        match Spelled::deserialize(deserializer)? {
            Spelled::Number(id) => Ok(Self(id)),
            Spelled::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Column {
    name: Option<String>,
}

impl From<Column> for String {
    fn from(column: Column) -> Self {
        column.name.unwrap_or_default()
    }
}

/// Values as they are sent.
///
/// # Errors
/// For an infinite number, which JSON doesn't have.
pub(super) fn cells(values: Vec<Value>) -> Result<Vec<Cell>, Failure> {
    values.into_iter().map(Cell::try_from).collect()
}

/// A row, and about how many bytes it has.
pub(super) fn row(cells: Vec<Cell>) -> Result<(RowResult, usize), Failure> {
    let mut bytes = size_of::<RowResult>();
    let mut values = Vec::with_capacity(cells.len());
    for cell in cells {
        let value = Value::try_from(cell)?;
        bytes += size_of::<Value>() + held(&value);
        values.push(value);
    }
    Ok((RowResult { values }, bytes))
}

/// Bytes of a value beside itself.
fn held(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
        Value::Null | Value::Integer(_) | Value::Real(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_come_as_they_are() {
        for (value, json) in [
            (Value::Null, r#"{"type":"null"}"#),
            (Value::Integer(i64::MIN), r#"{"type":"integer","value":"-9223372036854775808"}"#),
            (Value::Real(0.5), r#"{"type":"float","value":0.5}"#),
            (Value::Text("ä".to_owned()), r#"{"type":"text","value":"ä"}"#),
            (Value::Blob(vec![255]), r#"{"type":"blob","base64":"/w"}"#),
        ] {
            let shown = format!("{value:?}");
            assert_eq!(serde_json::to_string(&Cell::try_from(value).expect("a cell")).expect("JSON"), json);
            let cell: Cell = serde_json::from_str(json).expect("a value");
            assert_eq!(format!("{:?}", Value::try_from(cell).expect("a value")), shown);
        }
        assert!(matches!(Cell::try_from(Value::Real(f64::NAN)), Ok(Cell::Null)));
        assert!(
            Cell::try_from(Value::Real(f64::INFINITY)).is_err()
                && Value::try_from(Cell::Float { value: None }).is_err()
        );
        let padded: Cell = serde_json::from_str(r#"{"type":"blob","base64":"/w=="}"#).expect("a value");
        assert!(matches!(Value::try_from(padded), Ok(Value::Blob(bytes)) if bytes == [255]));
    }

    #[test]
    fn a_statement_is_asked_with_one_more_that_tells_of_a_transaction() {
        let arguments = cells(vec![Value::Integer(7)]).expect("cells");
        let cursor = Cursor::new(Some("b"), "SELECT ?1", &arguments);
        let expected = r#"{"baton":"b","batch":{"steps":[{"stmt":{"sql":"SELECT ?1","args":[{"type":"integer","value":"7"}],"want_rows":true}},{"condition":{"type":"is_autocommit"},"stmt":{"sql":"SELECT 1","args":[],"want_rows":false}}]}}"#;
        assert_eq!(serde_json::to_string(&cursor).expect("JSON"), expected);
    }

    #[test]
    fn entries_are_known_in_all_spellings_and_others_passed_over() {
        fn entry(json: &str) -> Entry {
            serde_json::from_str(json).expect("an entry")
        }
        for (name, id) in [("last_insert_rowid", "\"7\""), ("last_inserted_rowid", "7"), ("last_insert_rowid", "7")] {
            let json = format!(r#"{{"type":"step_end","affected_row_count":2,"{name}":{id}}}"#);
            let Entry::StepEnd { affected_row_count, last_insert_rowid } = entry(&json) else { panic!("{json}") };
            assert_eq!((affected_row_count, last_insert_rowid.map(|id| id.0)), (2, Some(7)));
        }
        assert!(matches!(entry(r#"{"type":"replication_index","replication_index":1}"#), Entry::Other));
        let json = r#"{"type":"step_begin","step":0,"cols":[{"name":"a","decltype":null},{"name":null}]}"#;
        let Entry::StepBegin { step: STATEMENT, cols } = entry(json) else { panic!("{json}") };
        assert_eq!(cols.into_iter().map(String::from).collect::<Vec<_>>(), ["a", ""]);
        let json = r#"{"type":"row","row":[{"type":"text","value":"abc"},{"type":"null"}]}"#;
        let Entry::Row { row: cells } = entry(json) else { panic!("{json}") };
        let (row, bytes) = row(cells).expect("values");
        assert_eq!((row.values.len(), bytes), (2, size_of::<RowResult>() + 2 * size_of::<Value>() + 3));
    }

    #[test]
    fn an_answer_is_found_among_others() {
        let json = r#"{"baton":"b","base_url":null,"results":[{"type":"ok","response":{"type":"sequence"}},
            {"type":"error","error":{"message":"no such table: t","code":"SQLITE_ERROR"}},
            {"type":"ok","response":{"type":"get_autocommit","is_autocommit":true}}]}"#;
        let answers: Answers = serde_json::from_str(json).expect("answers");
        assert_eq!((answers.place.baton.as_deref(), answers.place.base_url), (Some("b"), None));
        let [done, Outcome::Error { error }, autocommit] = &answers.results[..] else { panic!("three") };
        assert!(matches!(done, Outcome::Ok { response: Response::Other }));
        assert_eq!(error.message, "no such table: t");
        assert!(matches!(autocommit, Outcome::Ok { response: Response::GetAutocommit { is_autocommit: true } }));
    }
}
