//! What went wrong, as guests of each generation are told it. The errors of `spin:postgres@4` are the model.

use std::error::Error as _;

use tokio_postgres::Error as DriverError;
use tokio_postgres::error::DbError as ServerError;

use super::{Error, v1, v3, v4};
use crate::host::rows::TooLarge;
use v4::{DbError, QueryError};

/// A statement failed.
pub(super) fn query(error: &DriverError) -> Error {
    Error::QueryFailed(match error.as_db_error() {
        Some(error) => QueryError::DbError(said(error)),
        None => QueryError::Text(text(error)),
    })
}

/// A statement failed for a reason of ours.
pub(super) fn query_text(reason: impl Into<String>) -> Error {
    Error::QueryFailed(QueryError::Text(reason.into()))
}

impl From<TooLarge> for Error {
    fn from(error: TooLarge) -> Self {
        query_text(error.to_string())
    }
}

/// An error of the driver with all that led to it.
pub(super) fn text(error: &DriverError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn said(error: &ServerError) -> DbError {
    let line = error.line().map(|line| line.to_string());
    let extras = [
        ("column", error.column()),
        ("constraint", error.constraint()),
        ("routine", error.routine()),
        ("hint", error.hint()),
        ("table", error.table()),
        ("datatype", error.datatype()),
        ("schema", error.schema()),
        ("file", error.file()),
        ("line", line.as_deref()),
        ("where_", error.where_()),
    ];
    DbError {
        as_text: error.to_string(),
        severity: error.severity().to_owned(),
        code: error.code().code().to_owned(),
        message: error.message().to_owned(),
        detail: error.detail().map(str::to_owned),
        extras: extras.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned()))).collect(),
    }
}

/// What older generations have for the two forms of a failed statement.
fn flat(error: QueryError) -> String {
    match error {
        QueryError::Text(text) => text,
        QueryError::DbError(error) => error.as_text,
    }
}

macro_rules! older {
    ($older:ty, $other:ident) => {
        impl From<Error> for $older {
            fn from(error: Error) -> Self {
                match error {
                    Error::ConnectionFailed(text) => Self::ConnectionFailed(text),
                    Error::BadParameter(text) => Self::BadParameter(text),
                    Error::QueryFailed(error) => Self::QueryFailed(flat(error)),
                    Error::ValueConversionFailed(text) => Self::ValueConversionFailed(text),
                    Error::Other(text) => Self::$other(text),
                }
            }
        }
    };
}

older!(v1::PgError, OtherError);
older!(super::v2_types::Error, Other);
older!(v3::Error, Other);
