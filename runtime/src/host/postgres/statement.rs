//! Running a statement of a guest: its answer as a whole, or row by row.

use std::pin::Pin;

use futures_util::{FutureExt, StreamExt};
use tokio_postgres::{Error as DriverError, Row as DriverRow, RowStream};

use super::v4::{Column, Error, ParameterValue, Row};
use super::{Connection, decode, encode};
use crate::host::rows::{self, Budget, Gone, Writer};

pub(super) type Answer = rows::Answer<Column, Row>;
type Streamed = rows::Streamed<Column, Row, Error>;

impl Connection {
    /// The whole answer. Columns are told with the first row: an answer without rows has none.
    pub(super) async fn query(&self, statement: &str, values: Vec<ParameterValue>) -> Result<Answer, Error> {
        let parameters = encode::parameters(values).map_err(Error::BadParameter)?;
        let (rows, running) = self.0.query(statement, &parameters).await.map_err(|error| self.0.explain(&error))?;
        let mut rows = std::pin::pin!(rows);
        let mut answer = Answer { columns: Vec::new(), rows: Vec::new() };
        let mut budget = Budget::new();
        while let Some(row) = rows.next().await {
            let row = match row {
                Ok(row) => row,
                Err(failed) => {
                    running.fail(&failed);
                    return Err(self.0.explain(&failed));
                }
            };
            if answer.rows.is_empty() {
                answer.columns = decode::columns(&row);
            }
            answer.rows.push(decode::row(&row, &mut budget)?);
        }
        running.finish();
        Ok(answer)
    }

    /// The answer while it comes, from its first row on.
    pub(super) async fn stream(&self, statement: &str, values: Vec<ParameterValue>) -> Result<Streamed, Error> {
        let parameters = encode::parameters(values).map_err(Error::BadParameter)?;
        let (rows, running) = self.0.query(statement, &parameters).await.map_err(|error| self.0.explain(&error))?;
        let mut rows = Box::pin(rows);
        let (mut writer, outcome, read) = rows::stream();
        let Some(first) = rows.next().await else {
            running.finish();
            let _ = outcome.send(Ok(()));
            return Ok(Streamed { columns: Vec::new(), rows: read });
        };
        let first = match first {
            Ok(first) => first,
            Err(failed) => {
                running.fail(&failed);
                return Err(self.0.explain(&failed));
            }
        };
        let columns = decode::columns(&first);
        // The connection stays borrowed while rows come.
        let connection = self.clone();
        tokio::spawn(async move {
            let ended = match pass(&first, &mut rows, &mut writer).await {
                Ended::AtServer(Ok(())) => {
                    running.finish();
                    Ok(())
                }
                Ended::AtServer(Err(failed)) => {
                    running.fail(&failed);
                    Err(connection.0.explain(&failed))
                }
                // In these two the statement is stopped.
                Ended::Here(error) => Err(error),
                Ended::Unread => return,
            };
            // A guest that has heard of the end finds the connection free. The server is told first which statement goes.
            drop((rows, connection, writer));
            let _ = outcome.send(ended);
        });
        Ok(Streamed { columns, rows: read })
    }

    /// The number of rows that a statement concerned.
    pub(super) async fn execute(&self, statement: &str, values: Vec<ParameterValue>) -> Result<u64, Error> {
        let parameters = encode::parameters(values).map_err(Error::ValueConversionFailed)?;
        self.0.execute(statement, &parameters).await.map_err(|error| self.0.explain(&error))
    }
}

/// How a stream of rows ended.
enum Ended {
    /// The server sends no more.
    AtServer(Result<(), DriverError>),
    /// A row can't be given to the guest.
    Here(Error),
    /// Nobody reads them.
    Unread,
}

/// Passes rows on until there are none.
async fn pass(first: &DriverRow, rows: &mut Pin<Box<RowStream>>, writer: &mut Writer<Row>) -> Ended {
    let ended = pass_all(first, rows, writer).await.err().unwrap_or(Ended::AtServer(Ok(())));
    // The rows that were before an error, too.
    match writer.flush_all().await {
        Ok(()) => ended,
        Err(Gone) => Ended::Unread,
    }
}

async fn pass_all(first: &DriverRow, rows: &mut Pin<Box<RowStream>>, writer: &mut Writer<Row>) -> Result<(), Ended> {
    pass_one(first, writer).await?;
    loop {
        let next = match rows.next().now_or_never() {
            Some(next) => next,
            None => {
                writer.flush_all().await?;
                tokio::select! {
                    next = rows.next() => next,
                    () = writer.abandoned() => return Err(Ended::Unread),
                }
            }
        };
        match next {
            Some(Ok(row)) => pass_one(&row, writer).await?,
            Some(Err(failed)) => return Err(Ended::AtServer(Err(failed))),
            None => return Ok(()),
        }
    }
}

async fn pass_one(row: &DriverRow, writer: &mut Writer<Row>) -> Result<(), Ended> {
    let mut budget = Budget::new();
    let row = decode::row(row, &mut budget).map_err(Ended::Here)?;
    Ok(writer.put(row, budget.used()).await?)
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Self::Unread
    }
}
