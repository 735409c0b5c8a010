//! What statements of guests may do to more than their own database, and whether they left a trace on a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use super::Failure;
use crate::host::rows::MOST_BUFFERED;

/// Pragmas whose effect is on the whole process, or on files elsewhere.
const OF_THE_PROCESS: [&str; 4] =
    ["temp_store_directory", "data_store_directory", "soft_heap_limit", "hard_heap_limit"];

/// Whether anything but reading was done on a connection: then it is not like a new one any more.
#[derive(Clone, Default)]
pub(super) struct Traces(Arc<AtomicBool>);

impl Traces {
    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Watches the statements of a connection from now on. Files are attached only if `files` says so: attaching is how
/// SQLite opens any file, also for `VACUUM INTO`.
pub(super) fn watch(connection: &mut Connection, files: bool) -> Result<Traces, Failure> {
    let traces = Traces::default();
    let noted = traces.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        action => {
            noted.0.store(true, Ordering::Release);
            match action {
                AuthAction::Attach { filename } if files || matches!(filename, "" | ":memory:") => Authorization::Allow,
                AuthAction::Attach { .. } => Authorization::Deny,
                AuthAction::Pragma { pragma_name, .. }
                    if OF_THE_PROCESS.iter().any(|name| pragma_name.eq_ignore_ascii_case(name)) =>
                {
                    Authorization::Deny
                }
                // Among them a file to attach whose name is not written down but computed.
                AuthAction::Unknown { .. } if !files => Authorization::Deny,
                _ => Authorization::Allow,
            }
        }
    }))?;
    // A value that no answer could hold need not be made.
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(MOST_BUFFERED).unwrap_or(i32::MAX))?;
    Ok(traces)
}
