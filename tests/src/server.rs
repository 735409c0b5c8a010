//! What the database servers of tests have in common.

use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Starts a server on a port that was just free, and again if somebody took it before the server did. A server that does not
/// start gives its log, and its folder back.
#[track_caller]
pub(crate) fn on_a_free_port<S>(folder: TempDir, start: impl Fn(u16, TempDir) -> Result<S, (String, TempDir)>) -> S {
    let mut folder = folder;
    let mut last = String::new();
    for _ in 0..5 {
        match start(crate::free_port(), folder) {
            Ok(server) => return server,
            Err((log, kept)) if log.contains("Address already in use") => (last, folder) = (log, kept),
            Err((log, _)) => panic!("the server does not start:\n{log}"),
        }
    }
    panic!("the server found no free port:\n{last}");
}

/// The rows that a client of the server prints, with tabs between their values.
#[track_caller]
pub(crate) fn rows(client: &mut Command, sql: &str, missing: &str) -> Vec<Vec<String>> {
    let done = client.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{missing}: {error}"));
    assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
    let rows = String::from_utf8_lossy(&done.stdout);
    rows.lines().map(|row| row.split('\t').map(str::to_owned).collect()).collect()
}
