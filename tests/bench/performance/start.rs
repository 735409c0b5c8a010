//! From the start of the program to the first response, with compiled code at hand and without.

use std::fmt::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spin_tests::{World, dist, http};

use crate::Effort;
use crate::load::app;
use crate::report::{Bound, Report, median};
use crate::server::{Layout, Server, pinned};

/// Everything that starts here has this address; nothing else on the machine has.
const ADDRESS: &str = "127.83.112.1:8037";

/// Sizes of components, in bytes, nearly: one whose compilation takes its time, and one that is larger than most.
const LARGE: usize = 2_000_000;
const VERY_LARGE: usize = 25_000_000;
/// Components of one app, each with code of its own.
const MANY: usize = 50;

/// An app of one component.
const ONE: &str =
    "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello-p2.wasm\"\n";

/// All scenarios.
pub(crate) fn run(world: &World, wasmtime: &Path, effort: Effort, report: &mut Report) {
    let starts = Starts::new(world, wasmtime);
    let hello = app(world, "start", ONE);
    // What is compiled then is there from then on.
    starts.ours(&hello);
    starts.theirs(&hello);
    let warm: Vec<_> = (0..effort.pairs * 3).map(|_| (starts.ours(&hello), starts.theirs(&hello))).collect();
    compare("p2 hello, warm: first response", "wasmtime serve", &warm, 1.3, report);
    let large = grown(app(world, "large", ONE), LARGE);
    for (what, app) in [("p2 hello", &hello), ("component of 2 MB", &large)] {
        let cold: Vec<_> = (0..effort.pairs)
            .map(|_| {
                starts.forget();
                (starts.ours(app), starts.theirs(app))
            })
            .collect();
        compare(&format!("{what}, cold: first response"), "wasmtime serve", &cold, 1.05, report);
    }
    let very_large = grown(app(world, "very-large", ONE), VERY_LARGE);
    let many = many(world);
    for (what, app, bound) in [("component of 25 MB", &very_large, 1.3), ("50 components", &many, 3.0)] {
        starts.ours(app);
        starts.ours(&hello);
        let warm: Vec<_> = (0..effort.pairs).map(|_| (starts.ours(app), starts.ours(&hello))).collect();
        compare(&format!("{what}, warm: first response"), "p2 hello", &warm, bound, report);
    }

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

/// A line of pairs: ours, and the other's.
fn compare(what: &str, peer: &'static str, pairs: &[(f64, f64)], bound: f64, report: &mut Report) {
    let ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours / theirs).collect();
    let shown = format!("{:.1} ms", median(pairs.iter().map(|(ours, _)| *ours).collect()));
    report.line(what.to_owned(), shown, peer, &ratios, Some(Bound::AtMost(bound)));
}

/// Programs that are started.
struct Starts<'w> {
    world: &'w World,
    spin: String,
    wasmtime: String,
    /// Where `wasmtime serve` keeps compiled code.
    config: String,
}

impl<'w> Starts<'w> {
    fn new(world: &'w World, wasmtime: &Path) -> Self {
        let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
        let cache = format!("[cache]\ndirectory = {:?}\n", world.path("cache/wasmtime"));
        let config = format!("-Ccache-config={}", world.write("wasmtime.toml", cache).display());
        Self { world, spin: text(&world.dist().bin("spin")), wasmtime: text(wasmtime), config }
    }

    fn ours(&self, app: &Path) -> f64 {
        first_response(self.world, &[&self.spin, "up", "--listen", ADDRESS, "--quiet"], app)
    }

    fn theirs(&self, app: &Path) -> f64 {
        let serve = [&self.wasmtime, "serve", "-Scli=y", &self.config, "--addr", ADDRESS, "hello-p2.wasm"];
        first_response(self.world, &serve, app)
    }

    /// Deletes all compiled code.
    fn forget(&self) {
        for folder in ["cache/spin", "cache/wasmtime"] {
            drop(std::fs::remove_dir_all(self.world.path(folder)));
        }
    }
}

/// An app of [`MANY`] components, each of the same code and of a section of its own.
fn many(world: &World) -> PathBuf {
    let mut tables = String::new();
    for number in 0..MANY {
        let route = if number == 0 { "/...".to_owned() } else { format!("/{number}") };
        let _ = writeln!(
            tables,
            "[[trigger.http]]\nroute = \"{route}\"\ncomponent = \"c{number}\"\n[component.c{number}]\nsource = \"c{number}.wasm\""
        );
    }
    let folder = app(world, "many", &tables);
    let hello = std::fs::read(dist::guest("hello-p2")).expect("the guest");
    for number in 0..MANY {
        let name = format!("c{number:02}");
        let mut component = hello.clone();
        component.extend([0, 4, 3]);
        component.extend(name.as_bytes());
        std::fs::write(folder.join(format!("c{number}.wasm")), component).expect("a file can be written");
    }
    folder
}

/// The app with a component of about `size` bytes: a further core module stands behind it, with functions that are never called.
///
/// It is put together byte by byte: a text of that size takes gigabytes to read, and what this process keeps of them would be
/// copied and thrown away with each program that it starts.
fn grown(folder: PathBuf, size: usize) -> PathBuf {
    let file = folder.join("hello-p2.wasm");
    let mut component = std::fs::read(&file).expect("the component");
    // Some arithmetic that no two functions have in common; each is of about 8 KiB.
    let (mut bodies, mut functions, mut number) = (Vec::new(), 0, 0_u32);
    while component.len() + bodies.len() < size {
        // One local, an i32; local.get 0.
        let mut body = vec![1, 1, 0x7f, 0x20, 0];
        for _ in 0..500 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            body.push(0x41);
            signed(&mut body, number.cast_signed());
            // i32.add, local.tee 1, local.get 1, i32.const 3, i32.rotl, i32.xor
            body.extend([0x6a, 0x22, 1, 0x20, 1, 0x41, 3, 0x77, 0x73]);
        }
        body.push(0x0b);
        unsigned(&mut bodies, body.len());
        bodies.extend(body);
        functions += 1;
    }
    let counted = |items: &[u8]| {
        let mut counted = Vec::new();
        unsigned(&mut counted, functions);
        counted.extend(items);
        counted
    };
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
    section(&mut module, 3, &counted(&vec![0; functions]));
    section(&mut module, 10, &counted(&bodies));
    section(&mut component, 1, &module);
    std::fs::write(&file, component).expect("a file can be written");
    folder
}

/// A section of a module or a component: its number, its length, its content.
fn section(to: &mut Vec<u8>, number: u8, content: &[u8]) {
    to.push(number);
    unsigned(to, content.len());
    to.extend(content);
}

/// A number by LEB128.
fn unsigned(to: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push(number as u8);
}

fn signed(to: &mut Vec<u8>, mut number: i32) {
    while !(-64..64).contains(&number) {
        to.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    to.push((number & 0x7f) as u8);
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
