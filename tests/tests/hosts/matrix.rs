//! The matrix as data: `tests/hosts/matrix.toml`, where the form of a cell is described.

use toml::{Table, Value};

const FILE: &str = include_str!("../../hosts/matrix.toml");

/// What the cases are about; every interface has one of each at least.
pub(super) const CASES: [&str; 4] = ["success", "no-permission", "bad-input", "down"];

/// One call, or several that belong together.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) interface: String,
    pub(super) case: String,
    pub(super) backend: String,
    pub(super) component: String,
    pub(super) calls: Vec<Vec<String>>,
    /// One for each call; none if the component traps.
    pub(super) answers: Option<Vec<String>>,
    pub(super) state: Vec<State>,
}

/// What another client finds in a back end.
#[derive(Debug)]
pub(super) enum State {
    Http { asked: Vec<String> },
    Sqlite { file: String, query: String, rows: Vec<Vec<String>> },
    Postgres { query: String, rows: Vec<Vec<String>> },
    Models { path: String, body: serde_json::Value },
    Mqtt { topic: String, payload: String },
    MySql { query: String, rows: Vec<Vec<String>> },
    Redis { command: Vec<String>, answer: String },
    Sockets { heard: String },
}

/// All cells.
pub(super) fn cells() -> Vec<Cell> {
    parse(FILE).unwrap_or_else(|mistake| panic!("tests/hosts/matrix.toml: {mistake}"))
}

fn parse(text: &str) -> Result<Vec<Cell>, String> {
    let document: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let cells = document.get("cell").and_then(Value::as_array).ok_or("there are no cells")?;
    let read = cells.iter().enumerate().map(|(index, cell)| {
        let number = index + 1;
        cell.as_table().ok_or_else(|| "it is no table".to_owned()).and_then(read).map_err(|why| {
            let interface = cell.get("interface").and_then(Value::as_str).unwrap_or("?");
            format!("cell {number} ({interface}): {why}")
        })
    });
    read.collect()
}

fn read(table: &Table) -> Result<Cell, String> {
    only(table, &["interface", "case", "backend", "component", "calls", "answers", "state"])?;
    let case = text(table, "case")?;
    if !CASES.contains(&case.as_str()) {
        return Err(format!("{case:?} is no case"));
    }
    let calls: Vec<Vec<String>> = list(table, "calls")?.iter().map(texts).collect::<Result<_, _>>()?;
    let answers = match table.get("answers") {
        Some(Value::String(word)) if word == "trap" => None,
        _ => Some(texts(table.get("answers").ok_or("`answers` is missing")?)?),
    };
    let state = match table.get("state") {
        Some(_) => list(table, "state")?.iter().map(state).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    if calls.is_empty() || calls.iter().any(Vec::is_empty) {
        return Err("a call is empty".to_owned());
    }
    if let Some(answers) = &answers {
        if answers.len() != calls.len() {
            return Err(format!("{} calls and {} answers", calls.len(), answers.len()));
        }
        if answers.iter().any(|answer| says_nothing(answer)) {
            return Err("an answer says nothing".to_owned());
        }
        if answers.iter().all(|answer| answer == "ok") {
            return Err("no answer has a value".to_owned());
        }
    }
    if case == "success" && (state.is_empty() || answers.is_none()) {
        return Err("nobody looks into the back end".to_owned());
    }
    let component = if table.contains_key("component") { text(table, "component")? } else { "allowed".to_owned() };
    Ok(Cell {
        interface: text(table, "interface")?,
        case,
        backend: text(table, "backend")?,
        component,
        calls,
        answers,
        state,
    })
}

/// Whether a pattern would take any value, or any error.
fn says_nothing(answer: &str) -> bool {
    let inner = answer.strip_prefix("ok").or_else(|| answer.strip_prefix("err")).unwrap_or(answer);
    answer.contains('*') && !inner.contains(char::is_alphanumeric)
}

fn state(value: &Value) -> Result<State, String> {
    let table = value.as_table().ok_or("a state is no table")?;
    if table.contains_key("sqlite") {
        only(table, &["sqlite", "query", "rows"])?;
        return Ok(State::Sqlite { file: text(table, "sqlite")?, query: text(table, "query")?, rows: rows(table)? });
    }
    if table.contains_key("postgres") {
        only(table, &["postgres", "rows"])?;
        return Ok(State::Postgres { query: text(table, "postgres")?, rows: rows(table)? });
    }
    if table.contains_key("mysql") {
        only(table, &["mysql", "rows"])?;
        return Ok(State::MySql { query: text(table, "mysql")?, rows: rows(table)? });
    }
    if table.contains_key("models") {
        only(table, &["models", "body"])?;
        let body = serde_json::from_str(&text(table, "body")?).map_err(|error| error.to_string())?;
        return Ok(State::Models { path: text(table, "models")?, body });
    }
    if table.contains_key("http") {
        only(table, &["http"])?;
        return Ok(State::Http { asked: texts(table.get("http").ok_or("`http` is missing")?)? });
    }
    if table.contains_key("sockets") {
        only(table, &["sockets"])?;
        return Ok(State::Sockets { heard: text(table, "sockets")? });
    }
    if table.contains_key("mqtt") {
        only(table, &["mqtt", "payload"])?;
        return Ok(State::Mqtt { topic: text(table, "mqtt")?, payload: text(table, "payload")? });
    }
    only(table, &["redis", "answer"])?;
    let command = texts(table.get("redis").ok_or("a state names no back end")?)?;
    Ok(State::Redis { command, answer: text(table, "answer")? })
}

/// What a query finds; nothing would be no assertion.
fn rows(table: &Table) -> Result<Vec<Vec<String>>, String> {
    let rows: Vec<Vec<String>> = list(table, "rows")?.iter().map(texts).collect::<Result<_, _>>()?;
    if rows.is_empty() { Err("a state has no rows".to_owned()) } else { Ok(rows) }
}

fn only(table: &Table, known: &[&str]) -> Result<(), String> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("unknown key {key:?}")),
        None => Ok(()),
    }
}

fn text(table: &Table, key: &str) -> Result<String, String> {
    let text = table.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is no text"))?;
    Ok(text.to_owned())
}

fn list<'t>(table: &'t Table, key: &str) -> Result<&'t Vec<Value>, String> {
    table.get(key).and_then(Value::as_array).ok_or_else(|| format!("`{key}` is no list"))
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    let items = value.as_array().ok_or("a list is missing")?;
    let text = |item: &Value| item.as_str().map(str::to_owned).ok_or_else(|| format!("{item} is no text"));
    items.iter().map(text).collect()
}

/// Whether a text is as a pattern says, in which each `*` stands for anything.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let mut parts = rest.split('*').collect::<Vec<_>>();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

#[test]
fn a_cell_that_asserts_no_value_is_refused() {
    let cell = |calls: &str, answers: &str, more: &str| {
        let head = "[[cell]]\ninterface = 'i'\nbackend = 'files'\n";
        parse(&format!("{head}calls = {calls}\nanswers = {answers}\n{more}\n"))
    };
    let success = "case = 'success'\nstate = [{ redis = ['GET', 'a'], answer = '1' }]";
    assert!(cell("[['get']]", "['ok(1)']", success).is_ok());
    assert!(cell("[['get']]", "'trap'", "case = 'bad-input'").is_ok());
    for (calls, answers, more, why) in [
        ("[['set']]", "['ok']", success, "no answer has a value"),
        ("[['set']]", "['*']", success, "an answer says nothing"),
        ("[['get'], ['get']]", "['ok(1)', 'err(*']", success, "an answer says nothing"),
        ("[['get'], ['get']]", "['ok(1)', 'ok(*)']", success, "an answer says nothing"),
        ("[['set'], ['get']]", "['ok(1)']", success, "2 calls and 1 answers"),
        ("[[]]", "['ok(1)']", success, "a call is empty"),
        ("[['get']]", "['ok(1)']", "case = 'success'", "nobody looks into the back end"),
        ("[['get']]", "'trap'", success.split_once('\n').unwrap().0, "nobody looks into the back end"),
        ("[['get']]", "['ok(1)']", "case = 'other'", "no case"),
        ("[['get']]", "['ok(1)']", "case = 'down'\nresult = 1", "unknown key \"result\""),
        ("[['get']]", "['ok(1)']", "case = 'success'\nstate = [{ sqlite = 'f', query = 'q', rows = [] }]", "no rows"),
        ("[['get']]", "['ok(1)']", "case = 'success'\nstate = [{ redis = ['GET'] }]", "`answer` is no text"),
    ] {
        let error = cell(calls, answers, more).expect_err(why);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn patterns() {
    for (pattern, text) in [("a", "a"), ("a*", "ab"), ("a*", "a"), ("*c", "abc"), ("a*c*e", "abcde"), ("a*c*", "abcde")]
    {
        assert!(matches(pattern, text), "{pattern} {text}");
    }
    for (pattern, text) in [("a", "ab"), ("a*c", "ab"), ("a*c*e", "aecd"), ("b*", "ab")] {
        assert!(!matches(pattern, text), "{pattern} {text}");
    }
}
