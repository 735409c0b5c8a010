//! `mysql` in its generations. Every call but `open` is about the connection that was opened last. Parameters and values are
//! written as for `postgres`.

use crate::rdbms::{Table, rdbms, row, table};
use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:mysql;
                 world imports {
                     import fermyon:spin/mysql;
                     import fermyon:spin/mysql@2.0.0;
                     import spin:mysql/mysql@3.0.0;
                 }",
        path: ["../../../wit/fermyon-spin", "../../../wit/fermyon-spin-2.0.0", "../../../wit/spin-mysql-3.0.0"],
        generate_all,
    });
}

rdbms!(v1, super::bindings::fermyon::spin::rdbms_types);
rdbms!(v2, super::bindings::fermyon::spin2_0_0::rdbms_types);
rdbms!(v3, super::bindings::spin::mysql::mysql);

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::mysql;
    let call = |call: &[&str]| match call {
        ["query", address, statement, parameters @ ..] => {
            result(mysql::query(address, statement, &v1::parameters(parameters)).map(|found| table!(found, v1)))
        }
        ["execute", address, statement, parameters @ ..] => {
            result(mysql::execute(address, statement, &v1::parameters(parameters)))
        }
        // More calls than there are connections.
        ["query-many", address, times] => {
            let done = (0..times.parse().unwrap_or(0)).take_while(|_| mysql::query(address, "SELECT 1", &[]).is_ok());
            done.count().to_string()
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin2_0_0::mysql::Connection;
    let mut connection: Option<Connection> = None;
    let mut call = |call: &[&str]| match (call, &connection) {
        (["open", address], _) => result(Connection::open(address).map(|opened| connection = Some(opened))),
        (["query", statement, parameters @ ..], Some(connection)) => {
            result(connection.query(statement, &v2::parameters(parameters)).map(|found| table!(found, v2)))
        }
        (["execute", statement, parameters @ ..], Some(connection)) => {
            result(connection.execute(statement, &v2::parameters(parameters)))
        }
        (["close"], Some(_)) => {
            connection = None;
            "ok".to_owned()
        }
        (other, _) => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::spin::mysql::mysql::{Column, Connection};
    let mut connection: Option<Connection> = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &connection) {
            (["open", address], _) => {
                result(Connection::open(address.to_string()).await.map(|opened| connection = Some(opened)))
            }
            (["query", statement, parameters @ ..], Some(connection)) => {
                match connection.query(statement.to_string(), v3::parameters(parameters)).await {
                    Ok((columns, rows, ended)) => {
                        let column = |column: &Column| format!("{}:{}", column.name, v3::kind(&column.data_type));
                        let columns = columns.iter().map(column).collect();
                        let rows = rows.collect().await;
                        let rows = rows.iter().map(|values| row(values.iter().map(v3::value).collect())).collect();
                        result(ended.await.map(|()| Table(columns, rows)))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // How many rows there are, without keeping any.
            (["count-rows", statement], Some(connection)) => {
                match connection.query(statement.to_string(), Vec::new()).await {
                    Ok((_, rows, ended)) => {
                        let count = crate::counted::count(rows).await;
                        result(ended.await.map(|()| count))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // Reads one row and lets the others go.
            (["first-row", statement], Some(connection)) => {
                match connection.query(statement.to_string(), Vec::new()).await {
                    Ok((_, mut rows, _ended)) => {
                        let found = rows.next().await;
                        found.map_or_else(|| "none".to_owned(), |values| row(values.iter().map(v3::value).collect()))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            (["execute", statement, parameters @ ..], Some(connection)) => {
                result(connection.execute(statement.to_string(), v3::parameters(parameters)).await)
            }
            (other, _) => unknown(other),
        });
    }
    answers
}
