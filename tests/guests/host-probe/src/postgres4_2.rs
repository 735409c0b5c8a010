//! `spin:postgres@4.2.0`, with what it has beside 4.0.0.

use crate::postgres::fourth;
use crate::rdbms::{Table, row, table};
use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:postgres4-2;
                 world imports { import spin:postgres/postgres@4.2.0; }",
        path: ["../../../wit/spin-postgres-4.2.0"],
        generate_all,
    });
}

mod of {
    super::fourth!(super::bindings::spin::postgres::postgres);
}

pub async fn session(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::spin::postgres::postgres::ConnectionBuilder;
    let mut connection: Option<of::Connection> = None;
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match (words.as_slice(), &connection) {
            (["open", address], _) => result(of::Connection::open(address).map(|opened| connection = Some(opened))),
            (["open-async", address], _) => {
                let opened = of::Connection::open_async(address.to_string()).await;
                result(opened.map(|opened| connection = Some(opened)))
            }
            ([build @ ("build" | "build-async"), address, roots @ ..], _) => {
                let builder = ConnectionBuilder::new(address);
                // The lines of a certificate are written with slashes between them.
                let set = roots.iter().try_for_each(|root| builder.set_ca_root(&root.replace('|', "\n")));
                let built = match (set, *build) {
                    (Err(error), _) => Err(error),
                    (Ok(()), "build") => builder.build(),
                    (Ok(()), _) => builder.build_async().await,
                };
                result(built.map(|built| connection = Some(built)))
            }
            (["close"], Some(_)) => {
                connection = None;
                "ok".to_owned()
            }
            (["query", statement, parameters @ ..], Some(connection)) => {
                let found = connection.query(statement, &of::parameters(parameters));
                result(found.map(|found| table!(found, of)))
            }
            (["query-async", statement, parameters @ ..], Some(connection)) => {
                match connection.query_async(statement.to_string(), of::parameters(parameters)).await {
                    Ok((columns, rows, ended)) => {
                        let column = |column: &bindings::spin::postgres::postgres::Column| {
                            format!("{}:{}", column.name, of::kind(&column.data_type))
                        };
                        let columns = columns.iter().map(column).collect();
                        let rows = rows.collect().await;
                        let rows = rows.iter().map(|values| row(values.iter().map(of::value).collect())).collect();
                        result(ended.await.map(|()| Table(columns, rows)))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // How many rows there are, without keeping any.
            (["count-rows", statement], Some(connection)) => {
                match connection.query_async(statement.to_string(), Vec::new()).await {
                    Ok((_, rows, ended)) => {
                        let count = crate::counted::count(rows).await;
                        result(ended.await.map(|()| count))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            // Reads one row and lets the others go.
            (["first-row", statement], Some(connection)) => {
                match connection.query_async(statement.to_string(), Vec::new()).await {
                    Ok((_, mut rows, _ended)) => {
                        let found = rows.next().await;
                        found.map_or_else(|| "none".to_owned(), |values| row(values.iter().map(of::value).collect()))
                    }
                    Err(error) => result::<(), _>(Err(error)),
                }
            }
            (["execute", statement, parameters @ ..], Some(connection)) => {
                result(connection.execute(statement, &of::parameters(parameters)))
            }
            (["execute-async", statement, parameters @ ..], Some(connection)) => {
                result(connection.execute_async(statement.to_string(), of::parameters(parameters)).await)
            }
            (other, _) => unknown(other),
        });
    }
    answers
}
