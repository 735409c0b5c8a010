//! `[outbound_networking]`: connections that components open; and the tables of single kinds of servers.

use spin_app_model::document::{Position, Table, quoted};
use spin_component_runtime::{Blocked, EgressOptions, MqttOptions, ServerOptions};

/// The limit for one kind of server.
pub(super) const MAX_CONNECTIONS: &str = "max_connections";

const KEYS: &[&str] = &["block_networks", "max_socket_connections", "max_total_connections"];

/// Reads the table.
pub(super) fn read(table: &Table<'_, '_>) -> EgressOptions {
    table.expect_only(KEYS, &[]);
    EgressOptions {
        blocked: table
            .texts("block_networks")
            .iter()
            .filter_map(|entry| blocked(table, &entry.value, entry.at))
            .collect(),
        max_connections: connections(table, "max_total_connections"),
        max_socket_connections: connections(table, "max_socket_connections"),
    }
}

/// Reads `[outbound_redis]`, `[outbound_pg]` or `[outbound_mysql]`.
pub(super) fn server(table: &Table<'_, '_>) -> ServerOptions {
    table.expect_only(&[MAX_CONNECTIONS], &[]);
    ServerOptions { max_connections: connections(table, MAX_CONNECTIONS) }
}

/// Reads `[outbound_mqtt]`.
pub(super) fn mqtt(table: &Table<'_, '_>) -> MqttOptions {
    const MAX_PAYLOAD: &str = "max_payload_size_bytes";
    table.expect_only(&[MAX_CONNECTIONS, MAX_PAYLOAD], &[]);
    MqttOptions {
        max_connections: connections(table, MAX_CONNECTIONS),
        // More than can be counted is no limit.
        max_payload: table.count(MAX_PAYLOAD).and_then(|bytes| bytes.try_into().ok()),
    }
}

/// A number of connections.
pub(super) fn connections(table: &Table<'_, '_>, key: &str) -> Option<usize> {
    match table.count(key)? {
        0 => {
            let span = table.get(key)?.span();
            let help = "write 1 or more; to allow no connections at all, leave allowed_outbound_hosts empty".to_owned();
            table.report.problem_with_help(&span, format!("{} must not be 0", table.field_name(key)), help);
            None
        }
        // More than can be counted is no limit.
        count => count.try_into().ok(),
    }
}

fn blocked(table: &Table<'_, '_>, entry: &str, at: Position) -> Option<Blocked> {
    match entry.parse() {
        Ok(blocked) => Some(blocked),
        Err(error) => {
            let help = "write `private`, an address, or a network such as `10.0.0.0/8`".to_owned();
            table.report.add(at, format!("{} is no network: {error}", quoted(entry)), Some(help));
            None
        }
    }
}
