//! Build chores: `cargo xtask test`, `demo`, `bench`, `pack`, `dist`.
//!
//! `cargo xtask demo` and `cargo xtask test` are the README's two commands; both work on a fresh machine with Rust and
//! a C compiler.

mod bench;
mod build;
mod demo;
mod dist;
mod servers;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <chore>

  test [FILTER…]  build everything, pack the triggers, run every test (or those whose names hold a FILTER)
  demo [--once]   install trigger-http from a fresh catalogue and serve examples/hello until Ctrl-C
  bench NAME […]  run a benchmark of tests/bench: commands, hosts, instructions, performance, redis, soak, start,
                  streaming
  pack            build the triggers and pack them into a catalogue folder
  dist            build packages for users, print their sizes
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.split_first().map(|(chore, rest)| (chore.as_str(), rest)) {
        Some(("test", filters)) => test::run(filters),
        Some(("demo", [])) => demo::run(demo::Until::Interrupted),
        Some(("demo", [once])) if once == "--once" => demo::run(demo::Until::OneRequest),
        Some(("bench", [name, arguments @ ..])) => bench::run(name, arguments),
        Some(("pack", [])) => build::binaries("release").and_then(|built| built.pack()).map(drop),
        Some(("dist", [])) => dist::run(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
