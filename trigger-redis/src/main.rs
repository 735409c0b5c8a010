//! The program `trigger-redis`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spin_trigger_kit::main::<trigger_redis::RedisTrigger>()
}
