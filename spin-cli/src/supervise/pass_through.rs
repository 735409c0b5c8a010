//! Running a plugin in our place: an external command, or a trigger by hand.
//!
//! No control channel and no deadline: the plugin decides how it ends. `spin` only stays to hand on the signals that
//! would otherwise stop at it, and to give back the exit code.

use rustix::process::{Pid, Signal, kill_process};

use super::signal::StopSignals;
use super::spawn::Program;
use crate::report::{Exit, Report};

/// Runs a program to its end. A request to stop becomes a TERM for it, every time.
pub(crate) async fn pass_through(name: &str, program: &Program, signals: &mut StopSignals) -> Result<Exit, Report> {
    let failed = |error: std::io::Error| {
        Report::new(format!("cannot start {name} (\"{}\"): {error}", program.path.display()))
            .code("plugin::start")
            .help(format!("install it again: spin plugins install {name}"))
    };
    let mut child = program.spawn().map_err(failed)?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let code = status.ok().and_then(|status| status.code());
                // A plugin that a signal ended has no code of its own; the public command line says 1.
                return Ok(Exit::new(code.map_or(1, |code| u8::try_from(code).unwrap_or(u8::MAX))));
            }
            _ = signals.next() => {
                if let Some(pid) = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
                    // It can only fail for a process that has ended meanwhile.
                    _ = kill_process(pid, Signal::TERM);
                }
            }
        }
    }
}
