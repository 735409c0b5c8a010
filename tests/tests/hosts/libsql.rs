//! A libsql server of the test's own: the protocol over real HTTP, with SQLite behind it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde_json::{Value, json};
use spin_tests::Upstream;
use spin_tests::upstream::read_head;

/// A running server with one database.
pub(super) struct Libsql {
    upstream: Upstream,
    folder: tempfile::TempDir,
    connections: Connections,
}

/// How many connections there have been, so that no two have the same baton.
static OPENED: AtomicUsize = AtomicUsize::new(0);

/// Those that clients have, by baton.
type Connections = Arc<Mutex<HashMap<String, Connection>>>;

impl Libsql {
    /// What a client must send.
    pub(super) const TOKEN: &str = "s3cret";

    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path());
        let connections = Connections::default();
        let open = Arc::clone(&connections);
        let upstream = Upstream::start(move |heads, stream| {
            while let Some(head) = read_head(stream)? {
                let answer = answer(&head, &body(&head, stream)?, &file, &open);
                let _ = heads.send(head);
                stream.write_all(&answer)?;
            }
            Ok(())
        });
        Self { upstream, folder, connections }
    }

    pub(super) fn port(&self) -> u16 {
        self.upstream.address().port()
    }

    pub(super) fn file(&self) -> PathBuf {
        file_in(self.folder.path())
    }

    pub(super) fn clear(&self) {
        self.connections.lock().unwrap().clear();
        if self.file().exists() {
            std::fs::remove_file(self.file()).unwrap();
        }
    }
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("libsql.db")
}

fn body(head: &str, stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn answer(head: &str, body: &[u8], file: &Path, connections: &Connections) -> Vec<u8> {
    let authorized = head.lines().any(|line| line == format!("authorization: Bearer {}", Libsql::TOKEN));
    if !authorized || !head.starts_with("POST /v2/pipeline HTTP/1.1") {
        return b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec();
    }
    let request: Value = serde_json::from_slice(body).expect("JSON");
    let mut connections = connections.lock().unwrap();
    let (baton, connection) = match request["baton"].as_str() {
        Some(baton) => match connections.remove(baton) {
            Some(connection) => (baton.to_owned(), connection),
            // Forgotten, as servers do after a while.
            None => return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        },
        None => {
            let number = OPENED.fetch_add(1, Ordering::Relaxed);
            (format!("baton-{number}"), Connection::open(file).expect("the file opens"))
        }
    };
    let mut closed = false;
    let results: Vec<Value> = request["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .map(|request| match request["type"].as_str() {
            Some("execute") => outcome(execute(&connection, &request["stmt"]), "execute"),
            Some("sequence") => {
                let sql = request["sql"].as_str().expect("a text");
                outcome(connection.execute_batch(sql).map(|()| Value::Null), "sequence")
            }
            Some("close") => {
                closed = true;
                outcome(Ok(Value::Null), "close")
            }
            other => panic!("the server doesn't know {other:?}"),
        })
        .collect();
    let baton = (!closed).then(|| {
        connections.insert(baton.clone(), connection);
        baton
    });
    let text = json!({ "baton": baton, "base_url": null, "results": results }).to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        .into_bytes()
}

fn outcome(result: rusqlite::Result<Value>, kind: &str) -> Value {
    match result {
        Ok(result) => json!({ "type": "ok", "response": { "type": kind, "result": result } }),
        Err(error) => json!({ "type": "error", "error": { "message": error.to_string(), "code": "SQLITE_ERROR" } }),
    }
}

fn execute(connection: &Connection, statement: &Value) -> rusqlite::Result<Value> {
    let mut prepared = connection.prepare(statement["sql"].as_str().expect("a text"))?;
    let names: Vec<Value> = prepared.column_names().map(|name| json!({ "name": name })).collect();
    let arguments = statement["args"].as_array().expect("a list").iter().map(argument);
    let count = names.len();
    let mut rows = Vec::new();
    let mut found = prepared.query(params_from_iter(arguments))?;
    while let Some(row) = found.next()? {
        rows.push((0..count).map(|index| Ok(cell(row.get_ref(index)?))).collect::<rusqlite::Result<Vec<_>>>()?);
    }
    drop(found);
    Ok(json!({
        "cols": names,
        "rows": rows,
        "affected_row_count": connection.changes(),
        "last_insert_rowid": connection.last_insert_rowid().to_string(),
    }))
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
