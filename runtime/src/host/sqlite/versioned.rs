//! `spin:sqlite@3.1.0`, which serves 3.0.0 too: rows as a whole or as a stream.

use wasmtime::component::{Accessor, FutureReader, Resource, StreamReader};

use super::bindings::spin::sqlite::sqlite::{
    Error, Host as HostInterface, HostConnection, HostConnectionWithStore, QueryResult, RowResult, Value,
};
use super::{Connection, Host, View, given_up};

impl HostInterface for View<'_> {}

impl View<'_> {
    /// The same for what has no error to answer with.
    fn known(&self, connection: &Resource<Connection>) -> wasmtime::Result<Connection> {
        Ok(self.table.get(connection)?.clone())
    }
}

impl HostConnection for View<'_> {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(View::open(self, &database).await.map_err(Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<QueryResult, Error>> {
        let Some(connection) = self.connection(&connection) else { return Ok(Err(Error::InvalidConnection)) };
        Ok(connection.execute(statement, parameters).await.map(Into::into).map_err(Error::from))
    }

    async fn last_insert_rowid(&mut self, connection: Resource<Connection>) -> wasmtime::Result<i64> {
        Ok(self.known(&connection)?.last_insert_rowid().await)
    }

    async fn changes(&mut self, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        Ok(self.known(&connection)?.changes().await)
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

type Rows = (Vec<String>, StreamReader<RowResult>, FutureReader<Result<(), Error>>);

impl<T: Send + 'static> HostConnectionWithStore<T> for Host {
    async fn open_async(
        accessor: &Accessor<T, Self>,
        database: String,
    ) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        let (databases, unread) = match accessor.with(|mut access| access.get().may_open(&database)) {
            Ok(opening) => opening,
            Err(refused) => return Ok(Err(refused.into())),
        };
        let opened = databases.open(&database, unread).await;
        Ok(accessor.with(|mut access| access.get().opened(opened)).map_err(Error::from))
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<Value>,
    ) -> wasmtime::Result<Result<Rows, Error>> {
        let Some(connection) = accessor.with(|mut access| access.get().connection(&connection)) else {
            return Ok(Err(Error::InvalidConnection));
        };
        let streamed = connection.stream(statement, parameters).await;
        accessor.with(|mut access| {
            let (rows, ended) = streamed.rows.into_readers(&mut access, streamed.wanted, given_up())?;
            Ok(Ok((streamed.columns, rows, ended)))
        })
    }

    async fn last_insert_rowid_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<Connection>,
    ) -> wasmtime::Result<i64> {
        let connection = accessor.with(|mut access| access.get().known(&connection))?;
        Ok(connection.last_insert_rowid().await)
    }

    async fn changes_async(accessor: &Accessor<T, Self>, connection: Resource<Connection>) -> wasmtime::Result<u64> {
        let connection = accessor.with(|mut access| access.get().known(&connection))?;
        Ok(connection.changes().await)
    }
}
