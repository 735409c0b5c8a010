//! `fermyon:spin/postgres` without a version, where each call names its server, and 2.0.0. Both share types with MySQL, which
//! are structurally the same.

use std::future::ready;

use wasmtime::component::Resource;

use super::bindings::fermyon::spin::rdbms_types as v1_types;
use super::statement::Answer;
use super::{Connection, Error, Identity, View, v1, v2, v2_types, v4};
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
    ) -> wasmtime::Result<Result<v1_types::RowSet, v1::PgError>> {
        // Given back after the call: there is nothing by which a guest could do it.
        let connection = self.opening(address, Identity::default());
        Ok(query(connection, &statement, parameters).await.map(Into::into).map_err(v1::PgError::from))
    }

    async fn execute(
        &mut self,
        address: String,
        statement: String,
        parameters: Vec<v1_types::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, v1::PgError>> {
        let connection = self.opening(address, Identity::default());
        Ok(execute(connection, &statement, parameters).await.map_err(v1::PgError::from))
    }
}

impl v2::HostConnection for View<'_> {
    async fn open(&mut self, address: String) -> wasmtime::Result<Result<Resource<Connection>, v2::Error>> {
        Ok(View::open(self, address, Identity::default()).await.map_err(v2::Error::from))
    }

    async fn query(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<v2_types::ParameterValue>,
    ) -> wasmtime::Result<Result<v2_types::RowSet, v2::Error>> {
        let connection = ready(self.connection(&connection));
        Ok(query(connection, &statement, parameters).await.map(Into::into).map_err(v2::Error::from))
    }

    async fn execute(
        &mut self,
        connection: Resource<Connection>,
        statement: String,
        parameters: Vec<v2_types::ParameterValue>,
    ) -> wasmtime::Result<Result<u64, v2::Error>> {
        let connection = ready(self.connection(&connection));
        Ok(execute(connection, &statement, parameters).await.map_err(v2::Error::from))
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.close(connection)
    }
}

async fn query<V>(
    connection: impl Future<Output = Result<Connection, Error>>,
    statement: &str,
    values: Vec<V>,
) -> Result<Answer, Error>
where
    v4::ParameterValue: TryFrom<V, Error = Error>,
{
    let values = values.into_iter().map(TryFrom::try_from).collect::<Result<_, _>>()?;
    connection.await?.query(statement, values).await
}

async fn execute<V>(
    connection: impl Future<Output = Result<Connection, Error>>,
    statement: &str,
    values: Vec<V>,
) -> Result<u64, Error>
where
    v4::ParameterValue: TryFrom<V, Error = Error>,
{
    let values = values.into_iter().map(TryFrom::try_from).collect::<Result<_, _>>()?;
    connection.await?.execute(statement, values).await
}

/// The types of both generations are the same but for their names.
macro_rules! same_types {
    ($types:ident) => {
        impl TryFrom<$types::ParameterValue> for v4::ParameterValue {
            type Error = Error;

            fn try_from(value: $types::ParameterValue) -> Result<Self, Error> {
                use $types::ParameterValue as Value;
                Ok(match value {
                    Value::Boolean(value) => Self::Boolean(value),
                    Value::Int8(value) => Self::Int8(value),
                    Value::Int16(value) => Self::Int16(value),
                    Value::Int32(value) => Self::Int32(value),
                    Value::Int64(value) => Self::Int64(value),
                    Value::Uint8(_) | Value::Uint16(_) | Value::Uint32(_) | Value::Uint64(_) => {
                        let reason = "Postgres does not support unsigned integers".to_owned();
                        return Err(Error::ValueConversionFailed(reason));
                    }
                    Value::Floating32(value) => Self::Floating32(value),
                    Value::Floating64(value) => Self::Floating64(value),
                    Value::Str(value) => Self::Str(value),
                    Value::Binary(value) => Self::Binary(value),
                    Value::DbNull => Self::DbNull,
                })
            }
        }

        impl From<v4::DbValue> for $types::DbValue {
            fn from(value: v4::DbValue) -> Self {
                same_case!(
                    value,
                    v4::DbValue,
                    [Boolean Int8 Int16 Int32 Int64 Floating32 Floating64 Str Binary],
                    [DbNull],
                    Unsupported
                )
            }
        }

        impl From<v4::DbDataType> for $types::DbDataType {
            fn from(of: v4::DbDataType) -> Self {
                same_case!(
                    of,
                    v4::DbDataType,
                    [],
                    [Boolean Int8 Int16 Int32 Int64 Floating32 Floating64 Str Binary],
                    Other
                )
            }
        }

        impl From<v4::Column> for $types::Column {
            fn from(column: v4::Column) -> Self {
                Self { name: column.name, data_type: column.data_type.into() }
            }
        }

        impl From<Answer> for $types::RowSet {
            fn from(answer: Answer) -> Self {
                let row = |row: v4::Row| row.into_iter().map(Into::into).collect();
                Self {
                    columns: answer.columns.into_iter().map(Into::into).collect(),
                    rows: answer.rows.into_iter().map(row).collect(),
                }
            }
        }
    };
}

same_types!(v1_types);
same_types!(v2_types);
