//! What components can import, called by a real component in the real trigger, over real back ends; and what other
//! clients of those find there.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "hosts/echo.rs"]
mod echo;
#[macro_use]
#[path = "../src/hostile/named.rs"]
mod named;
#[path = "hosts/blocked.rs"]
mod blocked;
#[path = "hosts/hostile_cases.rs"]
mod hostile_cases;
#[path = "hosts/inherited.rs"]
mod inherited;
#[path = "hosts/key_value.rs"]
mod key_value;
#[path = "hosts/libsql.rs"]
mod libsql;
#[path = "hosts/matrix.rs"]
mod matrix;
#[path = "hosts/models.rs"]
mod models;
#[path = "hosts/mqtt.rs"]
mod mqtt;
#[path = "hosts/mysql.rs"]
mod mysql;
#[path = "hosts/postgres.rs"]
mod postgres;
#[path = "hosts/private.rs"]
mod private;
#[path = "hosts/redis.rs"]
mod redis;
#[path = "hosts/several.rs"]
mod several;
#[path = "hosts/sockets.rs"]
mod sockets;
#[path = "hosts/sqlite.rs"]
mod sqlite;
#[path = "hosts/stage.rs"]
mod stage;
#[path = "hosts/web.rs"]
mod web;

use std::collections::BTreeSet;

use matrix::{CASES, Cell, cells, matches};
use stage::Stage;

/// A test of all cells of a back end.
macro_rules! backends {
    ($($test:ident: $name:literal),* $(,)?) => {
        const BACKENDS: &[&str] = &[$($name),*];
        $(#[test]
        fn $test() {
            run($name);
        })*
    };
}

backends! {
    cells_on_files: "files",
    cells_on_files_that_are_down: "files-down",
    cells_on_redis: "redis",
    cells_on_a_redis_that_is_down: "redis-down",
    cells_on_http: "http",
    cells_on_http_that_is_down: "http-down",
    cells_on_libsql: "libsql",
    cells_on_a_libsql_that_is_down: "libsql-down",
    cells_on_models: "models",
    cells_on_models_of_open_ai: "models-open-ai",
    cells_on_models_that_are_down: "models-down",
    cells_without_models: "no-models",
    cells_on_mqtt: "mqtt",
    cells_on_a_mqtt_broker_that_is_down: "mqtt-down",
    cells_on_mysql: "mysql",
    cells_on_a_mysql_that_is_down: "mysql-down",
    cells_on_postgres: "postgres",
    cells_on_a_postgres_that_is_down: "postgres-down",
    cells_on_sockets: "sockets",
    cells_on_sockets_that_are_down: "sockets-down",
}

/// Runs the cells of a back end, all of a probe before anything is said of any.
#[track_caller]
fn run(backend: &str) {
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.backend == backend).collect();
    assert!(!cells.is_empty(), "nothing is to be done on {backend}");
    let mut stage = Stage::start(backend);
    for generation in [Generation::Third, Generation::Second] {
        let cells: Vec<&Cell> = cells.iter().filter(|cell| generation.has(&cell.interface)).collect();
        if generation == Generation::Second && !cells.is_empty() {
            stage = stage.with_the_probe_of_0_2();
        }
        let wrong: Vec<String> = cells.into_iter().flat_map(|cell| run_cell(&stage, cell)).collect();
        assert!(wrong.is_empty(), "{generation:?}: {}\n{}", wrong.join("\n"), stage.up.stderr().text());
    }
}

/// The kinds of components that there is a probe of, by the version of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Generation {
    Second,
    Third,
}

impl Generation {
    /// Whether its probe calls an interface. Functions that need tasks are those of components of 0.3; of two versions that
    /// those who link a component think the same, each probe has one. A line that is missing here is a call that the probe
    /// answers with the status 404.
    fn has(self, interface: &str) -> bool {
        match interface {
            "spin:key-value/key-value@3.0.0"
            | "spin:mqtt/mqtt@3.0.0"
            | "spin:mysql/mysql@3.0.0"
            | "spin:postgres/postgres@4.2.0"
            | "spin:redis/redis@3.0.0"
            | "spin:sqlite/sqlite@3.1.0"
            | "wasi:http@0.3"
            | "wasi:sockets@0.3" => self == Self::Third,
            "spin:postgres/postgres@4.0.0" | "spin:sqlite/sqlite@3.0.0" => self == Self::Second,
            _ => true,
        }
    }
}

/// What is wrong with a cell.
fn run_cell(stage: &Stage, cell: &Cell) -> Vec<String> {
    stage.clear();
    let answers = stage.calls(&cell.component, &cell.interface, &cell.calls);
    let of = |what: &str| format!("{} ({}): {what}", cell.interface, cell.case);
    let mut wrong = Vec::new();
    match (&answers, &cell.answers) {
        (None, None) => {}
        (Some(found), Some(expected)) => {
            for (index, call) in cell.calls.iter().enumerate() {
                let answer = found.get(index).map_or("(nothing)", String::as_str);
                if !matches(&expected[index], answer) {
                    wrong.push(of(&format!("{call:?} answers {answer}, not {}", expected[index])));
                }
            }
        }
        (Some(found), None) => wrong.push(of(&format!("it should trap, and answers {found:?}"))),
        (None, Some(_)) => wrong.push(of("it traps")),
    }
    wrong.extend(cell.state.iter().filter_map(|state| stage.check(state).err()).map(|found| of(&found)));
    wrong
}

/// Interfaces of variables, which have no back end here; `flags::variables` is about them.
const ELSEWHERE: [&str; 3] = ["fermyon:spin/config", "fermyon:spin/variables@2.0.0", "spin:variables/variables@3.0.0"];

/// The interfaces of the ecosystem that SDKs import, by the document that is made from what the runtime links.
fn interfaces() -> BTreeSet<String> {
    const DOCUMENT: &str = include_str!("../../docs/interfaces.md");
    let mut interfaces: BTreeSet<String> =
        ["wasi:http@0.2", "wasi:http@0.3", "wasi:keyvalue@0.2.0-draft2", "wasi:sockets@0.2", "wasi:sockets@0.3"]
            .map(str::to_owned)
            .into();
    for line in DOCUMENT.lines().filter(|line| line.starts_with("| `fermyon:spin") || line.starts_with("| `spin:")) {
        let mut columns = line.split('|').map(str::trim).skip(1);
        let package = columns.next().unwrap().trim_matches('`');
        let (name, version) = package.split_once('@').map_or((package, ""), |(name, version)| (name, version));
        let at = if version.is_empty() { "" } else { "@" };
        interfaces
            .extend(columns.next().unwrap().split(", ").map(|interface| format!("{name}/{interface}{at}{version}")));
    }
    interfaces
}

#[test]
fn the_matrix_is_full() {
    let (cells, interfaces) = (cells(), interfaces());
    let known = |interface: &str| interfaces.contains(interface);
    assert!(ELSEWHERE.iter().all(|interface| known(interface)), "{interfaces:?}");
    for cell in &cells {
        assert!(known(&cell.interface), "no SDK imports {}", cell.interface);
    }
    for interface in interfaces.iter().filter(|interface| !ELSEWHERE.contains(&interface.as_str())) {
        for case in CASES {
            let there = cells.iter().any(|cell| cell.interface == *interface && cell.case == case);
            assert!(there, "{interface} has no cell for {case}");
        }
    }
    for cell in &cells {
        assert!(BACKENDS.contains(&cell.backend.as_str()), "no test starts the back end {}", cell.backend);
    }
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
