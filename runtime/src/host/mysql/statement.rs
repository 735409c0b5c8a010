//! Running a statement of a guest. It runs in a task of its own, which stops it when nobody waits for what it gives.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Conn, Error as DriverError, Params, QueryResult, Value};
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::timeout;

use super::session::{Borrowed, Killer};
use super::v3::{Column, Error, ParameterValue, Row};
use super::{Connection, convert};
use crate::host::rows::{self, Budget, Gone, MOST_BUFFERED, Outcome, TooLarge, Writer};

/// How long a statement that nobody waits for any more may go on by itself.
const END_TIME: Duration = Duration::from_millis(100);

/// How long it may take to stop one; after it the connection is given up.
const KILL_TIME: Duration = Duration::from_secs(5);

/// What the server says of a statement that it doesn't prepare, such as `LOCK TABLES`.
const NOT_PREPARED: u16 = 1295;

pub(super) type Answer = rows::Answer<Column, Row>;
type Streamed = rows::Streamed<Column, Row, Error>;

/// How a statement came to its end.
enum Ended {
    /// The server sends no more.
    AtServer(Result<(), Error>),
    /// A row can't be given to the guest.
    Here(Error),
    /// Nobody waits for it.
    Unread,
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Self::Unread
    }
}

impl From<DriverError> for Ended {
    fn from(error: DriverError) -> Self {
        Self::AtServer(Err(failed(&error)))
    }
}

fn failed(error: &DriverError) -> Error {
    let reason = error.to_string();
    // The driver has no case for that.
    let too_large = matches!(error, DriverError::Io(_)) && reason.contains("larger than max_allowed_packet");
    Error::QueryFailed(if too_large { TooLarge.to_string() } else { reason })
}

fn given_up() -> Error {
    Error::QueryFailed("the connection was given up".to_owned())
}

impl Connection {
    /// The answer while it comes.
    pub(super) async fn stream(&self, statement: String, values: Vec<ParameterValue>) -> Result<Streamed, Error> {
        let borrowed = Arc::clone(&self.0).lock_owned().await;
        let (writer, outcome, rows) = rows::stream();
        let (told, columns) = oneshot::channel();
        let values = values.into_iter().map(convert::parameter).collect();
        tokio::spawn(run(borrowed, statement, values, Sink { told, writer, outcome }));
        let columns = columns.await.unwrap_or_else(|_| Err(given_up()))?;
        Ok(Streamed { columns, rows })
    }

    /// The whole answer.
    pub(super) async fn query(&self, statement: String, values: Vec<ParameterValue>) -> Result<Answer, Error> {
        let Streamed { columns, mut rows } = self.stream(statement, values).await?;
        let mut answer = Answer { columns, rows: Vec::new() };
        let mut budget = Budget::new();
        while let Some(batch) = rows.next().await {
            for row in batch {
                budget.take(convert::size(&row)).map_err(|error| Error::QueryFailed(error.to_string()))?;
                answer.rows.push(row);
            }
        }
        rows.ended.await.unwrap_or_else(|_| Err(given_up()))?;
        Ok(answer)
    }

    /// Runs a statement whose answer is of no interest.
    pub(super) async fn execute(&self, statement: String, values: Vec<ParameterValue>) -> Result<(), Error> {
        let Streamed { mut rows, .. } = self.stream(statement, values).await?;
        while rows.next().await.is_some() {}
        rows.ended.await.unwrap_or_else(|_| Err(given_up()))
    }
}

/// Where what a statement gives goes.
struct Sink {
    told: oneshot::Sender<Result<Vec<Column>, Error>>,
    writer: Writer<Row>,
    outcome: Outcome<Error>,
}

/// Runs a statement to its end, or stops it.
async fn run(mut borrowed: OwnedMutexGuard<Borrowed>, statement: String, values: Vec<Value>, sink: Sink) {
    let Sink { told, writer, outcome } = sink;
    let stopper = borrowed.killer().map(Stopper);
    let (Some(stopper), Some(connection)) = (stopper, borrowed.connection()) else {
        let _ = told.send(Err(given_up()));
        return;
    };
    let mut told = Some(told);
    let mut output = Output { told: &mut told, writer, stopper: &stopper };
    let ended = output.run(connection, &statement, values).await;
    let broken = matches!(ended, Err(Broken)) || borrowed.connection().is_none_or(|it| it.is_disconnected());
    if broken {
        borrowed.give_up();
    }
    drop((output, borrowed));
    // Who has heard of the end finds the connection free.
    match (ended, told) {
        (Ok(Ended::AtServer(Ok(()))), _) => drop(outcome.send(Ok(()))),
        (Ok(Ended::AtServer(Err(error)) | Ended::Here(error)), Some(told)) => drop(told.send(Err(error))),
        (Ok(Ended::AtServer(Err(error)) | Ended::Here(error)), None) => drop(outcome.send(Err(error))),
        (Ok(Ended::Unread) | Err(Broken), _) => {}
    }
}

/// Nobody knows what the server will send next.
struct Broken;

/// Stops the statement that a connection runs.
struct Stopper(Killer);

impl Stopper {
    /// Waits for what is left of a statement; if that takes long, it is stopped.
    async fn drain(&self, rest: impl Future<Output = Result<(), DriverError>>) -> Result<(), Broken> {
        let mut rest = pin!(rest);
        // That it was stopped is an error too, of no interest to anybody.
        if timeout(END_TIME, &mut rest).await.is_ok() {
            return Ok(());
        }
        let stopped = timeout(KILL_TIME, async { (self.0.kill().await, rest.await) });
        match stopped.await {
            Ok((killed, _)) => {
                if let Err(error) = killed {
                    tracing::debug!("a statement could not be stopped: {error}");
                }
                Ok(())
            }
            Err(_) => Err(Broken),
        }
    }
}

struct Output<'a> {
    /// Until the columns are known.
    told: &'a mut Option<oneshot::Sender<Result<Vec<Column>, Error>>>,
    writer: Writer<Row>,
    stopper: &'a Stopper,
}

impl Output<'_> {
    async fn run(&mut self, connection: &mut Conn, statement: &str, values: Vec<Value>) -> Result<Ended, Broken> {
        let (count, unprepared) = (values.len(), values.is_empty());
        let prepared = {
            let mut prepared = Box::pin(connection.prep(statement));
            tokio::select! {
                result = &mut prepared => result,
                () = self.abandoned() => {
                    self.stopper.drain(async { prepared.await.map(drop) }).await?;
                    return Ok(Ended::Unread);
                }
            }
        };
        let error = match prepared {
            // The driver would give up the connection for that.
            Ok(prepared) if usize::from(prepared.num_params()) != count => {
                let wanted = prepared.num_params();
                let reason = format!("the statement has {wanted} parameters, and {count} were given");
                return Ok(Ended::AtServer(Err(Error::QueryFailed(reason))));
            }
            Ok(prepared) => {
                let values = if unprepared { Params::Empty } else { Params::Positional(values) };
                let mut started = Box::pin(connection.exec_iter(prepared, values));
                let result = tokio::select! {
                    result = &mut started => result,
                    () = self.abandoned() => {
                        let rest = async { started.await?.drop_result().await };
                        self.stopper.drain(rest).await?;
                        return Ok(Ended::Unread);
                    }
                };
                match result {
                    Ok(result) => return self.pass(result).await,
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        match error {
            DriverError::Server(error) if error.code == NOT_PREPARED && unprepared => {
                match connection.query_iter(statement).await {
                    Ok(result) => self.pass(result).await,
                    Err(error) => Ok(error.into()),
                }
            }
            error => {
                if let DriverError::Io(error) = &error {
                    tracing::debug!("a connection to a MySQL server ended: {error}");
                }
                Ok(error.into())
            }
        }
    }

    /// Returns when nobody waits for the columns any more.
    async fn abandoned(&mut self) {
        match self.told.as_mut() {
            Some(told) => told.closed().await,
            None => std::future::pending().await,
        }
    }

    async fn pass<P: Protocol>(&mut self, mut result: QueryResult<'_, '_, P>) -> Result<Ended, Broken> {
        let ended = self.pass_all(&mut result).await.err().unwrap_or(Ended::AtServer(Ok(())));
        // The rows that were before an error, too.
        let ended = match self.writer.flush_all().await {
            Ok(()) => ended,
            Err(Gone) => Ended::Unread,
        };
        if !matches!(ended, Ended::AtServer(Err(_))) {
            // Further result sets, which guests have no form for, or what nobody reads.
            self.stopper.drain(result.drop_result()).await?;
        }
        Ok(ended)
    }

    async fn pass_all<P: Protocol>(&mut self, result: &mut QueryResult<'_, '_, P>) -> Result<(), Ended> {
        let columns = convert::columns(result.columns_ref());
        if let Some(told) = self.told.take()
            && told.send(Ok(columns.clone())).is_err()
        {
            return Err(Ended::Unread);
        }
        loop {
            let next = {
                let mut next = pin!(result.next());
                match timeout(Duration::ZERO, &mut next).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.writer.flush_all().await?;
                        tokio::select! {
                            next = &mut next => next,
                            () = self.writer.abandoned() => return Err(Ended::Unread),
                        }
                    }
                }
            };
            let Some(row) = next? else { break };
            let row = convert::row(row, &columns).map_err(Ended::Here)?;
            let bytes = convert::size(&row);
            if bytes > MOST_BUFFERED {
                return Err(Ended::Here(Error::QueryFailed(TooLarge.to_string())));
            }
            self.writer.put(row, bytes).await?;
        }
        Ok(())
    }
}
