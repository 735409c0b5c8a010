//! A libsql server of the test's own: its protocol (Hrana 3) over real HTTP, with SQLite behind it.

use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::{Value, json};
use spin_tests::Upstream;
use spin_tests::output::PATIENCE;
use spin_tests::upstream::{read_body, read_head};

/// A running server with one database.
pub(super) struct Libsql {
    upstream: Upstream,
    folder: tempfile::TempDir,
    served: Arc<Served>,
}

/// How many connections there have been, so that no two have the same baton.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// What it does for its clients.
#[derive(Default)]
struct Served {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Connections that clients have, by baton.
    connections: HashMap<String, Connection>,
    /// Requests that are being answered.
    running: usize,
}

impl Served {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
        changed
    }
}

impl Libsql {
    /// What a client must send.
    pub(super) const TOKEN: &str = "s3cret";

    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        let served = Arc::<Served>::default();
        let serving = Arc::clone(&served);
        let upstream = Upstream::start(move |heads, stream| {
            while let Some(head) = read_head(stream)? {
                let body = read_body(&head, stream)?;
                serving.change(|state| state.running += 1);
                let answered = answer(&head, &body, &file, &serving, stream);
                serving.change(|state| state.running -= 1);
                let _ = heads.send(head);
                answered?;
            }
            Ok(())
        });
        Self { upstream, folder, served }
    }

    pub(super) fn port(&self) -> u16 {
        self.upstream.address().port()
    }

    /// Waits until it answers nobody, and no client has a connection.
    pub(super) fn wait_for_rest(&self) {
        let state = self.served.state.lock().unwrap();
        let busy = |state: &mut State| state.running > 0 || !state.connections.is_empty();
        let (_state, waited) = self.served.changed.wait_timeout_while(state, PATIENCE, busy).unwrap();
        assert!(!waited.timed_out(), "a statement is running, or a connection open");
    }

    pub(super) fn file(&self) -> PathBuf {
        file_in(self.folder.path())
    }

    pub(super) fn clear(&self) {
        self.served.change(|state| state.connections.clear());
        if self.file().exists() {
            std::fs::remove_file(self.file()).unwrap();
        }
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("libsql.db")
}

fn answer(head: &str, body: &[u8], file: &Path, served: &Served, stream: &mut TcpStream) -> std::io::Result<()> {
    let authorized = head.lines().any(|line| line == format!("authorization: Bearer {}", Libsql::TOKEN));
    if !authorized {
        return stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n");
    }
    let request: Value = serde_json::from_slice(body).expect("JSON");
    // Nobody else has it in the meantime.
    let (baton, connection) = match request["baton"].as_str() {
        Some(baton) => match served.change(|state| state.connections.remove(baton)) {
            Some(connection) => (baton.to_owned(), connection),
            // Forgotten, as servers do after a while.
            None => return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        },
        None => {
            let number = OPENED.fetch_add(1, Ordering::Relaxed);
            (format!("baton-{number}"), Connection::open(file).expect("the file opens"))
        }
    };
    let mut out = BufWriter::with_capacity(64 * 1024, stream);
    match head.split(' ').nth(1) {
        Some("/v3/pipeline") => pipeline(&request, baton, connection, served, &mut out)?,
        Some("/v3/cursor") => {
            // As the public server does: what it can't parse ends the connection.
            if let Some(error) = unparsed(&request["batch"], &connection) {
                let text = json!({ "error": format!("SQL string could not be parsed: {error}") }).to_string();
                write!(out, "HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{text}", text.len())?;
                return out.flush();
            }
            write!(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")?;
            line(&mut out, &json!({ "baton": baton, "base_url": null }))?;
            // A client that goes away in between has lost the connection.
            cursor(&request["batch"], &connection, &mut out)?;
            served.change(|state| state.connections.insert(baton, connection));
            write!(out, "0\r\n\r\n")?;
        }
        other => panic!("the server doesn't know {other:?}"),
    }
    out.flush()
}

fn pipeline(
    request: &Value,
    baton: String,
    connection: Connection,
    served: &Served,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let mut closed = false;
    let results: Vec<Value> = request["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .map(|request| match request["type"].as_str() {
            Some("sequence") => match connection.execute_batch(request["sql"].as_str().expect("a text")) {
                Ok(()) => json!({ "type": "ok", "response": { "type": "sequence" } }),
                Err(error) => json!({ "type": "error", "error": said(&error) }),
            },
            Some("get_autocommit") => {
                let response = json!({ "type": "get_autocommit", "is_autocommit": connection.is_autocommit() });
                json!({ "type": "ok", "response": response })
            }
            Some("close") => {
                closed = true;
                json!({ "type": "ok", "response": { "type": "close" } })
            }
            other => panic!("the server doesn't know {other:?}"),
        })
        .collect();
    let baton = (!closed).then(|| {
        served.change(|state| state.connections.insert(baton.clone(), connection));
        baton
    });
    let text = json!({ "baton": baton, "base_url": null, "results": results }).to_string();
    let length = text.len();
    write!(out, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{text}")
}

/// Writes a line, as a chunk.
fn line(out: &mut impl Write, value: &Value) -> std::io::Result<()> {
    let text = value.to_string();
    write!(out, "{:x}\r\n{text}\n\r\n", text.len() + 1)
}

fn said(error: &rusqlite::Error) -> Value {
    json!({ "message": error.to_string(), "code": "SQLITE_ERROR" })
}

/// What is wrong with a statement of a batch, if that can be seen without the database.
fn unparsed(batch: &Value, connection: &Connection) -> Option<String> {
    let statements = batch["steps"].as_array().expect("steps").iter().map(|step| &step["stmt"]["sql"]);
    let errors = statements.filter_map(|sql| connection.prepare(sql.as_str().expect("a text")).err());
    errors.map(|error| error.to_string()).find(|error| error.contains("syntax error"))
}

/// Runs the steps of a batch.
fn cursor(batch: &Value, connection: &Connection, out: &mut impl Write) -> std::io::Result<()> {
    for (number, step) in batch["steps"].as_array().expect("steps").iter().enumerate() {
        let is_done = match step["condition"]["type"].as_str() {
            None => true,
            Some("is_autocommit") => connection.is_autocommit(),
            other => panic!("the server doesn't know {other:?}"),
        };
        if is_done && let Err(error) = execute(number, &step["stmt"], connection, out)? {
            line(out, &json!({ "type": "step_error", "step": number, "error": said(&error) }))?;
        }
    }
    Ok(())
}

/// Runs a statement, unless the client goes away.
fn execute(
    step: usize,
    statement: &Value,
    connection: &Connection,
    out: &mut impl Write,
) -> std::io::Result<rusqlite::Result<()>> {
    let mut prepared = match connection.prepare(statement["sql"].as_str().expect("a text")) {
        Ok(prepared) => prepared,
        Err(error) => return Ok(Err(error)),
    };
    let names: Vec<Value> = prepared.column_names().map(|name| json!({ "name": name })).collect();
    let arguments = statement["args"].as_array().expect("a list").iter().map(argument);
    let mut found = match prepared.query(params_from_iter(arguments)) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    line(out, &json!({ "type": "step_begin", "step": step, "cols": names }))?;
    loop {
        match found.next() {
            Ok(Some(row)) if statement["want_rows"] != false => {
                let cells: Vec<Value> = (0..names.len()).map(|index| cell(row.get_ref(index).unwrap())).collect();
                line(out, &json!({ "type": "row", "row": cells }))?;
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => return Ok(Err(error)),
        }
    }
    // As the public server tells it: of changes only, and a number.
    let sql = statement["sql"].as_str().unwrap_or_default().to_ascii_uppercase();
    let changes =
        if ["INSERT", "UPDATE", "DELETE"].iter().any(|word| sql.starts_with(word)) { connection.changes() } else { 0 };
    let id = sql.starts_with("INSERT").then(|| connection.last_insert_rowid());
    line(out, &json!({ "type": "step_end", "affected_row_count": changes, "last_insert_rowid": id }))?;
    Ok(Ok(()))
}

/// Only the bytes that the tests send, so that nothing here has to know base64.
const BLOB: (&str, &[u8]) = ("Ynl0ZXM", b"bytes");

fn argument(value: &Value) -> Sql {
    let text = || value["value"].as_str().expect("a text");
    match value["type"].as_str() {
        Some("null") => Sql::Null,
        Some("integer") => Sql::Integer(text().parse().expect("an integer")),
        Some("float") => Sql::Real(value["value"].as_f64().expect("a number")),
        Some("text") => Sql::Text(text().to_owned()),
        Some("blob") if value["base64"] == BLOB.0 => Sql::Blob(BLOB.1.to_vec()),
        _ => panic!("{value} is no argument"),
    }
}

fn cell(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => json!({ "type": "null" }),
        ValueRef::Integer(number) => json!({ "type": "integer", "value": number.to_string() }),
        ValueRef::Real(number) => json!({ "type": "float", "value": number }),
        ValueRef::Text(text) => json!({ "type": "text", "value": String::from_utf8_lossy(text) }),
        ValueRef::Blob(bytes) => {
            assert_eq!(bytes, BLOB.1);
            json!({ "type": "blob", "base64": BLOB.0 })
        }
    }
}
