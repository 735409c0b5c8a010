//! `fermyon:spin/mysql` without a version, where each call names its server, and 2.0.0.

use std::future::ready;

use wasmtime::component::Resource;

use super::bindings::fermyon::spin::rdbms_types as v1_types;
use super::statement::Answer;
use super::{Connection, Error, View, v1, v2, v2_types, v3};
use crate::host::rdbms::same_case;

impl v1_types::Host for View<'_> {}
impl v2_types::Host for View<'_> {}
impl v2::Host for View<'_> {}

impl v1::Host for View<'_> {
    async fn query(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<v1_types::ParameterValue>,
    ) -> wasmtime::Result<Result<v1_types::RowSet, v1::MysqlError>> {
        // Given back after the call: there is nothing by which a guest could do it.
        let answer = query(self.opening(address), statement, parameters).await;
        Ok(answer.map(Into::into).map_err(v1::MysqlError::from))
    }

    async fn execute(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<v1_types::ParameterValue>,
    ) -> wasmtime::Result<Result<(), v1::MysqlError>> {
        Ok(execute(self.opening(address), statement, parameters).await.map_err(v1::MysqlError::from))
    }
}

impl v2::HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<Connection>, v2::Error>> {
        let opened = self.opening(address).await;
        Ok(opened.and_then(|connection| Ok(self.keep(connection)?)).map_err(v2::Error::from))
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<v2_types::ParameterValue>,
    ) -> wasmtime::Result<Result<v2_types::RowSet, v2::Error>> {
        let connection = ready(self.connection(&connection));
        Ok(query(connection, statement, parameters).await.map(Into::into).map_err(v2::Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<v2_types::ParameterValue>,
    ) -> wasmtime::Result<Result<(), v2::Error>> {
        let connection = ready(self.connection(&connection));
        Ok(execute(connection, statement, parameters).await.map_err(v2::Error::from))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

async fn query<V: Into<v3::ParameterValue>>(
    connection: impl Future<Output = Result<Connection, Error>>,
    statement: String,
    values: Vec<V>,
) -> Result<Answer, Error> {
    connection.await?.query(statement, values.into_iter().map(Into::into).collect()).await
}

async fn execute<V: Into<v3::ParameterValue>>(
    connection: impl Future<Output = Result<Connection, Error>>,
    statement: String,
    values: Vec<V>,
) -> Result<(), Error> {
    connection.await?.execute(statement, values.into_iter().map(Into::into).collect()).await
}

macro_rules! errors {
    ($error:ty, $other:ident) => {
        impl From<Error> for $error {
            fn from(error: Error) -> Self {
                match error {
                    Error::ConnectionFailed(text) => Self::ConnectionFailed(text),
                    Error::BadParameter(text) => Self::BadParameter(text),
                    Error::QueryFailed(text) => Self::QueryFailed(text),
                    Error::ValueConversionFailed(text) => Self::ValueConversionFailed(text),
                    Error::Other(text) => Self::$other(text),
                }
            }
        }
    };
}

errors!(v1::MysqlError, OtherError);
errors!(v2::Error, Other);

/// The types of all generations are the same but for their names.
macro_rules! same_types {
    ($types:ident) => {
        impl From<$types::ParameterValue> for v3::ParameterValue {
            fn from(value: $types::ParameterValue) -> Self {
                same_case!(
                    value,
                    $types::ParameterValue,
                    [Boolean Int8 Int16 Int32 Int64 Uint8 Uint16 Uint32 Uint64 Floating32 Floating64 Str Binary],
                    [DbNull]
                )
            }
        }

        impl From<v3::DbValue> for $types::DbValue {
            fn from(value: v3::DbValue) -> Self {
                same_case!(
                    value,
                    v3::DbValue,
                    [Boolean Int8 Int16 Int32 Int64 Uint8 Uint16 Uint32 Uint64 Floating32 Floating64 Str Binary],
                    [DbNull Unsupported]
                )
            }
        }

        impl From<v3::DbDataType> for $types::DbDataType {
            fn from(of: v3::DbDataType) -> Self {
                same_case!(
                    of,
                    v3::DbDataType,
                    [],
                    [Boolean Int8 Int16 Int32 Int64 Uint8 Uint16 Uint32 Uint64 Floating32 Floating64 Str Binary Other]
                )
            }
        }

        impl From<Answer> for $types::RowSet {
            fn from(answer: Answer) -> Self {
                let column = |column: v3::Column| $types::Column { name: column.name, data_type: column.data_type.into() };
                let row = |row: v3::Row| row.into_iter().map(Into::into).collect();
                Self {
                    columns: answer.columns.into_iter().map(column).collect(),
                    rows: answer.rows.into_iter().map(row).collect(),
                }
            }
        }
    };
}

same_types!(v1_types);
same_types!(v2_types);
