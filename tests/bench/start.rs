//! How long `spin up` takes until it serves a component of 25 MB: cold, when it is compiled, and warm, when its code is
//! in the cache and its file is read and hashed only.
//!
//! `cargo xtask bench start`

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::fmt::Write;
use std::time::{Duration, Instant};

use spin_tests::{World, http, probes};

/// The size of the component's file, in bytes, nearly.
const SIZE: usize = 26_000_000;
/// How often it is started from the cache.
const WARM: usize = 5;

/// The probe, with thousands of functions that are never called.
const TABLES: &str =
    "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"large\"\n[component.large]\nsource = \"large.wasm\"\n";

fn main() {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", &probes::manifest(TABLES), &["probe-p2"]);
    let small = std::fs::read(app.dir().join("probe-p2.wasm")).expect("the probe");
    let component = grown(small);
    std::fs::write(app.dir().join("large.wasm"), &component).expect("a file can be written");
    let start = || {
        let began = Instant::now();
        let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
        let address = up.serving();
        let took = began.elapsed();
        assert_eq!(http::get(address, "/other").status, 200);
        up.stop().success();
        took
    };
    let cold = start();
    let mut warm: Vec<Duration> = (0..WARM).map(|_| start()).collect();
    warm.sort();
    let size = component.len() / 1_000_000;
    println!("a component of {size} MB: cold {cold:?}; warm {:?} in the median of {WARM}", warm[WARM / 2]);
}

/// The probe with a further core module behind it, so large that both together have the size that is wanted.
fn grown(mut component: Vec<u8>) -> Vec<u8> {
    // Some arithmetic that no two functions have in common; each is of about 8 KiB.
    let mut text = String::from("(module");
    let mut size = component.len();
    let mut number = 0_u32;
    while size < SIZE {
        text.push_str("(func (param i32) (result i32) (local i32) (local.get 0)");
        for _ in 0..500 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let _ =
                write!(text, "(i32.const {number}) i32.add (local.tee 1) (local.get 1) (i32.const 3) i32.rotl i32.xor");
            size += 15;
        }
        text.push(')');
    }
    text.push(')');
    let module = wat::parse_str(&text).expect("a module");
    // A section of the component: its number, its length, and the module.
    component.push(1);
    let mut left = module.len();
    loop {
        let low = u8::try_from(left & 0x7f).expect("seven bits");
        left >>= 7;
        component.push(if left == 0 { low } else { low | 0x80 });
        if left == 0 {
            break;
        }
    }
    component.extend(module);
    component
}
