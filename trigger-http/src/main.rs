//! The program `trigger-http`; everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request makes many small allocations, on several threads.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    spin_trigger_kit::main::<trigger_http::HttpTrigger>()
}
