//! `fermyon:spin/sqlite` without a version, whose handles are numbers, and 2.0.0.

use wasmtime::component::Resource;

use super::bindings::fermyon::spin::sqlite as v1;
use super::bindings::fermyon::spin2_0_0::sqlite as v2;
use super::{Connection, View};

impl v1::Host for View<'_> {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<u32, v1::Error>> {
        Ok(View::open(self, &database).await.map(|connection| connection.rep()).map_err(v1::Error::from))
    }

    async fn execute(
        &mut self,
        connection: u32,
        statement: String,
        parameters: Vec<v1::Value>,
    ) -> wasmtime::Result<Result<v1::QueryResult, v1::Error>> {
        let Some(connection) = self.connection(&Resource::new_borrow(connection)) else {
            return Ok(Err(v1::Error::InvalidConnection));
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        Ok(connection.execute(statement, parameters).await.map(Into::into).map_err(v1::Error::from))
    }

    async fn close(&mut self, connection: u32) -> wasmtime::Result<()> {
        View::close(self, Resource::new_own(connection))
    }
}

impl v2::Host for View<'_> {}

impl v2::HostConnection for View<'_> {
    async fn open(&mut self, database: String) -> wasmtime::Result<Result<Resource<Connection>, v2::Error>> {
        Ok(View::open(self, &database).await.map_err(v2::Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<v2::Value>,
    ) -> wasmtime::Result<Result<v2::QueryResult, v2::Error>> {
        let Some(connection) = self.connection(&connection) else {
            return Ok(Err(v2::Error::InvalidConnection));
        };
        let parameters = parameters.into_iter().map(Into::into).collect();
        Ok(connection.execute(statement, parameters).await.map(Into::into).map_err(v2::Error::from))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}
