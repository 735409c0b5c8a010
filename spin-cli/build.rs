//! Tells the program which target it was built for; cargo tells only build scripts.
#![allow(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=SPIN_TARGET_TRIPLE={}", std::env::var("TARGET").unwrap_or_default());
}
