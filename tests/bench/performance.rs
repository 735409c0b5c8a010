//! How fast apps are served, as ratios to `wasmtime serve` and to a plain hyper server that answers the same bytes.
//!
//! `cargo xtask bench performance [--quick] [--keep] [load|others|limits|start|memory …]`: all parts unless some are named.
//! `--quick` measures less, for a first look; `--keep` writes the results to `docs/performance.md`.
//!
//! Every figure is the median of pairs that were measured one after the other, since a machine is not as fast now as it
//! was a minute ago. Two layouts: the server on one core and the load on another ("apart"), and both on all ("together").

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells by printing")]

#[path = "performance/load.rs"]
mod load;
#[path = "performance/memory.rs"]
mod memory;
#[path = "performance/peer.rs"]
mod peer;
#[path = "performance/plain.rs"]
mod plain;
#[path = "performance/report.rs"]
mod report;
#[path = "performance/server.rs"]
mod server;
#[path = "performance/start.rs"]
mod start;

use report::Report;
use spin_tests::World;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Pairs that a median is of.
    pub(crate) pairs: usize,
    /// Seconds of load on one server in a pair.
    pub(crate) seconds: u32,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, address] = arguments.as_slice()
        && first == plain::ARGUMENT
    {
        return plain::serve(address);
    }
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let named = arguments.iter().any(|argument| !argument.starts_with("--"));
    let wanted = |part: &str| !named || has(part);
    let effort = if has("--quick") { Effort { pairs: 3, seconds: 1 } } else { Effort { pairs: 7, seconds: 2 } };

    let wasmtime = peer::wasmtime();
    let world = World::new();
    world.install("trigger-http");
    let mut report = Report::new(effort);
    if wanted("load") {
        load::run(&world, &wasmtime, effort, &mut report);
    }
    if wanted("others") {
        load::others(&world, effort, &mut report);
    }
    if wanted("limits") {
        load::limits(&world, effort, &mut report);
    }
    if wanted("start") {
        start::run(&world, &wasmtime, effort, &mut report);
    }
    if wanted("memory") {
        memory::run(&world, &wasmtime, effort, &mut report);
    }
    report.print();
    if has("--keep") {
        report.keep();
    }
}
