//! Databases on a libsql server, over HTTP. The operator names the server, so that what a component may reach has no say.
//!
//! A connection is the server's: a *baton* in each answer names it in the next request. The first request of a guest's
//! connection makes it, and a last one closes it. One that is lost is replaced by the next request, but not within a
//! transaction: statements that belong together would be done one by one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::hrana::{Answers, Found, Pipeline, Request, Statement};
use super::{Answer, Failure, RowResult, Streamed, Value};
use crate::host::http::operator::{JsonServer, NoAnswer, OperatorClient, Patience, not_understood};
use crate::host::rows::{MOST_BUFFERED, TooLarge, stream};

/// How long a server may take.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(10), answer: Duration::from_secs(60) };

/// Rows of an answer that a guest gets at once.
const ROWS_AT_ONCE: usize = 256;

/// One database of a server.
pub(super) struct Server(JsonServer);

impl Server {
    pub(super) fn new(url: &str, token: &str, client: Arc<OperatorClient>) -> Self {
        Self(JsonServer::new(url, "Bearer", token, client))
    }

    /// A connection that the server doesn't know of yet.
    pub(super) fn open(self: &Arc<Self>) -> Connection {
        Connection {
            server: Arc::clone(self),
            state: Arc::default(),
            last_insert_rowid: AtomicI64::new(0),
            changes: AtomicU64::new(0),
        }
    }

    async fn ask(&self, base: &str, pipeline: &Pipeline<'_>) -> Result<Answers, Failure> {
        let url = format!("{base}/v2/pipeline");
        let answer = self.0.ask(&url, pipeline, PATIENCE, MOST_BUFFERED).await.map_err(|error| match error {
            NoAnswer::TooLong(_) => TooLarge.into(),
            error => self.failed(&error),
        })?;
        let (status, body) = (answer.status, answer.body);
        if !status.is_success() {
            return Err(self.failed(&format_args!("the server answers with status {}", status.as_u16())));
        }
        serde_json::from_slice(&body).map_err(|error| self.failed(&not_understood(&error)))
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> Failure {
        Failure(self.0.failed(reason))
    }
}

/// What the server knows of a connection.
#[derive(Default)]
enum State {
    /// Nothing.
    #[default]
    New,
    /// How to name it, and where, if not at the usual place.
    Open { baton: String, base: Option<String>, in_transaction: bool },
    /// It has ended within a transaction, or nobody can tell.
    Lost,
}

/// A connection that a guest has opened. Statements on it run one after another.
pub(crate) struct Connection {
    server: Arc<Server>,
    state: Arc<Mutex<State>>,
    last_insert_rowid: AtomicI64,
    changes: AtomicU64,
}

impl Connection {
    async fn run(&self, request: Request<'_>) -> Result<Option<Found>, Failure> {
        let mut state = self.state.lock().await;
        let (baton, base, in_transaction) = match std::mem::take(&mut *state) {
            State::New => (None, None, false),
            State::Open { baton, base, in_transaction } => (Some(baton), base, in_transaction),
            State::Lost => {
                *state = State::Lost;
                return Err(self
                    .server
                    .failed(&"the connection is lost, and its transaction with it; open another one"));
            }
        };
        // Should the answer not come, or whoever waits for it go away: the server forgets the connection after a while.
        if in_transaction {
            *state = State::Lost;
        }
        let transaction = request.transaction();
        let pipeline = Pipeline { baton: baton.as_deref(), requests: vec![request] };
        let answers = self.server.ask(base.as_deref().unwrap_or(self.server.0.url()), &pipeline).await?;
        if answers.base_url.as_deref().is_some_and(|url| !self.server.0.is_at(url)) {
            return Err(self
                .server
                .failed(&"the server wants statements sent elsewhere, where the token doesn't belong"));
        }
        let first = answers.results.into_iter().next();
        let found = first.ok_or_else(|| self.server.failed(&"the server answers nothing"))?.found();
        let in_transaction = transaction.filter(|_| found.is_ok()).unwrap_or(in_transaction);
        *state = match answers.baton {
            Some(baton) => State::Open { baton, base: answers.base_url.or(base), in_transaction },
            None if in_transaction => State::Lost,
            None => State::New,
        };
        found.map_err(|Failure(message)| Failure(self.server.0.said(message)))
    }

    pub(super) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Result<Answer, Failure> {
        let found = self.run(Request::Execute { stmt: Statement::new(&statement, parameters) }).await?;
        let found = found.ok_or_else(|| self.server.failed(&"no answer of a statement"))?;
        self.changes.store(found.affected_row_count, Ordering::Relaxed);
        if let Some(id) = found.last_insert_rowid.as_deref().and_then(|id| id.parse().ok()) {
            self.last_insert_rowid.store(id, Ordering::Relaxed);
        }
        found.try_into()
    }

    /// The server answers with all rows at once; the guest gets them as it reads.
    pub(super) async fn stream(&self, statement: String, parameters: Vec<Value>) -> Streamed {
        let (writer, outcome, rows) = stream::<RowResult, Failure>();
        let answer = self.execute(statement, parameters).await;
        let (columns, found, done) = match answer {
            Ok(answer) => (answer.columns, answer.rows, Ok(())),
            Err(failure) => (Vec::new(), Vec::new(), Err(failure)),
        };
        tokio::spawn(async move {
            let mut found = found.into_iter().peekable();
            while found.peek().is_some() {
                if writer.send(found.by_ref().take(ROWS_AT_ONCE).collect()).await.is_err() {
                    break;
                }
            }
            drop(writer);
            let _ = outcome.send(done);
        });
        Streamed { columns, rows, wanted: None }
    }

    /// Runs all statements of a text.
    pub(super) async fn run_all(&self, statements: &str) -> Result<(), Failure> {
        self.run(Request::Sequence { sql: statements }).await.map(drop)
    }

    pub(super) fn last_insert_rowid(&self) -> i64 {
        self.last_insert_rowid.load(Ordering::Relaxed)
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (server, state) = (Arc::clone(&self.server), Arc::clone(&self.state));
        // A server that isn't told closes it after a while by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let State::Open { baton, base, .. } = std::mem::take(&mut *state.lock().await) {
                let pipeline = Pipeline { baton: Some(&baton), requests: vec![Request::Close] };
                let base = base.unwrap_or_else(|| server.0.url().to_owned());
                if let Err(failure) = server.ask(&base, &pipeline).await {
                    tracing::debug!("closing a connection: {failure}");
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    /// A server that gives these answers, one on each TCP connection, and the batons that it was asked with. It closes one for
    /// which it has none.
    async fn server(answers: Vec<Option<String>>) -> (Arc<Server>, mpsc::UnboundedReceiver<Option<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (batons, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.expect("a client");
                let mut stream = BufReader::new(stream);
                let (mut line, mut length) = (String::new(), 0);
                while stream.read_line(&mut line).await.expect("a head") > 2 {
                    if let Some(found) = line.strip_prefix("content-length: ") {
                        length = found.trim().parse().expect("a number");
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.expect("a body");
                let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
                let _ = batons.send(body["baton"].as_str().map(str::to_owned));
                if let Some(answer) = answer {
                    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", answer.len());
                    stream.write_all(format!("{head}\r\n\r\n{answer}").as_bytes()).await.expect("written");
                }
            }
        });
        (Arc::new(Server::new(&url, "s3cret", Arc::default())), asked)
    }

    fn answer(baton: &str) -> Option<String> {
        let result = r#"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[]}}}"#;
        Some(format!(r#"{{"baton":{baton},"base_url":null,"results":[{result}]}}"#))
    }

    async fn run(connection: &Connection, sql: &str) -> Result<(), String> {
        connection.execute(sql.to_owned(), Vec::new()).await.map(drop).map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn a_connection_whose_answer_was_lost_is_not_replaced_by_another() {
        let (server, mut asked) = server(vec![answer("\"a\""), None, answer("\"b\"")]).await;
        let connection = server.open();
        run(&connection, "BEGIN").await.expect("answered");
        run(&connection, "INSERT INTO t VALUES (1)").await.expect_err("no answer");
        let error = run(&connection, "INSERT INTO t VALUES (2)").await.expect_err("outside of the transaction");
        assert!(error.ends_with("the connection is lost, and its transaction with it; open another one"), "{error}");
        run(&server.open(), "SELECT 1").await.expect("another one");
        let batons = [asked.recv().await, asked.recv().await, asked.recv().await];
        assert_eq!(batons, [None, Some("a".to_owned()), None].map(Some));
    }

    #[tokio::test]
    async fn a_statement_that_failed_outside_of_a_transaction_can_be_tried_again() {
        let (server, mut asked) = server(vec![None, answer("\"a\""), None, answer("\"b\"")]).await;
        let connection = server.open();
        for _ in 0..2 {
            run(&connection, "BEGIN").await.expect_err("no answer");
            run(&connection, "SELECT 1").await.expect("answered");
        }
        let batons = [asked.recv().await, asked.recv().await, asked.recv().await, asked.recv().await];
        assert_eq!(batons, [None, None, Some("a".to_owned()), None].map(Some));
    }

    #[tokio::test]
    async fn a_connection_that_the_server_ends_is_lost_if_a_transaction_was_open_in_it() {
        let (server, mut asked) = server(vec![
            answer("null"),
            answer("\"a\""),
            answer("\"a\""),
            answer("null"),
            answer("\"b\""),
            answer("null"),
        ])
        .await;
        let connection = server.open();
        for sql in ["SELECT 1", "BEGIN", "COMMIT", "SELECT 2", "BEGIN", "INSERT INTO t VALUES (1)"] {
            run(&connection, sql).await.expect(sql);
        }
        run(&connection, "INSERT INTO t VALUES (2)").await.expect_err("outside of the transaction");
        let mut batons = Vec::new();
        for _ in 0..6 {
            batons.push(asked.recv().await.expect("asked"));
        }
        let expected = [None, None, Some("a"), Some("a"), None, Some("b")];
        assert_eq!(batons, expected.map(|baton| baton.map(str::to_owned)));
    }

    #[tokio::test]
    async fn the_server_does_not_tell_guests_the_token() {
        let refused = r#"{"baton":null,"results":[{"type":"error","error":{"message":"s3cret is no token"}}]}"#;
        let odd = r#"{"baton":null,"results":"s3cret"}"#;
        let (server, _asked) = server(vec![Some(refused.to_owned()), Some(odd.to_owned())]).await;
        assert_eq!(run(&server.open(), "SELECT 1").await, Err("… is no token".to_owned()));
        let error = run(&server.open(), "SELECT 1").await.expect_err("not the protocol");
        assert!(error.ends_with("the answer is not one of the protocol (line 1, column 32)"), "{error}");
    }
}
