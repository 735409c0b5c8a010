//! What others use of the chores: the tests put the tarball of `cargo xtask dist` together from the programs they have.

pub mod tarball;

use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs a command and fails with its name if it fails.
///
/// # Errors
///
/// If it cannot be started, or ends with another code than 0.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start {}", command.get_program().display()))?;
    ensure!(status.success(), "{} {}", command.get_program().display(), status);
    Ok(())
}
