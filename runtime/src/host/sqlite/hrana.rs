//! The JSON of libsql's protocol over HTTP (Hrana 2): requests in a pipeline, answers in the same order. Integers are
//! texts, because JSON's numbers hold no 64 bits; a blob is base64.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::{Answer, Failure, RowResult, Value};

/// Servers leave out the padding, or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is sent: on which connection, and what is to be done there.
#[derive(Serialize)]
pub(super) struct Pipeline<'a> {
    pub(super) baton: Option<&'a str>,
    pub(super) requests: Vec<Request<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Request<'a> {
    /// One statement.
    Execute { stmt: Statement<'a> },
    /// Several, whose rows nobody wants.
    Sequence { sql: &'a str },
    /// The end of the connection.
    Close,
}

impl Request<'_> {
    /// Whether a transaction is open after it, if that changes.
    pub(super) fn transaction(&self) -> Option<bool> {
        match self {
            Self::Execute { stmt } => transaction(stmt.sql),
            Self::Sequence { .. } | Self::Close => None,
        }
    }
}

/// What a statement does to the transaction, as far as its first words tell.
fn transaction(sql: &str) -> Option<bool> {
    let mut words = Words(sql);
    match words.next()?.to_ascii_uppercase().as_str() {
        "BEGIN" | "SAVEPOINT" => Some(true),
        "COMMIT" | "END" => Some(false),
        // To a savepoint, the transaction goes on.
        "ROLLBACK" => (!words.any(|word| word.eq_ignore_ascii_case("TO"))).then_some(false),
        // Of the outermost savepoint it is a commit; which one that is, nobody here knows.
        _ => None,
    }
}

/// The words of a statement, without its comments.
struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '/'));
            self.0 = match self.0.get(..2) {
                Some("--") => self.0.split_once('\n')?.1,
                Some("/*") => self.0[2..].split_once("*/")?.1,
                _ if self.0.starts_with(['-', '/']) => &self.0[1..],
                _ => break,
            };
        }
        let end = self.0.find(|c: char| !c.is_alphanumeric()).unwrap_or(self.0.len());
        let word;
        (word, self.0) = self.0.split_at(end);
        (!word.is_empty()).then_some(word)
    }
}

#[derive(Serialize)]
pub(super) struct Statement<'a> {
    sql: &'a str,
    args: Vec<Cell>,
    want_rows: bool,
}

impl<'a> Statement<'a> {
    pub(super) fn new(sql: &'a str, parameters: Vec<Value>) -> Self {
        Self { sql, args: parameters.into_iter().map(Cell::from).collect(), want_rows: true }
    }
}

/// A value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Cell {
    Null,
    Integer { value: String },
    Float { value: f64 },
    Text { value: String },
    Blob { base64: String },
}

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Integer(number) => Self::Integer { value: number.to_string() },
            Value::Real(value) => Self::Float { value },
            Value::Text(value) => Self::Text { value },
            Value::Blob(bytes) => Self::Blob { base64: BASE64.encode(bytes) },
        }
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
            Cell::Float { value } => Self::Real(value),
            Cell::Text { value } => Self::Text(value),
            Cell::Blob { base64 } => Self::Blob(
                BASE64.decode(base64).map_err(|error| Failure(format!("the server answers with a blob: {error}")))?,
            ),
        })
    }
}

/// What comes back.
#[derive(Deserialize)]
pub(super) struct Answers {
    /// Names the connection in the next request; without one it is closed.
    pub(super) baton: Option<String>,
    /// Where the connection is to be asked for from now on.
    pub(super) base_url: Option<String>,
    pub(super) results: Vec<Outcome>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Outcome {
    Ok { response: Response },
    Error { error: ServerError },
}

#[derive(Deserialize)]
pub(super) struct ServerError {
    message: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Response {
    Execute {
        result: Found,
    },
    #[serde(other)]
    Other,
}

/// The answer of a statement.
#[derive(Deserialize)]
pub(super) struct Found {
    cols: Vec<Column>,
    rows: Vec<Vec<Cell>>,
    #[serde(default)]
    pub(super) affected_row_count: u64,
    /// A text, as all integers.
    #[serde(default)]
    pub(super) last_insert_rowid: Option<String>,
}

#[derive(Deserialize)]
struct Column {
    name: Option<String>,
}

impl Outcome {
    /// What a statement found; nothing for another request.
    pub(super) fn found(self) -> Result<Option<Found>, Failure> {
        match self {
            Self::Ok { response: Response::Execute { result } } => Ok(Some(result)),
            Self::Ok { response: Response::Other } => Ok(None),
            Self::Error { error } => Err(Failure(error.message)),
        }
    }
}

impl TryFrom<Found> for Answer {
    type Error = Failure;

    fn try_from(found: Found) -> Result<Self, Failure> {
        let columns = found.cols.into_iter().map(|column| column.name.unwrap_or_default()).collect();
        let row = |cells: Vec<Cell>| -> Result<RowResult, Failure> {
            Ok(RowResult { values: cells.into_iter().map(Value::try_from).collect::<Result<_, _>>()? })
        };
        Ok(Self { columns, rows: found.rows.into_iter().map(row).collect::<Result<_, _>>()? })
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
            assert_eq!(serde_json::to_string(&Cell::from(value)).expect("JSON"), json);
            let cell: Cell = serde_json::from_str(json).expect("a value");
            assert_eq!(format!("{:?}", Value::try_from(cell).expect("a value")), shown);
        }
        let padded: Cell = serde_json::from_str(r#"{"type":"blob","base64":"/w=="}"#).expect("a value");
        assert!(matches!(Value::try_from(padded), Ok(Value::Blob(bytes)) if bytes == [255]));
    }

    #[test]
    fn a_statement_that_opens_or_ends_a_transaction_is_known() {
        for (sql, expected) in [
            ("BEGIN", Some(true)),
            (" \n begin immediate;", Some(true)),
            ("-- first\n/* of all */ Savepoint a", Some(true)),
            ("COMMIT TRANSACTION", Some(false)),
            ("end;", Some(false)),
            ("ROLLBACK", Some(false)),
            ("ROLLBACK -- TO a\n TRANSACTION", Some(false)),
            ("rollback transaction to savepoint a", None),
            ("RELEASE a", None),
            ("SELECT 'BEGIN'", None),
            ("-- BEGIN", None),
            ("/* BEGIN", None),
            ("/*/ SELECT */ BEGIN", Some(true)),
            ("- / (ä", None),
            ("", None),
        ] {
            assert_eq!(transaction(sql), expected, "{sql}");
        }
    }

    #[test]
    fn an_answer_is_found_among_others() {
        let json = r#"{"baton":"b","base_url":null,"results":[
            {"type":"ok","response":{"type":"execute","result":{"cols":[{"name":"a","decltype":null},{"name":null}],
                "rows":[[{"type":"integer","value":"1"},{"type":"null"}]],"affected_row_count":2,"last_insert_rowid":"7"}}},
            {"type":"error","error":{"message":"no such table: t","code":"SQLITE_ERROR"}},
            {"type":"ok","response":{"type":"close"}}]}"#;
        let answers: Answers = serde_json::from_str(json).expect("answers");
        let mut results = answers.results.into_iter().map(Outcome::found);
        let found = results.next().expect("three").expect("went well").expect("of a statement");
        assert_eq!((found.affected_row_count, found.last_insert_rowid.as_deref()), (2, Some("7")));
        let answer = Answer::try_from(found).expect("values");
        assert_eq!((answer.columns, answer.rows.len()), (vec!["a".to_owned(), String::new()], 1));
        assert_eq!(results.next().expect("three").err().expect("an error").to_string(), "no such table: t");
        assert!(results.next().expect("three").expect("went well").is_none());
    }
}
