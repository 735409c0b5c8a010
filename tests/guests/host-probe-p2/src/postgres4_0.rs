//! `spin:postgres@4.0.0`. A component that has 4.2.0 too would import that one instead: those who link it think it the same.

use crate::postgres::{connection_calls, fourth};
use crate::rdbms::table;
use crate::shown::{result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:postgres4-0;
                 world imports { import spin:postgres/postgres@4.0.0; }",
        path: ["../wit/spin-postgres-4.0.0"],
        generate_all,
    });
}

mod of {
    super::fourth!(super::bindings::spin::postgres::postgres);
}

pub fn session(calls: &[Vec<&str>]) -> Vec<String> {
    connection_calls!(of, of::Connection, calls)
}
