//! The interfaces that components of 0.2 have, and those of 0.3 too.

use crate::{http, key_value, keyvalue, llm, mqtt, mysql, postgres, redis, sockets, sqlite};

/// Makes the calls one after another on what they open, and gives their results; none if this is another interface.
pub fn session(interface: &str, calls: &[Vec<&str>]) -> Option<Vec<String>> {
    Some(match interface {
        "fermyon:spin/http" => http::generation1(calls),
        "fermyon:spin/key-value" => key_value::generation1(calls),
        "fermyon:spin/key-value@2.0.0" => key_value::generation2(calls),
        "fermyon:spin/llm" => llm::generation1(calls),
        "fermyon:spin/llm@2.0.0" => llm::generation2(calls),
        "fermyon:spin/mqtt@2.0.0" => mqtt::generation2(calls),
        "fermyon:spin/mysql" => mysql::generation1(calls),
        "fermyon:spin/mysql@2.0.0" => mysql::generation2(calls),
        "fermyon:spin/postgres" => postgres::generation1(calls),
        "fermyon:spin/postgres@2.0.0" => postgres::generation2(calls),
        "fermyon:spin/redis" => redis::generation1(calls),
        "fermyon:spin/redis@2.0.0" => redis::generation2(calls),
        "fermyon:spin/sqlite" => sqlite::generation1(calls),
        "fermyon:spin/sqlite@2.0.0" => sqlite::generation2(calls),
        "spin:postgres/postgres@3.0.0" => postgres::generation3(calls),
        "wasi:http@0.2" => http::generation2(calls),
        "wasi:keyvalue@0.2.0-draft2" => keyvalue::session(calls),
        "wasi:sockets@0.2" => sockets::generation2(calls),
        _ => return None,
    })
}
