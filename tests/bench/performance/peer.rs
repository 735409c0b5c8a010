//! The peer: `wasmtime serve` of the engine's own version, from crates.io.

use std::path::PathBuf;
use std::process::Command;

/// The engine's version in our own lock file.
const VERSION: &str = "48.0.8";

/// Where it is; built by cargo if it isn't there. `SPIN_BENCH_WASMTIME` names another one.
pub(crate) fn wasmtime() -> PathBuf {
    if let Some(program) = std::env::var_os("SPIN_BENCH_WASMTIME") {
        return program.into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let root = cache.expect("a home").join("spin-bench").join(VERSION);
    let program = root.join("bin/wasmtime");
    if !program.exists() {
        eprintln!("building wasmtime-cli {VERSION}; this takes a while, once");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["install", "wasmtime-cli", "--locked", "--version", VERSION, "--root"]).arg(&root);
        // Its build must not be mixed with ours.
        cargo.env_remove("CARGO_TARGET_DIR");
        let status = cargo.status().expect("cargo can be started");
        assert!(status.success(), "wasmtime-cli {VERSION} can't be built: {status}");
    }
    program
}
