//! Databases on a libsql server, over HTTP. The operator names the server, so that what a component may reach has no say.
//!
//! A connection is the server's: a *baton* in each answer names it in the next request. The first request of a guest's
//! connection makes it, and a last one closes it. One that is lost is replaced by the next request, but not within a
//! transaction: statements that belong together would be done one by one.
//!
//! Rows come one by one, and the server makes no more while nobody reads. Statements on a connection run one after another, so
//! what is left unread of one is kept when the next one waits, as on this machine (`local`).

mod hrana;
mod lines;
mod running;
mod session;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, watch};

use self::hrana::{Outcome, Pipeline, Request, Response, ServerError};
use self::lines::Unreadable;
use self::running::Running;
use self::session::{Session, Turn};
use super::waiting::Waiting;
use super::{Answer, Failure, RowResult, Streamed, Value};
use crate::host::http::operator::{self, JsonServer, OperatorClient, Patience, not_understood};
use crate::host::rows::{Budget, Unread};
use crate::http;

/// How long a server may take.
const PATIENCE: Patience = Patience { connect: Duration::from_secs(10), answer: Duration::from_secs(60) };

/// How much of an answer is read that has no rows, or tells of an error.
const LONGEST_ANSWER: usize = 64 * 1024;

/// One database of a server.
pub(super) struct Server {
    at: JsonServer,
    /// Who may have a long line in hand.
    long_lines: Arc<Semaphore>,
}

/// Long lines that are in hand at once: each takes its memory several times while its row is made.
const LONG_LINES: usize = 2;

impl Server {
    pub(super) fn new(url: &str, token: &str, client: Arc<OperatorClient>) -> Self {
        let at = JsonServer::new(url, "Bearer", token, client);
        Self { at, long_lines: Arc::new(Semaphore::new(LONG_LINES)) }
    }

    /// A connection that the server doesn't know of yet. What it leaves unread counts in `unread`.
    pub(super) fn open(self: &Arc<Self>, unread: Unread) -> Connection {
        Connection { server: Arc::clone(self), session: Arc::default(), waiting: watch::Sender::new(0), unread }
    }

    /// Begins an answer. `what` is the end of the address.
    ///
    /// # Errors
    /// When there is none, or it is not what was asked for; [`Refused::Unknown`] if the server doesn't know the connection, or
    /// the request.
    async fn ask(
        &self,
        base: Option<&str>,
        what: &str,
        question: &impl serde::Serialize,
    ) -> Result<http::Response, Refused> {
        let url = format!("{}/v3/{what}", base.unwrap_or(self.at.url()));
        let answer = self.at.begin(&url, question, PATIENCE).await.map_err(|error| self.failed(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said = operator::Answer::read(answer, LONGEST_ANSWER).await.ok();
        let said = said.and_then(|said| serde_json::from_slice::<ServerError>(&said.body).ok());
        let said = said.map(|ServerError { message }| format!(": {}", self.at.said(message))).unwrap_or_default();
        let status = status.as_u16();
        let failure = self.failed(&format_args!("the server answers to {what} of Hrana 3 with status {status}{said}"));
        Err(if [400, 404].contains(&status) { Refused::Unknown(failure) } else { Refused::Failed(failure) })
    }

    /// Closes a connection, without waiting for that. A server that isn't told does it after a while by itself.
    fn close(self: &Arc<Self>, baton: String, base: Option<String>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let server = Arc::clone(self);
        runtime.spawn(async move {
            let pipeline = Pipeline { baton: Some(&baton), requests: &[Request::Close] };
            if let Err(refused) = server.ask(base.as_deref(), "pipeline", &pipeline).await {
                tracing::debug!("closing a connection: {}", Failure::from(refused));
            }
        });
    }

    fn parse<'a, T: serde::Deserialize<'a>>(&self, json: &'a [u8]) -> Result<T, Failure> {
        serde_json::from_slice(json).map_err(|error| self.failed(&not_understood(&error)))
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> Failure {
        Failure(self.at.failed(reason))
    }

    /// Why a line could not be read. That one is too large is said in the words of all interfaces.
    fn unread(&self, error: Unreadable) -> Failure {
        match error {
            Unreadable::TooLarge(error) => error.into(),
            error @ Unreadable::Broken(_) => self.failed(&error),
        }
    }

    fn said(&self, error: ServerError) -> Failure {
        Failure(self.at.said(error.message))
    }
}

/// Why there is no answer.
enum Refused {
    /// The server doesn't know the connection, or doesn't understand the request. It has done nothing.
    Unknown(Failure),
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(failure) | Refused::Failed(failure) => failure,
        }
    }
}

/// A connection that a guest has opened. Statements on it run one after another.
pub(crate) struct Connection {
    server: Arc<Server>,
    session: Arc<Mutex<Session>>,
    /// How many wait for it.
    waiting: watch::Sender<usize>,
    unread: Unread,
}

impl Connection {
    async fn session(&self) -> OwnedMutexGuard<Session> {
        let _waiting = Waiting::new(&self.waiting);
        Arc::clone(&self.session).lock_owned().await
    }

    async fn begin(&self, statement: &str, parameters: Vec<Value>) -> Result<Running, Failure> {
        // First: what can't be sent costs no connection.
        let parameters = hrana::cells(parameters)?;
        Running::begin(Turn::new(&self.server, self.session().await)?, statement, &parameters).await
    }

    pub(super) async fn execute(&self, statement: String, parameters: Vec<Value>) -> Result<Answer, Failure> {
        let mut running = self.begin(&statement, parameters).await?;
        let mut answer = Answer { columns: running.columns(), rows: Vec::new() };
        let mut budget = Budget::new();
        while let Some((row, bytes)) = running.row().await? {
            if let Err(too_large) = budget.take(bytes) {
                drop(answer);
                running.leave(self.waiting.subscribe()).await;
                return Err(too_large.into());
            }
            answer.rows.push(row);
        }
        Ok(answer)
    }

    pub(super) async fn stream(&self, statement: String, parameters: Vec<Value>) -> Streamed {
        let (mut writer, outcome, rows) = self.unread.stream::<RowResult, Failure>();
        let columns = match self.begin(&statement, parameters).await {
            Ok(mut running) => {
                let (columns, waiting) = (running.columns(), self.waiting.subscribe());
                tokio::spawn(async move {
                    let done = running.pass_on(&mut writer, waiting).await;
                    // The connection is free for others while the guest reads what is left.
                    drop(running);
                    writer.finish(outcome, done).await;
                });
                columns
            }
            Err(failure) => {
                let _ = outcome.send(Err(failure));
                Vec::new()
            }
        };
        Streamed { columns, rows, wanted: None }
    }

    /// Runs all statements of a text.
    pub(super) async fn run_all(&self, statements: &str) -> Result<(), Failure> {
        let mut turn = Turn::new(&self.server, self.session().await)?;
        let requests = [Request::Sequence { sql: statements }, Request::GetAutocommit];
        let results = turn.pipeline(&requests).await?;
        let Ok([done, Outcome::Ok { response: Response::GetAutocommit { is_autocommit } }]) =
            <[Outcome; 2]>::try_from(results)
        else {
            return Err(self.server.failed(&"the answer is not what was asked for"));
        };
        turn.end(!is_autocommit);
        match done {
            Outcome::Ok { .. } => Ok(()),
            Outcome::Error { error } => Err(self.server.said(error)),
        }
    }

    pub(super) async fn last_insert_rowid(&self) -> i64 {
        self.session().await.effect.last_insert_rowid
    }

    pub(super) async fn changes(&self) -> u64 {
        self.session().await.effect.changes
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let (server, session) = (Arc::clone(&self.server), Arc::clone(&self.session));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let session = session.lock_owned().await;
            // Nothing is asked, so that is its end.
            drop(Turn::new(&server, session));
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::mpsc;

    use super::hrana::{AUTOCOMMIT, STATEMENT};
    use super::*;

    /// A server that gives these answers, bodies or with their heads, one on each TCP connection, and the batons that it was
    /// asked with. It closes one for which it has none.
    async fn server(answers: Vec<Option<String>>) -> (Arc<Server>, mpsc::UnboundedReceiver<Option<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (batons, asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            while !answers.as_slice().is_empty() {
                let (stream, _) = listener.accept().await.expect("a client");
                let mut stream = BufReader::new(stream);
                let body = question(&mut stream).await;
                // Whoever closes a connection waits for nothing.
                if body["requests"][0]["type"] == "close" {
                    continue;
                }
                let _ = batons.send(body["baton"].as_str().map(str::to_owned));
                if let Some(answer) = answers.next().flatten() {
                    let head =
                        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
                    let head = if answer.starts_with("HTTP/") { String::new() } else { head };
                    stream.write_all(format!("{head}{answer}").as_bytes()).await.expect("written");
                }
            }
        });
        (Arc::new(Server::new(&url, "s3cret", Arc::default())), asked)
    }

    /// What a client asks.
    async fn question(stream: &mut BufReader<TcpStream>) -> serde_json::Value {
        let (mut line, mut length) = (String::new(), 0);
        while stream.read_line(&mut line).await.expect("a head") > 2 {
            if let Some(found) = line.strip_prefix("content-length: ") {
                length = found.trim().parse().expect("a number");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    /// What a cursor answers to a statement that has no rows.
    fn answer(baton: &str, autocommit: bool) -> Option<String> {
        let step =
            |step| format!("{{\"type\":\"step_begin\",\"step\":{step},\"cols\":[]}}\n{{\"type\":\"step_end\"}}\n");
        let steps = step(STATEMENT) + &if autocommit { step(AUTOCOMMIT) } else { String::new() };
        Some(format!("{{\"baton\":{baton},\"base_url\":null}}\n{steps}"))
    }

    async fn run(connection: &Connection, sql: &str) -> Result<(), String> {
        connection.execute(sql.to_owned(), Vec::new()).await.map(drop).map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn a_connection_whose_answer_was_lost_is_not_replaced_by_another() {
        let (server, mut asked) = server(vec![answer("\"a\"", false), None, answer("\"b\"", true)]).await;
        let connection = server.open(Unread::default());
        run(&connection, "BEGIN").await.expect("answered");
        run(&connection, "INSERT INTO t VALUES (1)").await.expect_err("no answer");
        let error = run(&connection, "INSERT INTO t VALUES (2)").await.expect_err("outside of the transaction");
        assert!(error.ends_with("the connection is lost, and its transaction with it; open another one"), "{error}");
        run(&server.open(Unread::default()), "SELECT 1").await.expect("another one");
        let batons = [asked.recv().await, asked.recv().await, asked.recv().await];
        assert_eq!(batons, [None, Some("a".to_owned()), None].map(Some));
    }

    #[tokio::test]
    async fn a_statement_that_failed_outside_of_a_transaction_can_be_tried_again() {
        let (server, mut asked) = server(vec![None, answer("\"a\"", true), None, answer("\"b\"", true)]).await;
        let connection = server.open(Unread::default());
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
            answer("null", true),
            answer("\"a\"", false),
            answer("\"a\"", true),
            answer("null", true),
            answer("\"b\"", false),
            answer("null", false),
        ])
        .await;
        let connection = server.open(Unread::default());
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
        let refused =
            "{\"baton\":null}\n{\"type\":\"step_error\",\"step\":0,\"error\":{\"message\":\"s3cret is no token\"}}\n";
        let odd = "{\"baton\":null}\n\"s3cret\"\n";
        let (server, _asked) = server(vec![Some(refused.to_owned()), Some(odd.to_owned())]).await;
        assert_eq!(run(&server.open(Unread::default()), "SELECT 1").await, Err("… is no token".to_owned()));
        let error = run(&server.open(Unread::default()), "SELECT 1").await.expect_err("not the protocol");
        assert!(error.ends_with("the answer is not one of the protocol (line 1, column 8)"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_an_error() {
        let begun = "{\"baton\":\"a\"}\n{\"type\":\"step_begin\",\"step\":0,\"cols\":[]}\n";
        for (answer, expected) in [
            ("", "the server answers nothing"),
            ("{\"baton\":\"a\"}\n", "the answer ends too early"),
            ("{\"baton\":null}\n{\"type\":\"row\",\"row\":[]}\n", "the answer is not in the order of the protocol"),
            (
                "{\"baton\":null}\n{\"type\":\"step_begin\",\"step\":1,\"cols\":[]}\n",
                "not in the order of the protocol",
            ),
            ("{\"baton\":null}\n{\"type\":\"error\",\"error\":{\"message\":\"too s3cret\"}}\n", "too …"),
            (begun, "the answer ends too early"),
            ("{\"baton\":null,\"base_url\":\"http://elsewhere\"}\n", "where the token doesn't belong"),
        ] {
            let (server, _asked) = server(vec![Some(answer.to_owned())]).await;
            let error = run(&server.open(Unread::default()), "SELECT 1").await.expect_err(expected);
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn what_a_server_refuses_is_told_with_its_words_and_without_the_token() {
        let refused = "HTTP/1.1 403 -\r\ncontent-length: 27\r\n\r\n{\"error\":\"s3cret is stale\"}";
        let (server, _asked) = server(vec![Some(refused.to_owned())]).await;
        let error = run(&server.open(Unread::default()), "SELECT 1").await.expect_err("no answer");
        let expected = "the server answers to cursor of Hrana 3 with status 403: … is stale";
        assert!(error.ends_with(expected), "{error}");
    }

    #[tokio::test]
    async fn a_connection_that_the_server_has_forgotten_is_replaced_outside_of_a_transaction() {
        let forgotten = Some("HTTP/1.1 400 -\r\ncontent-length: 0\r\n\r\n".to_owned());
        let answers = vec![answer("\"a\"", true), forgotten.clone(), answer("\"b\"", false), forgotten];
        let (server, mut asked) = server(answers).await;
        let connection = server.open(Unread::default());
        run(&connection, "SELECT 1").await.expect("answered");
        run(&connection, "BEGIN").await.expect("answered by another one");
        run(&connection, "SELECT 2").await.expect_err("its transaction is lost");
        let error = run(&connection, "SELECT 3").await.expect_err("so is the connection");
        assert!(error.contains("the connection is lost"), "{error}");
        let batons = [asked.recv().await, asked.recv().await, asked.recv().await, asked.recv().await];
        assert_eq!(batons, [None, Some("a"), None, Some("b")].map(|baton| Some(baton.map(str::to_owned))));
    }

    #[tokio::test]
    async fn a_statement_without_rows_is_done_though_nobody_reads_those() {
        let (server, mut asked) = server(vec![answer("\"a\"", false), answer("\"b\"", true)]).await;
        let connection = server.open(Unread::default());
        drop(connection.stream("BEGIN".to_owned(), Vec::new()).await);
        run(&connection, "COMMIT").await.expect("of the same connection");
        assert_eq!([asked.recv().await, asked.recv().await], [None, Some("a".to_owned())].map(Some));
    }
}
