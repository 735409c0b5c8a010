//! Dependency walls: the engine stays out of the program `spin`, and arrows point one way.

use std::collections::BTreeMap;
use std::process::Command;

use spin_tests::repository;

/// Each package with those of ours that it may use, normally and when it is built.
const ARROWS: &[(&str, &[&str])] = &[
    ("spin-app-model", &[]),
    ("spin-catalogue", &[]),
    ("spin-plugin-manager", &["spin-catalogue"]),
    ("spin-cli", &["spin-app-model", "spin-catalogue", "spin-plugin-manager"]),
    ("spin-component-runtime", &["spin-app-model"]),
    ("spin-trigger-kit", &["spin-app-model", "spin-component-runtime"]),
    // A trigger of ours has what anybody's trigger has: the kit, and nothing else.
    ("trigger-http", &["spin-trigger-kit"]),
    ("trigger-redis", &["spin-trigger-kit"]),
    // So have those that show how to write one.
    ("trigger-command", &["spin-trigger-kit"]),
    ("trigger-cron", &["spin-trigger-kit"]),
    ("trigger-mqtt", &["spin-trigger-kit"]),
    ("spin-trigger-conformance", &["spin-app-model"]),
    ("xtask", &["spin-catalogue", "spin-plugin-manager"]),
    // The tests run programs; their few uses of libraries are for tests of their own.
    ("spin-tests", &[]),
];

/// Packages that must not hold the engine, whatever their dependencies bring.
const WITHOUT_ENGINE: &[&str] = &[
    "spin-app-model",
    "spin-catalogue",
    "spin-cli",
    "spin-plugin-manager",
    "spin-tests",
    "spin-trigger-conformance",
    "xtask",
];

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo).args(arguments).args(["--locked", "--offline"]).current_dir(repository()).output();
    let run = run.expect("cargo can be started");
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "cargo {}: {errors}", arguments.join(" "));
    String::from_utf8(run.stdout).expect("cargo writes UTF-8")
}

/// The names of everything that `package` is built from.
fn tree(package: &str) -> Vec<String> {
    let text = cargo(&["tree", "--package", package, "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_engine_stays_behind_its_wall() {
    for package in WITHOUT_ENGINE {
        let tree = tree(package);
        assert!(tree.iter().any(|name| name == package), "cargo tree shows {package}: {tree:?}");
        let engine: Vec<&String> =
            tree.iter().filter(|name| name.starts_with("wasmtime") || name.starts_with("cranelift")).collect();
        assert!(engine.is_empty(), "{package} must not be built with the engine, but it is with {engine:?}");
    }
}

#[test]
fn data_crates_know_neither_network_nor_async() {
    for package in ["spin-app-model", "spin-catalogue"] {
        let tree = tree(package);
        for banned in ["tokio", "hyper", "reqwest", "rustls", "futures-util"] {
            assert!(!tree.iter().any(|name| name == banned), "{package} is data only, but uses {banned}");
        }
    }
}

#[test]
fn dependencies_point_one_way() {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(packages.len(), arrows.len(), "every package of the workspace is in the table, and no other");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some(allowed) = arrows.get(name) else { panic!("{name} is not in the table of arrows") };
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            let for_tests_only = dependency["kind"].as_str() == Some("dev");
            if arrows.contains_key(to) && !for_tests_only {
                assert!(allowed.contains(&to), "{name} may not use {to}");
            }
        }
    }
}
