//! `spin:postgres@4.2.0`, which serves 4.0.0 and 4.1.0 too: rows as a whole or as a stream, and connections with settings of
//! their own.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::v4::{
    Column, Error, Host as HostInterface, HostConnection, HostConnectionBuilder, HostConnectionBuilderWithStore,
    HostConnectionWithStore, ParameterValue, Row, RowSet,
};
use super::{Builder, Connection, Host, Identity, View, error};

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(View::open(self, address, Identity::default()).await)
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<RowSet, Error>> {
        let connection = match self.connection(&connection) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let answer = connection.query(&statement, parameters).await;
        Ok(answer.map(|answer| RowSet { columns: answer.columns, rows: answer.rows }))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        match self.connection(&connection) {
            Ok(connection) => Ok(connection.execute(&statement, parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

/// Gives the guest a handle of what was opened.
fn keep<T: 'static>(
    accessor: &Accessor<T, Host>,
    opened: Result<Connection, Error>,
) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
    Ok(opened.and_then(|connection| Ok(accessor.with(|mut access| access.get().keep(connection))?)))
}

type Rows = (Vec<Column>, StreamReader<Row>, FutureReader<Result<(), Error>>);

impl<T: Send + 'static> HostConnectionWithStore<T> for Host {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        address: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opening = accessor.with(|mut access| access.get().opening(address, Identity::default()));
        let opened = opening.await;
        keep(accessor, opened)
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        let connection = match accessor.with(|mut access| access.get().connection(&connection)) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let streamed = match connection.stream(&statement, parameters).await {
            Ok(streamed) => streamed,
            Err(error) => return Ok(Err(error)),
        };
        let given_up = error::query_text("the statement was given up");
        let (rows, ended) = accessor.with(|mut access| streamed.rows.into_readers(&mut access, (), given_up))?;
        Ok(Ok((streamed.columns, rows, ended)))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        match accessor.with(|mut access| access.get().connection(&connection)) {
            Ok(connection) => Ok(connection.execute(&statement, parameters).await),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostConnectionBuilder for View<'_> {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<Builder>> {
        Ok(self.table.push(Builder::new(address))?)
    }

    async fn set_ca_root(
        &mut self,
        builder: Resource<Builder>,
        certificate: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        let builder = self.table.get_mut(&builder)?;
        Ok(builder.identity.trust(&certificate).map_err(Error::Other))
    }

    async fn build(&mut self, builder: Resource<Builder>) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        match self.table.get(&builder)?.parts() {
            Ok((address, identity)) => Ok(View::open(self, address, identity).await),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn drop(&mut self, builder: Resource<Builder>) -> wasmtime::Result<()> {
        self.close(builder)
    }
}

impl<T: Send + 'static> HostConnectionBuilderWithStore<T> for Host {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<Builder>,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let opening = accessor.with(|mut access| {
            let mut view = access.get();
            let parts = view.table.get(&builder)?.parts();
            wasmtime::error::Ok(parts.map(|(address, identity)| view.opening(address, identity)))
        })?;
        let opened = match opening {
            Ok(opening) => opening.await,
            Err(error) => Err(error),
        };
        keep(accessor, opened)
    }
}
