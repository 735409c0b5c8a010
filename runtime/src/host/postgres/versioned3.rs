//! `spin:postgres@3.0.0`: fewer types, and errors of a statement as a text.

use wasmtime::component::Resource;

use super::statement::Answer;
use super::v3::{Column, DbDataType, DbValue, Error, Host as HostInterface, HostConnection, ParameterValue, RowSet};
use super::{Connection, Identity, View, v4};

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
        match value {
            ParameterValue::Boolean(value) => Self::Boolean(value),
            ParameterValue::Int8(value) => Self::Int8(value),
            ParameterValue::Int16(value) => Self::Int16(value),
            ParameterValue::Int32(value) => Self::Int32(value),
            ParameterValue::Int64(value) => Self::Int64(value),
            ParameterValue::Floating32(value) => Self::Floating32(value),
            ParameterValue::Floating64(value) => Self::Floating64(value),
            ParameterValue::Str(value) => Self::Str(value),
            ParameterValue::Binary(value) => Self::Binary(value),
            ParameterValue::Date(value) => Self::Date(value),
            ParameterValue::Time(value) => Self::Time(value),
            ParameterValue::Datetime(value) => Self::Datetime(value),
            ParameterValue::Timestamp(value) => Self::Timestamp(value),
            ParameterValue::DbNull => Self::DbNull,
        }
    }
}

impl From<v4::DbValue> for DbValue {
    fn from(value: v4::DbValue) -> Self {
        match value {
            v4::DbValue::Boolean(value) => Self::Boolean(value),
            v4::DbValue::Int8(value) => Self::Int8(value),
            v4::DbValue::Int16(value) => Self::Int16(value),
            v4::DbValue::Int32(value) => Self::Int32(value),
            v4::DbValue::Int64(value) => Self::Int64(value),
            v4::DbValue::Floating32(value) => Self::Floating32(value),
            v4::DbValue::Floating64(value) => Self::Floating64(value),
            v4::DbValue::Str(value) => Self::Str(value),
            v4::DbValue::Binary(value) => Self::Binary(value),
            v4::DbValue::Date(value) => Self::Date(value),
            v4::DbValue::Time(value) => Self::Time(value),
            v4::DbValue::Datetime(value) => Self::Datetime(value),
            v4::DbValue::Timestamp(value) => Self::Timestamp(value),
            v4::DbValue::DbNull => Self::DbNull,
            _ => Self::Unsupported,
        }
    }
}

impl From<v4::Column> for Column {
    fn from(column: v4::Column) -> Self {
        let data_type = match column.data_type {
            v4::DbDataType::Boolean => DbDataType::Boolean,
            v4::DbDataType::Int8 => DbDataType::Int8,
            v4::DbDataType::Int16 => DbDataType::Int16,
            v4::DbDataType::Int32 => DbDataType::Int32,
            v4::DbDataType::Int64 => DbDataType::Int64,
            v4::DbDataType::Floating32 => DbDataType::Floating32,
            v4::DbDataType::Floating64 => DbDataType::Floating64,
            v4::DbDataType::Str => DbDataType::Str,
            v4::DbDataType::Binary => DbDataType::Binary,
            v4::DbDataType::Date => DbDataType::Date,
            v4::DbDataType::Time => DbDataType::Time,
            v4::DbDataType::Datetime => DbDataType::Datetime,
            v4::DbDataType::Timestamp => DbDataType::Timestamp,
            _ => DbDataType::Other,
        };
        Self { name: column.name, data_type }
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
