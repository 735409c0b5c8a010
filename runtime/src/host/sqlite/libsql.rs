//! Databases on a libsql server, over HTTP. The operator names the server, so that what a component may reach has no say.
//!
//! A connection is the server's: a *baton* in each answer names it in the next request. The first request of a guest's
//! connection makes it, and a last one closes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::hrana::{Answers, Found, Pipeline, Request, Statement};
use super::{Answer, Failure, RowResult, Streamed, Value};
use crate::host::http::operator::{JsonServer, NoAnswer, OperatorClient, Patience, origin};
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
        serde_json::from_slice(&body).map_err(|error| self.failed(&error))
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> Failure {
        Failure(self.0.failed(reason))
    }
}

/// Where the server keeps a connection.
#[derive(Default)]
struct Baton {
    baton: Option<String>,
    base: Option<String>,
}

/// A connection that a guest has opened. Statements on it run one after another.
pub(crate) struct Connection {
    server: Arc<Server>,
    state: Arc<Mutex<Baton>>,
    last_insert_rowid: AtomicI64,
    changes: AtomicU64,
}

impl Connection {
    async fn run(&self, request: Request<'_>) -> Result<Option<Found>, Failure> {
        let mut state = self.state.lock().await;
        // Should the answer be lost, so is the connection: the server forgets it after a while.
        let Baton { baton, base } = std::mem::take(&mut *state);
        let pipeline = Pipeline { baton: baton.as_deref(), requests: vec![request] };
        let answers = self.server.ask(base.as_deref().unwrap_or(self.server.0.url()), &pipeline).await?;
        if let Some(elsewhere) = answers.base_url.as_deref().filter(|url| !self.server.0.is_at(url)) {
            let reason =
                format!("the server wants statements sent to {}, where the token doesn't belong", origin(elsewhere));
            return Err(self.server.failed(&reason));
        }
        *state = Baton { baton: answers.baton, base: answers.base_url.or(base) };
        let first = answers.results.into_iter().next();
        first.ok_or_else(|| self.server.failed(&"the server answers nothing"))?.found()
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
            let Baton { baton, base } = std::mem::take(&mut *state.lock().await);
            if let Some(baton) = baton {
                let pipeline = Pipeline { baton: Some(&baton), requests: vec![Request::Close] };
                let base = base.unwrap_or_else(|| server.0.url().to_owned());
                if let Err(failure) = server.ask(&base, &pipeline).await {
                    tracing::debug!("closing a connection: {failure}");
                }
            }
        });
    }
}
