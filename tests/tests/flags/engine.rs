//! `--disable-pooling`, `--debug-info`, `--max-instance-memory` and `--allow-transient-write`.

use spin_tests::{Invocation, http};

use super::{Site, files_below, trigger_of};

/// The address space of the trigger, in kilobytes.
fn address_space(up: Invocation) -> u64 {
    let up = up.start();
    up.serving();
    let status = std::fs::read_to_string(format!("/proc/{}/status", trigger_of(&up))).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn without_the_pool_no_address_space_is_reserved() {
    let site = Site::new();
    let pool = address_space(site.up(&[]));
    // A thousand memories of four gigabytes; half of it is still more than anything else takes.
    assert!(pool > 1 << 31, "{pool} kB");
    for up in [site.up(&["--disable-pooling"]), site.up(&[]).env("SPIN_WASMTIME_POOLING", "0")] {
        let without = address_space(up);
        assert!(without < 1 << 30, "{without} kB");
    }
}

#[test]
fn debug_information_is_in_the_compiled_code() {
    let site = Site::new();
    let compiled = || files_below(&site.world.cache().join("aot"));
    let has_debug_info = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(b".debug_info".len()).any(|window| window == b".debug_info")
    };
    site.ask(site.up(&[]), "/");
    let without = compiled();
    assert!(!without.is_empty() && !without.iter().any(has_debug_info));
    let (answer, _) = site.ask(site.up(&["--debug-info"]), "/");
    assert_eq!(answer, "hello from a component\n");
    assert!(compiled().iter().filter(|path| !without.contains(path)).any(has_debug_info));
}

const MIB: usize = 1 << 20;

#[test]
fn the_memory_limit_is_the_flags_the_variables_or_the_files() {
    let site = Site::new();
    site.write("config.toml", &format!("max_instance_memory = {}\n", 96 * MIB));
    let flag = (32 * MIB).to_string();
    let variable = (64 * MIB).to_string();
    let file = ["--runtime-config-file", "config.toml"];
    let rows = [
        (site.up(&file), 96),
        (site.up(&file).env("SPIN_MAX_INSTANCE_MEMORY", &variable), 64),
        (site.up(&[]).env("SPIN_MAX_INSTANCE_MEMORY", &variable), 64),
        (
            site.up(&[&["--max-instance-memory", &flag], &file[..]].concat())
                .env("SPIN_MAX_INSTANCE_MEMORY", &variable),
            32,
        ),
    ];
    for (up, limit) in rows {
        let up = up.start();
        let address = up.serving();
        for generation in ["p2", "p3"] {
            let answer = http::get(address, &format!("/{generation}/grow")).text();
            let words: Vec<&str> = answer.split_whitespace().collect();
            let got: usize = words.get(3).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
            // The guest had some memory before it began to take more.
            assert!(got <= limit && got > limit - 16, "{generation}, {limit} MiB: {answer}");
        }
    }
}

#[test]
fn an_instance_that_is_larger_than_the_limit_does_not_start() {
    let site = Site::new();
    let up = site.up(&["--max-instance-memory=65536"]).start();
    let address = up.serving();
    for generation in ["p2", "p3"] {
        assert_eq!(http::get(address, &format!("/{generation}/")).status, 500, "{generation}");
    }
}

#[test]
fn mounted_files_can_be_written_only_if_that_is_allowed() {
    let site = Site::new();
    let (answer, _) = site.ask(site.up(&[]), "/file/write?path=/a.txt");
    assert!(answer.starts_with("error: "), "{answer}");
    let (answer, _) = site.ask(site.up(&["--allow-transient-write"]), "/file/write?path=/a.txt");
    assert_eq!(answer.trim(), "done");
    assert_eq!(std::fs::read_to_string(site.path("assets/a.txt")).unwrap(), "the file a\n", "it was a copy");
}
