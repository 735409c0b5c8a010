//! `spin:sqlite@3.0.0`. A component that has 3.1.0 too would import that one instead: those who link it think it the same.

use crate::shown::{result, unknown};
use crate::sqlite::{Table, values};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:sqlite3-0;
                 world imports { import spin:sqlite/sqlite@3.0.0; }",
        path: ["../wit/spin-sqlite-3.0.0"],
        generate_all,
    });
}
use bindings::spin::sqlite::sqlite;

mod of {
    super::values!(super::sqlite);
}

pub fn session(calls: &[Vec<&str>]) -> Vec<String> {
    use sqlite::Connection;
    let mut connection: Option<Connection> = None;
    let mut call = |call: &[&str]| match (call, &connection) {
        (["open", database], _) => result(Connection::open(database).map(|opened| connection = Some(opened))),
        (["execute", statement, parameters @ ..], Some(connection)) => {
            let answer = connection.execute(statement, &of::parameters(parameters));
            result(answer.map(|found| Table(found.columns, found.rows.iter().map(|row| of::row(&row.values)).collect())))
        }
        (["last-insert-rowid"], Some(connection)) => connection.last_insert_rowid().to_string(),
        (["changes"], Some(connection)) => connection.changes().to_string(),
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}
