//! Five minutes of good, slow, hostile and looping clients at once. The good ones must see no wrong answer, and after
//! it the trigger must hold what it held after warming up.
//!
//! `cargo xtask bench soak`, or `SOAK_SECONDS=60 cargo xtask bench soak` for a shorter one. Loopback only.

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spin_tests::http::Client;
use spin_tests::memory::{descriptors, resident};
use spin_tests::{Running, World, probes, streaming};

const GOOD: usize = 4;
/// How far memory and descriptors may be from where they were, in percent.
const TOLERANCE: f64 = 5.0;
/// How long the trigger may take to come to rest: idle instances and connections must have ended.
const REST: Duration = Duration::from_secs(90);

/// What traps and loops has components of its own: who shares an instance with it shares its end, by design.
const BAD: &str = r#"
[[trigger.http]]
route = "/bad-p2/..."
component = "bad-old"
[[trigger.http]]
route = "/bad-p3/..."
component = "bad-new"
[component.bad-old]
source = "probe-p2.wasm"
[component.bad-new]
source = "probe-p3.wasm"
"#;

/// Bytes that are no request, or one that must not be taken for two.
const HOSTILE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /p2/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"GET / HTTP/1.1\nhost: a\n\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
    b"POST /p3/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /bad-p2/trap HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    b"GET /bad-p3/trap-after HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
];

/// What the clients saw.
#[derive(Default)]
struct Seen {
    good: AtomicU64,
    busy: AtomicU64,
    looped: AtomicU64,
    hostile: AtomicU64,
    slow: AtomicU64,
    /// What good clients saw and should not have.
    wrong: Mutex<Vec<String>>,
}

fn main() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, &format!("{}{BAD}", probes::BOTH));
    let arguments = ["up", "--listen", "127.0.0.1:0", "--max-cpu-time", "500ms", "--quiet"];
    let up = world.spin(arguments).in_dir(app.dir()).start();
    let (address, trigger) = (up.serving(), up.child());

    // Long enough that every pool and cache is as large as it gets.
    let wrong = load(address, Duration::from_secs(seconds / 5)).wrong.into_inner().expect("no client panicked");
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), up.stderr().text());
    let before = rest(&up, trigger, None);
    println!("after warming up: {} KiB, {} descriptors", before.memory >> 10, before.descriptors);
    let seen = load(address, Duration::from_secs(seconds));
    let after = rest(&up, trigger, Some(before));
    let wrong = seen.wrong.lock().expect("no client panicked").join("\n");
    let count = |seen: &AtomicU64| seen.load(Ordering::Relaxed);
    println!(
        "{seconds} s: {} good answers ({} asked to come again), {} loops ended, {} hostile and {} slow clients",
        count(&seen.good),
        count(&seen.busy),
        count(&seen.looped),
        count(&seen.hostile),
        count(&seen.slow)
    );
    println!("at the end: {} KiB, {} descriptors", after.memory >> 10, after.descriptors);
    assert!(wrong.is_empty(), "{wrong}\n{}", up.stderr().text());
    up.stop().success();
    let change = |before: f64, after: f64| (after - before) / before * 100.0;
    let memory = change(before.memory as f64, after.memory as f64);
    let descriptors = change(before.descriptors as f64, after.descriptors as f64);
    println!("change: memory {memory:+.1} %, descriptors {descriptors:+.1} %");
    assert!(memory <= TOLERANCE && descriptors.abs() <= TOLERANCE, "the trigger holds more than {TOLERANCE} % more");
}

/// What the trigger holds.
#[derive(Clone, Copy)]
struct Held {
    memory: u64,
    descriptors: usize,
}

/// Waits until the trigger holds no more descriptors than before or, the first time, than it will ever let go of.
fn rest(up: &Running, trigger: u32, before: Option<Held>) -> Held {
    let began = Instant::now();
    let mut least = usize::MAX;
    let mut since = began;
    while began.elapsed() < REST {
        let now = descriptors(trigger);
        if now < least {
            (least, since) = (now, Instant::now());
        }
        if before.is_some_and(|before| least <= before.descriptors) || since.elapsed() > Duration::from_secs(20) {
            break;
        }
        // Nothing tells when a process has closed a descriptor.
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!up.stderr().text().contains("panicked"), "{}", up.stderr().text());
    Held { memory: resident(trigger), descriptors: least }
}

/// Everybody at once, for a while.
fn load(address: SocketAddr, duration: Duration) -> Seen {
    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let until_over = |client: &(dyn Fn(u64) + Sync)| {
        let mut turn = 0;
        while !over.load(Ordering::Relaxed) {
            client(turn);
            turn += 1;
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..GOOD {
            scope.spawn(|| {
                until_over(&|turn| {
                    if let Err(wrong) = good(address, turn, &seen) {
                        seen.wrong.lock().expect("no client panicked").push(wrong);
                    }
                })
            });
        }
        scope.spawn(|| until_over(&|turn| looping(address, turn, &seen)));
        scope.spawn(|| until_over(&|turn| hostile(address, turn, &seen)));
        scope.spawn(|| until_over(&|turn| slow(address, turn, &seen)));
        std::thread::sleep(duration);
        over.store(true, Ordering::Relaxed);
    });
    seen
}

/// A few requests on one connection, all of whose answers are known. 503 is an honest answer.
fn good(address: SocketAddr, turn: u64, seen: &Seen) -> Result<(), String> {
    let mut client = Client::connect(address).map_err(|error| format!("no connection: {error}"))?;
    let generation = ["p2", "p3"][(turn % 2) as usize];
    for _ in 0..20 {
        let body = format!("turn {turn}");
        let response = client
            .request("POST", &format!("/{generation}/echo"), &[], body.as_bytes())
            .map_err(|error| format!("{generation}: no answer: {error}"))?;
        match response.status {
            200 if !response.complete => return Err(format!("{generation}: half an answer")),
            200 if response.text() == body => {}
            200 => return Err(format!("{generation}: a wrong answer")),
            503 => drop(seen.busy.fetch_add(1, Ordering::Relaxed)),
            other => return Err(format!("{generation}: {other}")),
        }
        seen.good.fetch_add(1, Ordering::Relaxed);
    }
    if turn.is_multiple_of(50) {
        let path = format!("/{generation}/echo");
        streaming::echo(address, &path, 4 << 20).map_err(|error| format!("{generation}: an echo was cut: {error}"))?;
    }
    Ok(())
}

fn looping(address: SocketAddr, turn: u64, seen: &Seen) {
    let path = ["/bad-p2/loop", "/bad-p3/loop"][(turn % 2) as usize];
    let mut client = Client::connect(address).expect("the trigger takes connections");
    let status = client.request("GET", path, &[], b"").map(|response| response.status);
    assert!(matches!(status, Ok(503 | 504)), "a loop ended with {status:?}");
    seen.looped.fetch_add(1, Ordering::Relaxed);
}

/// Sends something bad and goes away, with or without waiting for an answer.
fn hostile(address: SocketAddr, turn: u64, seen: &Seen) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let bytes = HOSTILE[usize::try_from(turn).unwrap_or(0) % HOSTILE.len()];
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = stream.write_all(bytes);
    if turn.is_multiple_of(3) {
        let _ = stream.shutdown(Shutdown::Write);
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
    }
    seen.hostile.fetch_add(1, Ordering::Relaxed);
}

/// Sends a head byte by byte and leaves in the middle of it, or asks for a response that it doesn't read.
fn slow(address: SocketAddr, turn: u64, seen: &Seen) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let head = format!("POST /p2/drip?ms=50&n=20 HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\n");
    let count = if turn.is_multiple_of(2) { head.len() } else { head.len() / 2 };
    for byte in &head.as_bytes()[..count] {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen.slow.fetch_add(1, Ordering::Relaxed);
}
