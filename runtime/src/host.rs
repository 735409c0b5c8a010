//! What guests can import. One capability, one module: how it is linked, what it keeps for the app, for a component and
//! for one instance, and whether the component may use it.
//!
//! WASI and its HTTP are wired by hand, since the engine's own crates bring them. All else is a [`Capability`] with a
//! line in the registry below.

mod capability;
pub(crate) mod connections;
pub(crate) mod egress;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod key_value;
mod labels;
pub(crate) mod llm;
mod measured;
pub(crate) mod mqtt;
mod mysql;
mod pools;
mod postgres;
mod rdbms;
mod recent;
mod redis;
pub(crate) mod rows;
mod snapshots;
pub(crate) mod sockets;
pub(crate) mod sqlite;
mod told;
mod variables;
pub(crate) mod wasi;

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::engine::Concurrency;
use crate::instance::HostState;
pub(crate) use capability::{Capability, ComponentContext};
use connections::ServerOptions;
use egress::Egress;

capability::capabilities! {
    /// Key-value stores.
    key_value: key_value::KeyValue, key_value::KeyValueOptions;
    /// Large language models.
    llm: llm::Llm, llm::LlmOptions;
    /// MQTT brokers.
    mqtt: mqtt::Mqtt, mqtt::MqttOptions;
    /// MySQL servers.
    mysql: mysql::MySql, ServerOptions;
    /// PostgreSQL servers.
    postgres: postgres::Postgres, ServerOptions;
    /// Redis servers.
    redis: redis::Redis, ServerOptions;
    /// SQLite databases.
    sqlite: sqlite::Sqlite, sqlite::SqliteOptions;
    ---
    variables: variables::Variables;
}

/// A linker with everything that guests may import that run on `engine`, which is of this kind.
///
/// One linker serves all components of an engine: what a component doesn't import costs it nothing.
pub(crate) fn linker(engine: &Engine, concurrency: Concurrency) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    snapshots::link(&mut linker)?;
    http::link(&mut linker)?;
    link_capabilities(&mut linker)?;
    if concurrency == Concurrency::With {
        wasi::link_concurrent(&mut linker)?;
        http::link_concurrent(&mut linker)?;
        link_concurrent_capabilities(&mut linker)?;
    }
    Ok(linker)
}

#[cfg(test)]
pub(crate) mod tests;
