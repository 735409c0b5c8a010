//! Bodies that are larger than what the trigger may hold of them.

use spin_tests::memory::Memory;
use spin_tests::streaming;

use super::{BOTH, serve};

/// What is streamed, and by how much the trigger may grow for it. `tests/bench/streaming.rs` has the full size.
const SIZE: u64 = 192 << 20;
const GROWTH: u64 = 64 << 20;

#[test]
fn a_body_is_streamed_through_a_guest_in_constant_memory() {
    let served = serve(BOTH, &[]);
    let trigger = served.up.child();
    for path in ["/p2/echo", "/p3/echo"] {
        streaming::echo(served.address, path, 1 << 20).unwrap();
        let memory = Memory::watch(trigger);
        assert_eq!(streaming::echo(served.address, path, SIZE).unwrap(), SIZE, "{path}");
        let growth = memory.growth();
        assert!(growth < GROWTH, "{path}: {SIZE} bytes were streamed and the trigger grew by {growth}");
    }
    served.up.stop().success();
}
