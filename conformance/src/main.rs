//! `spin-trigger-conformance`: drives any trigger executable through the protocol (`docs/trigger-protocol.md`) and says
//! what it does otherwise.
//!
//! | module | what is in it |
//! |---|---|
//! | `subject` | the executable under test and how it is started |
//! | `process` | one process of it: output, signals, its end |
//! | `parent` | a host that can be killed |
//! | `session` | the host's side of the control channel |
//! | `locks` | the locked apps it is given, good and bad |
//! | `checks` | the checks, each a small function |
//! | `report` | the result as a table or as JSON |
//!
//! It works in temporary folders, which it deletes, and ends every process that it started.

#![forbid(unsafe_code)]

mod checks;
mod locks;
mod parent;
mod process;
mod report;
mod session;
mod subject;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use spin_app_model::TriggerType;

use crate::report::Report;
use crate::subject::Subject;

/// Drive a trigger executable through the trigger protocol.
///
/// Exits with 0 if it keeps to all of it that it offers, with 1 if not.
#[derive(Parser)]
#[command(name = "spin-trigger-conformance", version)]
struct Arguments {
    /// The trigger's executable
    executable: PathBuf,

    /// Its type [default: what follows `trigger-` in the file's name]
    #[arg(long = "type", value_name = "TYPE")]
    trigger_type: Option<TriggerType>,

    /// The locked app it is to run [default: one without triggers]
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    /// How many seconds it may take until it is ready
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    patience: u64,

    /// Write the result as JSON, whose schema is docs/schemas/conformance-report.schema.json
    #[arg(long)]
    json: bool,

    /// Start the trigger and wait for being killed
    #[arg(long = "as-parent", hide = true)]
    as_parent: bool,

    /// Arguments for the trigger itself
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (json, as_parent) = (arguments.json, arguments.as_parent);
    let subject = Subject::new(
        arguments.executable,
        arguments.trigger_type,
        arguments.lock,
        arguments.arguments,
        Duration::from_secs(arguments.patience),
    );
    let subject = match subject {
        Ok(subject) => subject,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if as_parent {
        return match parent::run(&subject) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                let _ = writeln!(std::io::stderr(), "{why}");
                ExitCode::FAILURE
            }
        };
    }
    let report = Report::of(&subject);
    let text = if json { report.json() } else { report.table() };
    let written = std::io::stdout().write_all(text.as_bytes());
    match written.is_ok() && report.all_passed() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
