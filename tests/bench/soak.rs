//! Five minutes of good, slow, hostile, leaving and looping clients at once, in plain text and over TLS. The good ones must see
//! no wrong answer and not wait long, and after it both triggers must hold what they held after warming up.
//!
//! `cargo xtask bench soak`, or `SOAK_SECONDS=60 cargo xtask bench soak` for a shorter one. Loopback only.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark tells by printing, and ends by panicking")]

#[path = "../tests/http/client.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod client;
#[path = "soak/clients.rs"]
mod clients;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spin_tests::certificates::{Certificates, Key};
use spin_tests::memory::{descriptors, resident};
use spin_tests::{App, Running, World, probes};

/// How far memory and descriptors may be from where they were, in percent, up and down.
const TOLERANCE: f64 = 5.0;

/// How long a good client may wait for one of a hundred answers.
const BOUND: Duration = Duration::from_millis(250);

/// How long a trigger may take to come to rest: idle instances and connections must have ended.
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

/// The two triggers, which serve the same app.
struct Site {
    plain: Running,
    tls: Running,
    places: Places,
}

/// What clients must know.
#[derive(Clone)]
struct Places {
    plain: SocketAddr,
    tls: SocketAddr,
    /// Whom clients over TLS trust.
    root: PathBuf,
}

impl Site {
    fn start(world: &World, app: &App) -> Self {
        let authority = Certificates::new(world.path("certificates"));
        let issued = authority.issue("server", Key::Pkcs8);
        // Short times, so that who doesn't read and who says nothing comes and goes often. Few instances, because every
        // place of one keeps some memory once it was taken: warming up must take all of them.
        let arguments = [
            "up",
            "--listen=127.0.0.1:0",
            "--quiet",
            "--max-cpu-time=500ms",
            "--body-timeout=3s",
            "--max-instances=32",
        ];
        let up = || world.spin(arguments).in_dir(app.dir());
        let plain = up().start();
        let tls = up().env("SPIN_TLS_CERT", &issued.certificate).env("SPIN_TLS_KEY", &issued.key).start();
        let places = Places { plain: plain.serving(), tls: tls.serving(), root: authority.root() };
        Self { plain, tls, places }
    }

    /// What both hold when nothing is asked of them; `before` is what they held the last time.
    fn rest(&self, before: Option<[Held; 2]>) -> [Held; 2] {
        [rest(&self.plain, before.map(|before| before[0])), rest(&self.tls, before.map(|before| before[1]))]
    }
}

fn main() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, &format!("{}{BAD}", probes::BOTH));
    let site = Site::start(&world, &app);

    // Long enough that every pool and cache is as large as it gets.
    clients::load(&site.places, Duration::from_secs(seconds / 5)).assert_good();
    let before = site.rest(None);
    let seen = clients::load(&site.places, Duration::from_secs(seconds));
    let after = site.rest(Some(before));
    println!("{seconds} s: {}", seen.counts());
    seen.assert_good();
    seen.assert_soon(BOUND);
    let changes = ["plain", "TLS"].into_iter().zip(before.into_iter().zip(after));
    let within: Vec<bool> = changes.map(|(name, (before, after))| before.is_like(after, name)).collect();
    site.plain.stop().success();
    site.tls.stop().success();
    assert!(within.into_iter().all(|within| within), "a trigger holds {TOLERANCE} % more or less than before");
}

/// What a trigger holds.
#[derive(Clone, Copy)]
struct Held {
    memory: u64,
    descriptors: usize,
}

impl Held {
    /// Tells how much it is afterwards, and whether that is as much.
    fn is_like(self, after: Self, name: &str) -> bool {
        let change = |before: f64, after: f64| (after - before) / before * 100.0;
        let memory = change(self.memory as f64, after.memory as f64);
        let descriptors = change(self.descriptors as f64, after.descriptors as f64);
        println!(
            "{name}: {} KiB and {} descriptors after warming up, {} KiB ({memory:+.1} %) and {} ({descriptors:+.1} %) at the end",
            self.memory >> 10,
            self.descriptors,
            after.memory >> 10,
            after.descriptors
        );
        memory.abs() <= TOLERANCE && descriptors.abs() <= TOLERANCE
    }
}

/// Waits until a trigger holds no more descriptors than before or, the first time, than it will ever let go of.
fn rest(up: &Running, before: Option<Held>) -> Held {
    let trigger = up.child();
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
