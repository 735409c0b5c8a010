//! Resident memory, shared pages by share: idle, with idle connections, and under load.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use spin_tests::{World, dist};

use crate::Effort;
use crate::load::app;
use crate::report::{Bound, Report, median};
use crate::server::{Layout, Server};

/// Connections that ask for nothing.
const IDLE: usize = 1_000;

const MIB: f64 = 1024.0 * 1024.0;

/// All scenarios.
pub(crate) fn run(world: &World, wasmtime: &Path, effort: Effort, report: &mut Report) {
    let hello = app(
        world,
        "memory",
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello-p2.wasm\"\n",
    );
    let layout = Layout::Together;
    let (mut idle, mut loaded, mut connections) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.pairs {
        let start = || Server::spin(world, layout, "spin", &hello, &[]);
        let ours = start();
        let before = ours.memory();
        connections.push(with_idle_connections(&ours).saturating_sub(before) as f64 / MIB);
        ours.stop();
        // Another one, so that both have served one request before the load.
        let ours = start();
        let peer = Server::wasmtime(world, layout, "wasmtime serve", wasmtime, &dist::guest("hello-p2"), &[]);
        idle.push((ours.memory() as f64, peer.memory() as f64));
        loaded.push((under_load(&ours), under_load(&peer)));
        ours.stop();
        peer.stop();
    }
    for (what, pairs, bound) in [("idle", idle, 1.2), ("under load, 256 connections", loaded, 1.3)] {
        let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
        let shown = format!("{:.1} MiB", median(pairs.iter().map(|(ours, _)| ours / MIB).collect()));
        report.line(format!("p2 hello, memory {what}"), shown, "wasmtime serve", &ratios, Some(Bound::AtMost(bound)));
    }
    let shown = format!("{:.1} MiB", median(connections.clone()));
    let ratios: Vec<f64> = connections.iter().map(|mebibytes| mebibytes * MIB / 20e6).collect();
    report.line(format!("memory of {IDLE} idle connections"), shown, "20 MB", &ratios, Some(Bound::AtMost(1.0)));
}

/// With as many connections, all of which have been accepted.
fn with_idle_connections(server: &Server) -> u64 {
    let _open: Vec<TcpStream> = (0..IDLE).map(|_| TcpStream::connect(server.address).expect("a connection")).collect();
    // One more that is answered comes after them.
    assert_eq!(spin_tests::http::get(server.address, "/").status, 200);
    server.memory()
}

/// The most of several looks while it is busy.
fn under_load(server: &Server) -> f64 {
    let mut load = Command::new("wrk")
        .args(["-t1", "-c256", "-d2s"])
        .arg(format!("http://{}/", server.address))
        .stdout(Stdio::null())
        .spawn()
        .expect("wrk is there (package wrk)");
    let mut most = 0;
    while load.try_wait().expect("it is ours").is_none() {
        most = most.max(server.memory());
        std::thread::sleep(Duration::from_millis(100));
    }
    most as f64
}
