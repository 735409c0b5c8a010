//! `sqlite` in the generations before 3, and what all of them have in common. Every call but `open` is about the connection that
//! was opened last.
//!
//! Parameters of statements are written `i:5`, `r:0.5`, `t:text`, `b:bytes` and `null`; rows are shown in the same way.

use crate::shown::{Shown, result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:sqlite;
                 world imports {
                     import fermyon:spin/sqlite;
                     import fermyon:spin/sqlite@2.0.0;
                 }",
        path: ["../../../wit/fermyon-spin", "../../../wit/fermyon-spin-2.0.0"],
        generate_all,
    });
}

/// Columns and rows.
pub struct Table(pub Vec<String>, pub Vec<String>);

impl Shown for Table {
    fn shown(&self) -> String {
        format!("{} {}", self.0.join(","), self.1.join(" ")).trim_end().to_owned()
    }
}

/// Values of a generation as parameters and in rows.
macro_rules! values {
    ($($module:tt)*) => {
        use $($module)*::Value;

        pub fn parameters(words: &[&str]) -> Vec<Value> {
            let value = |word: &&str| match word.split_once(':') {
                Some(("i", number)) => Value::Integer(number.parse().expect("an integer")),
                Some(("r", number)) => Value::Real(number.parse().expect("a number")),
                Some(("t", text)) => Value::Text(text.to_owned()),
                Some(("b", bytes)) => Value::Blob(bytes.as_bytes().to_vec()),
                _ => Value::Null,
            };
            words.iter().map(value).collect()
        }

        pub fn row(values: &[Value]) -> String {
            let value = |value: &Value| match value {
                Value::Integer(number) => format!("i:{number}"),
                Value::Real(number) => format!("r:{number}"),
                Value::Text(text) => format!("t:{text}"),
                Value::Blob(bytes) => format!("b:{}", bytes.escape_ascii()),
                Value::Null => "null".to_owned(),
            };
            format!("[{}]", values.iter().map(value).collect::<Vec<_>>().join(" "))
        }
    };
}

mod v1 {
    values!(super::bindings::fermyon::spin::sqlite);
}
mod v2 {
    values!(super::bindings::fermyon::spin2_0_0::sqlite);
}

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::sqlite;
    let mut connection = u32::MAX;
    let mut call = |call: &[&str]| match call {
        ["open", database] => result(sqlite::open(database).map(|opened| connection = opened)),
        ["execute", statement, parameters @ ..] => {
            let answer = sqlite::execute(connection, statement, &v1::parameters(parameters));
            result(answer.map(|found| Table(found.columns, found.rows.iter().map(|row| v1::row(&row.values)).collect())))
        }
        ["close"] => {
            sqlite::close(connection);
            "ok".to_owned()
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin2_0_0::sqlite::Connection;
    let mut connection: Option<Connection> = None;
    let mut call = |call: &[&str]| match (call, &connection) {
        (["open", database], _) => result(Connection::open(database).map(|opened| connection = Some(opened))),
        (["execute", statement, parameters @ ..], Some(connection)) => {
            let answer = connection.execute(statement, &v2::parameters(parameters));
            result(answer.map(|found| Table(found.columns, found.rows.iter().map(|row| v2::row(&row.values)).collect())))
        }
        // As many connections as the host gives.
        (["open-many", database], _) => {
            let mut kept = Vec::new();
            loop {
                match Connection::open(database) {
                    Ok(opened) => kept.push(opened),
                    Err(error) => break format!("{} {}", kept.len(), result::<(), _>(Err(error))),
                }
            }
        }
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub(crate) use values;
