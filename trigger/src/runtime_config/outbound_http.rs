//! `[outbound_http]`: requests that components send.

use spin_app_model::document::{Table, quoted};
use spin_component_runtime::HttpOptions;

use super::outbound_networking::{MAX_CONNECTIONS, connections};

/// What the key was called before; it still counts. It has always been about connections.
const MAX_CONNECTIONS_BEFORE: &str = "max_concurrent_requests";

const KEYS: &[&str] = &["connection_pooling", MAX_CONNECTIONS, MAX_CONNECTIONS_BEFORE];

/// Reads the table. A key that is not there has the value that it has without the table.
pub(super) fn read(table: &Table<'_, '_>) -> HttpOptions {
    table.expect_only(KEYS, &[]);
    if let (Some(_), Some(before)) = (table.key_span(MAX_CONNECTIONS), table.key_span(MAX_CONNECTIONS_BEFORE)) {
        let message = format!("{} is the old name of {}", quoted(MAX_CONNECTIONS_BEFORE), quoted(MAX_CONNECTIONS));
        table.report.problem_with_help(&before, message, "keep one of them".to_owned());
    }
    let usual = HttpOptions::default();
    HttpOptions {
        connection_pooling: table.flag("connection_pooling").unwrap_or(usual.connection_pooling),
        max_connections: connections(table, MAX_CONNECTIONS).or_else(|| connections(table, MAX_CONNECTIONS_BEFORE)),
        ..usual
    }
}
