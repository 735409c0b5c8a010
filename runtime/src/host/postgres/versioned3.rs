//! `spin:postgres@3.0.0`: fewer types, and errors of a statement as a text.

use wasmtime::component::Resource;

use super::statement::Answer;
use super::v3::{Column, DbDataType, DbValue, Error, Host as HostInterface, HostConnection, ParameterValue, RowSet};
use super::{Connection, Identity, View, v4};
use crate::host::rdbms::same_case;

impl HostInterface for View<'_> {}

impl HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<Connection>, Error>> {
        Ok(View::open(self, address, Identity::default()).await.map_err(Error::from))
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<RowSet, Error>> {
        let connection = match self.connection(&connection) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error.into())),
        };
        let answer = connection.query(&statement, parameters.into_iter().map(Into::into).collect()).await;
        Ok(answer.map(RowSet::from).map_err(Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        let connection = match self.connection(&connection) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error.into())),
        };
        let executed = connection.execute(&statement, parameters.into_iter().map(Into::into).collect()).await;
        Ok(executed.map_err(Error::from))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

impl From<ParameterValue> for v4::ParameterValue {
    fn from(value: ParameterValue) -> Self {
        same_case!(
            value,
            ParameterValue,
            [Boolean Int8 Int16 Int32 Int64 Floating32 Floating64 Str Binary Date Time Datetime Timestamp],
            [DbNull]
        )
    }
}

impl From<v4::DbValue> for DbValue {
    fn from(value: v4::DbValue) -> Self {
        same_case!(
            value,
            v4::DbValue,
            [Boolean Int8 Int16 Int32 Int64 Floating32 Floating64 Str Binary Date Time Datetime Timestamp],
            [DbNull],
            Unsupported
        )
    }
}

impl From<v4::DbDataType> for DbDataType {
    fn from(of: v4::DbDataType) -> Self {
        same_case!(
            of,
            v4::DbDataType,
            [],
            [Boolean Int8 Int16 Int32 Int64 Floating32 Floating64 Str Binary Date Time Datetime Timestamp],
            Other
        )
    }
}

impl From<v4::Column> for Column {
    fn from(column: v4::Column) -> Self {
        Self { name: column.name, data_type: column.data_type.into() }
    }
}

impl From<Answer> for RowSet {
    fn from(answer: Answer) -> Self {
        let row = |row: v4::Row| row.into_iter().map(Into::into).collect();
        Self {
            columns: answer.columns.into_iter().map(Into::into).collect(),
            rows: answer.rows.into_iter().map(row).collect(),
        }
    }
}
