//! `spin:mysql@3.0.0`: rows as a stream.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::v3::{Column, Error, Host as HostInterface, HostConnection, HostConnectionWithStore, ParameterValue, Row};
use super::{Connection, Host, View};
use crate::host::rows::Items;

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

type Rows = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

impl<T: Send + 'static> HostConnectionWithStore<T> for Host {
    async fn open(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opening = accessor.with(|mut access| access.get().opening(address));
        let opened = opening.await;
        Ok(opened.and_then(|connection| accessor.with(|mut access| access.get().keep(connection))))
    }

    async fn query(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        let connection = match accessor.with(|mut access| access.get().connection(&connection)) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let streamed = match connection.stream(statement, parameters).await {
            Ok(streamed) => streamed,
            Err(error) => return Ok(Err(error)),
        };
        accessor.with(|mut access| {
            let rows = StreamReader::new(&mut access, Items::new(streamed.rows.receiver))?;
            let ended = streamed.rows.ended;
            let ended = FutureReader::new(&mut access, async move {
                let given_up = |_| Err(Error::QueryFailed("the statement was given up".to_owned()));
                wasmtime::error::Ok(ended.await.unwrap_or_else(given_up))
            })?;
            Ok(Ok((streamed.columns, rows, ended)))
        })
    }

    async fn execute(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<(), Error>> {
        match accessor.with(|mut access| access.get().connection(&connection)) {
            Ok(connection) => Ok(connection.execute(statement, parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }
}
