//! `spin:sqlite@3.1.0`, which waits for nothing if it is asked that way.

use crate::shown::{result, unknown};
use crate::sqlite::{Table, values};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:sqlite3-1;
                 world imports { import spin:sqlite/sqlite@3.1.0; }",
        path: ["../../../wit/spin-sqlite-3.1.0"],
        generate_all,
    });
}
use bindings::spin::sqlite::sqlite;

mod of {
    super::values!(super::sqlite);
}

pub async fn session(calls: &[Vec<&str>]) -> Vec<String> {
    use sqlite::Connection;
    let mut connection: Option<Connection> = None;
    let mut unread = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &connection) {
            (["open", database], _) => result(Connection::open(database).map(|opened| connection = Some(opened))),
            (["open-async", database], _) => {
                result(Connection::open_async(database.to_string()).await.map(|opened| connection = Some(opened)))
            }
            (["execute", statement, parameters @ ..], Some(connection)) => {
                let answer = connection.execute(statement, &of::parameters(parameters));
                let rows = |found: sqlite::QueryResult| {
                    Table(found.columns, found.rows.iter().map(|row| of::row(&row.values)).collect())
                };
                result(answer.map(rows))
            }
            (["execute-async", statement, parameters @ ..], Some(connection)) => {
                match connection.execute_async(statement.to_string(), of::parameters(parameters)).await {
                    Ok((columns, rows, ended)) => {
                        let rows = rows.collect().await.iter().map(|row| of::row(&row.values)).collect();
                        result(ended.await.map(|()| Table(columns, rows)))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // How many rows there are, without keeping any.
            (["count-rows", statement], Some(connection)) => {
                match connection.execute_async(statement.to_string(), Vec::new()).await {
                    Ok((_, rows, ended)) => {
                        let count = crate::counted::count(rows).await;
                        result(ended.await.map(|()| count))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // Reads one row and lets the others go.
            (["first-row", statement], Some(connection)) => {
                match connection.execute_async(statement.to_string(), Vec::new()).await {
                    Ok((_, mut rows, _ended)) => {
                        let row = rows.next().await;
                        row.map_or_else(|| "none".to_owned(), |row| of::row(&row.values))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // Leaves all rows unread, and then counts them.
            (["leave-rows", statement], Some(connection)) => {
                let asked = connection.execute_async(statement.to_string(), Vec::new()).await;
                result(asked.map(|(_, rows, ended)| unread = Some((rows, ended))))
            }
            (["count-left"], _) => {
                let (rows, ended) = unread.take().expect("rows were left");
                let count = crate::counted::count(rows).await;
                result(ended.await.map(|()| count))
            }
            (["last-insert-rowid"], Some(connection)) => connection.last_insert_rowid().to_string(),
            (["last-insert-rowid-async"], Some(connection)) => connection.last_insert_rowid_async().await.to_string(),
            (["changes"], Some(connection)) => connection.changes().to_string(),
            (["changes-async"], Some(connection)) => connection.changes_async().await.to_string(),
            (other, _) => unknown(other),
        });
    }
    answers
}
