//! The committed guests are what their sources say: built from them, of the worlds they claim, and small.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use spin_tests::repository;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// No guest may be larger: they are in the repository's history for ever.
const CAP: usize = 256 * 1024;

/// But for those that call everything that the host offers.
const HOST_PROBE_CAP: usize = 768 * 1024;

/// What Rust's std may import besides, of any 0.2 version.
const STD: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/streams",
];

/// Each guest with its exports, and its imports besides those of std.
const WORLDS: &[(&str, &[&str], &[&str])] = &[
    ("hello", &["wasi:http/handler@0.3.0"], &["wasi:http/types@0.3.0"]),
    ("hello-p2", &["wasi:http/incoming-handler@0.2.12"], &["wasi:http/types@0.2.12"]),
    (
        "probe-p2",
        &["wasi:http/incoming-handler@0.2.12"],
        &[
            "fermyon:spin/variables@2.0.0",
            "wasi:clocks/monotonic-clock@0.2.12",
            "wasi:http/outgoing-handler@0.2.12",
            "wasi:http/types@0.2.12",
            "wasi:io/poll@0.2.12",
        ],
    ),
    (
        "probe-p3",
        &["wasi:http/handler@0.3.0"],
        &[
            "spin:variables/variables@3.0.0",
            "wasi:clocks/monotonic-clock@0.3.0",
            "wasi:clocks/types@0.3.0",
            "wasi:http/client@0.3.0",
            "wasi:http/types@0.3.0",
        ],
    ),
    (
        "host-probe",
        &["wasi:http/handler@0.3.0"],
        &[
            "fermyon:spin/http",
            "fermyon:spin/http-types",
            "fermyon:spin/key-value",
            "fermyon:spin/key-value@2.0.0",
            "fermyon:spin/llm",
            "fermyon:spin/llm@2.0.0",
            "fermyon:spin/mqtt@2.0.0",
            "fermyon:spin/mysql",
            "fermyon:spin/mysql@2.0.0",
            "fermyon:spin/postgres",
            "fermyon:spin/postgres@2.0.0",
            "fermyon:spin/rdbms-types",
            "fermyon:spin/rdbms-types@2.0.0",
            "fermyon:spin/redis",
            "fermyon:spin/redis-types",
            "fermyon:spin/redis@2.0.0",
            "fermyon:spin/sqlite",
            "fermyon:spin/sqlite@2.0.0",
            "spin:key-value/key-value@3.0.0",
            "spin:mqtt/mqtt@3.0.0",
            "spin:mysql/mysql@3.0.0",
            "spin:postgres/postgres@3.0.0",
            "spin:postgres/postgres@4.2.0",
            "spin:redis/redis@3.0.0",
            "spin:sqlite/sqlite@3.1.0",
            "wasi:http/client@0.3.0",
            "wasi:http/outgoing-handler@0.2.12",
            "wasi:http/types@0.2.12",
            "wasi:http/types@0.3.0",
            "wasi:io/poll@0.2.12",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "wasi:keyvalue/batch@0.2.0-draft2",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:sockets/instance-network@0.2.12",
            "wasi:sockets/ip-name-lookup@0.2.12",
            "wasi:sockets/ip-name-lookup@0.3.0",
            "wasi:sockets/network@0.2.12",
            "wasi:sockets/tcp-create-socket@0.2.12",
            "wasi:sockets/tcp@0.2.12",
            "wasi:sockets/types@0.3.0",
            "wasi:sockets/udp-create-socket@0.2.12",
            "wasi:sockets/udp@0.2.12",
        ],
    ),
    (
        "host-probe-p2",
        &["wasi:http/incoming-handler@0.2.12"],
        &[
            "fermyon:spin/http",
            "fermyon:spin/http-types",
            "fermyon:spin/key-value",
            "fermyon:spin/key-value@2.0.0",
            "fermyon:spin/llm",
            "fermyon:spin/llm@2.0.0",
            "fermyon:spin/mqtt@2.0.0",
            "fermyon:spin/mysql",
            "fermyon:spin/mysql@2.0.0",
            "fermyon:spin/postgres",
            "fermyon:spin/postgres@2.0.0",
            "fermyon:spin/rdbms-types",
            "fermyon:spin/rdbms-types@2.0.0",
            "fermyon:spin/redis",
            "fermyon:spin/redis-types",
            "fermyon:spin/redis@2.0.0",
            "fermyon:spin/sqlite",
            "fermyon:spin/sqlite@2.0.0",
            "spin:postgres/postgres@3.0.0",
            "spin:postgres/postgres@4.0.0",
            "spin:sqlite/sqlite@3.0.0",
            "wasi:http/outgoing-handler@0.2.12",
            "wasi:http/types@0.2.12",
            "wasi:io/poll@0.2.12",
            "wasi:keyvalue/atomics@0.2.0-draft2",
            "wasi:keyvalue/batch@0.2.0-draft2",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:sockets/instance-network@0.2.12",
            "wasi:sockets/ip-name-lookup@0.2.12",
            "wasi:sockets/network@0.2.12",
            "wasi:sockets/tcp-create-socket@0.2.12",
            "wasi:sockets/tcp@0.2.12",
            "wasi:sockets/udp-create-socket@0.2.12",
            "wasi:sockets/udp@0.2.12",
        ],
    ),
    ("greedy-p2", &["wasi:http/incoming-handler@0.2.12"], &["wasi:http/types@0.2.12"]),
    ("greedy-p3", &["wasi:http/handler@0.3.0"], &["wasi:http/types@0.3.0"]),
    (
        "inbound-probe",
        &["fermyon:spin/inbound-http"],
        &["fermyon:spin/http-types", "wasi:clocks/monotonic-clock@0.2.12", "wasi:io/poll@0.2.12"],
    ),
    ("wagi-probe", &["wasi:cli/run@0.2.6"], &["wasi:clocks/monotonic-clock@0.2.12", "wasi:io/poll@0.2.12"]),
    // A module of preview 1: no component, and so of no world.
    ("wagi-probe-module", &[], &[]),
    (
        "redis-probe",
        &["fermyon:spin/inbound-redis"],
        &["fermyon:spin/redis-types", "wasi:clocks/monotonic-clock@0.2.6", "wasi:io/poll@0.2.6"],
    ),
    (
        "redis-probe-p3",
        &["spin:redis/inbound-redis@3.0.0"],
        &["spin:redis/redis@3.0.0", "wasi:clocks/monotonic-clock@0.3.0", "wasi:clocks/types@0.3.0"],
    ),
    (
        "trigger-probe",
        &["handle-cron-event", "handle-message", "handle-timer-request"],
        &[
            "cron-error",
            "cron-metadata",
            "mqtt-error",
            "mqtt-metadata",
            "payload",
            "spin:cron/cron-types@3.0.0",
            "spin:mqtt-trigger/mqtt-types@3.0.0",
            "wasi:clocks/monotonic-clock@0.2.6",
            "wasi:io/poll@0.2.6",
        ],
    ),
    ("command-probe", &["wasi:cli/run@0.2.6"], &["wasi:clocks/monotonic-clock@0.2.6", "wasi:io/poll@0.2.6"]),
];

struct Entry {
    wasm: PathBuf,
    sources: Vec<String>,
    source_digest: String,
    wasm_sha256: String,
}

fn folder() -> PathBuf {
    repository().join("tests/guests")
}

fn lock() -> BTreeMap<String, Entry> {
    let text = std::fs::read_to_string(folder().join("guests.lock")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let text_of = |value: &toml::Value| value.as_str().unwrap().to_owned();
    let entries = table["guest"].as_table().unwrap().iter().map(|(name, entry)| {
        let entry = Entry {
            wasm: folder().join(text_of(&entry["wasm"])),
            sources: entry["sources"].as_array().unwrap().iter().map(text_of).collect(),
            source_digest: text_of(&entry["source-digest"]),
            wasm_sha256: text_of(&entry["wasm-sha256"]),
        };
        (name.clone(), entry)
    });
    entries.collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// The digest that `build.sh` writes: of the lines `<sha256>  <path>`, sorted by path, of the files
/// that a build reads.
fn source_digest(sources: &[String]) -> String {
    let mut files = Vec::new();
    sources.iter().for_each(|source| collect(source, &mut files));
    files.sort();
    let line = |path: &String| format!("{}  {path}\n", sha256(&std::fs::read(folder().join(path)).unwrap()));
    sha256(files.iter().map(line).collect::<String>().as_bytes())
}

fn collect(path: &str, files: &mut Vec<String>) {
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    let full = folder().join(path);
    if full.is_dir() && name != "target" {
        for entry in std::fs::read_dir(full).unwrap() {
            collect(&format!("{path}/{}", entry.unwrap().file_name().to_str().unwrap()), files);
        }
    } else if full.is_file() && (name.ends_with(".rs") || name.ends_with(".wit") || name.starts_with("Cargo.")) {
        files.push(path.to_owned());
    }
}

/// The names of a component's own imports and exports.
fn world(bytes: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn the_lock_names_every_guest_and_no_other() {
    let locked: BTreeSet<String> = lock().into_keys().collect();
    let described: BTreeSet<String> = WORLDS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(locked, described);
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            assert!(lock().values().any(|entry| entry.wasm == path), "{} is not in guests.lock", path.display());
        }
    }
}

#[test]
fn guests_were_built_from_the_sources_beside_them() {
    for (name, entry) in lock() {
        let rebuild = "run tests/guests/build.sh";
        assert_eq!(source_digest(&entry.sources), entry.source_digest, "{name}: its source was changed; {rebuild}");
        let bytes = std::fs::read(&entry.wasm).unwrap();
        assert_eq!(sha256(&bytes), entry.wasm_sha256, "{name}: its .wasm was changed; {rebuild}");
    }
}

#[test]
fn guests_are_of_the_worlds_they_claim() {
    let lock = lock();
    for (name, exports, own_imports) in WORLDS {
        let bytes = std::fs::read(&lock[*name].wasm).unwrap();
        let features = WasmFeatures::default() | WasmFeatures::CM_ASYNC;
        Validator::new_with_features(features).validate_all(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (imports, found) = world(&bytes);
        assert_eq!(found.iter().collect::<Vec<_>>(), exports.iter().collect::<Vec<_>>(), "exports of {name}");
        let of_std = |import: &String| {
            import
                .split_once('@')
                .is_some_and(|(interface, version)| STD.contains(&interface) && version.starts_with("0.2."))
        };
        let own: Vec<&String> = imports.iter().filter(|import| !of_std(import)).collect();
        assert_eq!(own, own_imports.iter().collect::<Vec<_>>(), "imports of {name}");
    }
}

#[test]
fn guests_are_small_and_name_no_folder_of_a_machine() {
    for (name, entry) in lock() {
        let bytes = std::fs::read(&entry.wasm).unwrap();
        let cap = if name.starts_with("host-probe") { HOST_PROBE_CAP } else { CAP };
        assert!(bytes.len() <= cap, "{name} has {} bytes; the cap is {cap}", bytes.len());
        for mark in ["/root/", "/home/", "/.cargo/"] {
            let found = bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
            assert!(!found, "{name} has a path with {mark} in it: build it with tests/guests/build.sh");
        }
    }
}
