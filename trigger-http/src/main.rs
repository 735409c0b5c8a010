//! The program `trigger-http`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spin_trigger_kit::main::<trigger_http::HttpTrigger>()
}
