//! `spin:mysql@3.0.0`: rows as a stream.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::v3::{Column, Error, Host as HostInterface, HostConnection, HostConnectionWithStore, ParameterValue, Row};
use super::{Connection, Host, View};

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
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
        Ok(opened.and_then(|connection| Ok(accessor.with(|mut access| access.get().keep(connection))?)))
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
        let given_up = Error::QueryFailed("the statement was given up".to_owned());
        let (rows, ended) = accessor.with(|mut access| streamed.rows.into_readers(&mut access, (), given_up))?;
        Ok(Ok((streamed.columns, rows, ended)))
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
