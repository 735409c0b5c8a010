//! From the start of the program to the first response, with compiled code at hand and without.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use spin_tests::{World, dist, http};

use crate::Effort;
use crate::load::app;
use crate::report::{Bound, Report, median};
use crate::server::{Layout, Server, pinned};

/// Everything that starts here has this address; nothing else on the machine has.
const ADDRESS: &str = "127.83.112.1:8037";

/// All scenarios.
pub(crate) fn run(world: &World, wasmtime: &Path, effort: Effort, report: &mut Report) {
    let hello = app(
        world,
        "start",
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello-p2.wasm\"\n",
    );
    let config = world.write("wasmtime.toml", format!("[cache]\ndirectory = {:?}\n", world.path("cache/wasmtime")));
    let config = format!("-Ccache-config={}", config.display());
    let spin = world.dist().bin("spin").into_os_string().into_string().expect("a plain path");
    let ours = || first_response(world, &[&spin, "up", "--listen", ADDRESS, "--quiet"], &hello);
    let component = dist::guest("hello-p2").into_os_string().into_string().expect("a plain path");
    let program = wasmtime.to_str().expect("a plain path");
    let theirs =
        || first_response(world, &[program, "serve", "-Scli=y", &config, "--addr", ADDRESS, &component], &hello);
    // What is compiled then is there from then on.
    ours();
    theirs();
    let pairs: Vec<(f64, f64)> = (0..effort.pairs * 3).map(|_| (ours(), theirs())).collect();
    let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
    let shown = format!("{:.1} ms", median(pairs.iter().map(|(ours, _)| *ours).collect()));
    report.line(
        "p2 hello, warm: first response".to_owned(),
        shown,
        "wasmtime serve",
        &ratios,
        Some(Bound::AtMost(1.3)),
    );

    let cold = |folder: &str| drop(std::fs::remove_dir_all(world.path(folder)));
    let pairs: Vec<(f64, f64)> = (0..effort.pairs)
        .map(|_| {
            cold("cache/spin");
            cold("cache/wasmtime");
            (ours(), theirs())
        })
        .collect();
    let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
    let shown = format!("{:.0} ms", median(pairs.iter().map(|(ours, _)| *ours).collect()));
    report.line(
        "p2 hello, cold: first response".to_owned(),
        shown,
        "wasmtime serve",
        &ratios,
        Some(Bound::AtMost(1.05)),
    );

    let server = Server::spin(world, Layout::Together, "spin", &hello, &[]);
    let own = server.own_time().as_secs_f64() * 1e3;
    report.line(
        "processor time of spin itself until the app is ready".to_owned(),
        format!("{own:.1} ms"),
        "6 ms",
        &[own / 6.0],
        Some(Bound::AtMost(1.0)),
    );
    server.stop();
}

/// Milliseconds.
fn first_response(world: &World, command: &[&str], folder: &Path) -> f64 {
    let address: SocketAddr = ADDRESS.parse().expect("an address");
    let invocation = pinned(world, Layout::Together).args(command).in_dir(folder);
    let began = Instant::now();
    let running = invocation.start();
    // Nothing tells when a server listens but that it does.
    while TcpStream::connect(address).is_err() {
        std::thread::sleep(Duration::from_micros(200));
        assert!(began.elapsed() < Duration::from_secs(120), "{command:?}");
    }
    assert_eq!(http::get(address, "/").status, 200, "{command:?}");
    let took = began.elapsed().as_secs_f64() * 1e3;
    running.signal(spin_tests::process::Signal::TERM);
    drop(running.finish_within(Duration::from_secs(45)));
    took
}
