//! One gibibyte through an echo guest of each generation: how fast, and by how much the trigger grows.
//!
//! `cargo xtask bench streaming`

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::time::Instant;

use spin_tests::memory::Memory;
use spin_tests::{World, probes, streaming};

const SIZE: u64 = 1 << 30;
const GROWTH: u64 = 64 << 20;

fn main() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, probes::BOTH);
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let address = up.serving();
    let trigger = up.child();
    let mut too_much = false;
    for path in ["/p2/echo", "/p3/echo"] {
        streaming::echo(address, path, 1 << 20).expect("a small body comes back");
        let (memory, began) = (Memory::watch(trigger), Instant::now());
        let received = streaming::echo(address, path, SIZE).expect("the body comes back");
        assert_eq!(received, SIZE, "{path}: the echo is as long as the body");
        let (seconds, growth) = (began.elapsed().as_secs_f64(), memory.growth());
        let rate = SIZE as f64 / seconds / f64::from(1 << 20);
        println!("{path}: 1 GiB in {seconds:.1} s, {rate:.0} MiB/s each way; the trigger grew by {} KiB", growth >> 10);
        too_much |= growth >= GROWTH;
    }
    up.stop().success();
    assert!(!too_much, "the trigger grew by {} MiB or more", GROWTH >> 20);
}
