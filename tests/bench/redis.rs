//! Messages of a channel a second, and the processor time of one, as ratios to a plain subscriber; and a burst.
//!
//! `cargo xtask bench redis`

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use spin_tests::memory::{Memory, processor_time};
use spin_tests::redis::Redis;
use spin_tests::{World, http};

/// Messages for a handler that does nothing; for one that waits; and in the burst.
const MANY: u64 = 100_000;
const FEW: u64 = 2_000;
const FEWEST: u64 = 100;
const BURST: u64 = 1_000_000;

const PAYLOAD: [u8; 100] = [b'x'; 100];

/// What a run has come to.
struct Measured {
    /// Messages a second.
    rate: f64,
    /// Processor time of one message.
    each: Duration,
}

fn main() {
    let world = World::new();
    world.install("trigger-redis");
    let plain = plain();
    println!("a plain subscriber: {:.0} messages a second, {:?} each", plain.rate, plain.each);
    let bench = Bench { world: &world };
    for guest in ["redis-probe", "redis-probe-p3"] {
        let one = bench.run(guest, 0, &["--max-concurrency", "1"], MANY / 10);
        let default = bench.run(guest, 0, &[], MANY);
        let waiting_one = bench.run(guest, 50, &["--max-concurrency", "1"], FEWEST);
        let waiting = bench.run(guest, 50, &[], FEW);
        for (what, measured) in [("nothing, one at once", &one), ("nothing, default", &default)] {
            println!(
                "{guest}, {what}: {:.0} messages a second, {:.3} of a plain subscriber's; {:?} each, {:.1} times as much",
                measured.rate,
                measured.rate / plain.rate,
                measured.each,
                measured.each.as_secs_f64() / plain.each.as_secs_f64(),
            );
        }
        println!("{guest}, nothing: default is {:.2} times one at once", default.rate / one.rate);
        println!(
            "{guest}, waiting 50 ms: {:.0} a second one at once ({:.2} of what is possible), {:.0} by default, {:.1} times as many",
            waiting_one.rate,
            waiting_one.rate / 20.0,
            waiting.rate,
            waiting.rate / waiting_one.rate,
        );
    }
    bench.burst();
}

struct Bench<'a> {
    world: &'a World,
}

impl Bench<'_> {
    /// An app whose one component takes `milliseconds` for each message.
    fn app(&self, redis: &Redis, guest: &str, milliseconds: u32, keys: &str) -> spin_tests::App {
        let manifest = format!(
            "spin_manifest_version = 2\n[application]\nname = \"bench\"\n\
             [[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\ncomponent = \"one\"\n{keys}\n\
             [component.one]\nsource = \"{guest}.wasm\"\nenvironment = {{ SLEEP_MS = \"{milliseconds}\", QUIET = \"1\" }}\n",
            redis.url()
        );
        self.world.app("bench", &manifest, &[guest])
    }

    fn run(&self, guest: &str, milliseconds: u32, flags: &[&str], count: u64) -> Measured {
        let redis = server();
        let app = self.app(&redis, guest, milliseconds, "queue_bytes = 268435456");
        let up = self.world.spin(["up", "--admin-listen", "127.0.0.1:0"]).args(flags).in_dir(app.dir()).start();
        up.stdout().wait_for("Active Channels");
        let admin = admin(&up);
        let (before, began) = (processor_time(up.child()), Instant::now());
        publish(&redis, count);
        while metric(admin, "spin_events_total") < count {
            // A measurement: asking without a pause would take the processor from what is measured.
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = began.elapsed();
        let used = processor_time(up.child()) - before;
        up.stop().success();
        measured(count, took, used)
    }

    /// More messages at once than are handled, dropped where there is no room.
    fn burst(&self) {
        let redis = server();
        let app = self.app(&redis, "redis-probe", 0, "when_full = \"drop-oldest\"");
        let up = self.world.spin(["up", "--admin-listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
        up.stdout().wait_for("Active Channels");
        let admin = admin(&up);
        let (memory, began) = (Memory::watch(up.child()), Instant::now());
        publish(&redis, BURST);
        let published = began.elapsed();
        loop {
            let (handled, dropped) = (metric(admin, "spin_events_total"), metric(admin, "spin_redis_dropped_total"));
            if handled + dropped == BURST {
                println!(
                    "a burst of {BURST}: published in {:.1} s, done after {:.1} s; {handled} handled, {dropped} dropped; the \
                     trigger grew by {} MiB",
                    published.as_secs_f64(),
                    began.elapsed().as_secs_f64(),
                    memory.growth() >> 20
                );
                break;
            }
            // As above.
            std::thread::sleep(Duration::from_millis(50));
        }
        up.stop().success();
    }
}

/// A server that never loses patience with a subscriber.
fn server() -> Redis {
    Redis::start_with(&["--client-output-buffer-limit", "pubsub 0 0 0"])
}

fn publish(redis: &Redis, count: u64) {
    let mut client = redis.client();
    client.pipeline((0..count).map(|_| vec![b"PUBLISH", b"c".as_slice(), &PAYLOAD])).expect("the server is there");
}

fn measured(count: u64, took: Duration, used: Duration) -> Measured {
    let each = used / u32::try_from(count).expect("not that many");
    Measured { rate: count as f64 / took.as_secs_f64(), each }
}

/// What it takes to read the same messages and do nothing with them.
fn plain() -> Measured {
    let redis = server();
    let stream = TcpStream::connect(redis.address()).expect("the server is there");
    (&stream).write_all(b"SUBSCRIBE c\r\n").expect("it listens");
    let mut reader = BufReader::new(stream);
    value(&mut reader);
    let reading = std::thread::spawn(move || {
        let time = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("it is not negative");
        let before = time();
        (0..MANY).for_each(|_| value(&mut reader));
        time() - before
    });
    let began = Instant::now();
    publish(&redis, MANY);
    let used = reading.join().expect("no panic");
    measured(MANY, began.elapsed(), used)
}

/// Reads one value of the protocol.
fn value(reader: &mut BufReader<TcpStream>) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("the server answers");
    let number = || line[1..].trim_end().parse::<usize>().expect("a number");
    match line.as_bytes()[0] {
        b'*' => (0..number()).for_each(|_| value(reader)),
        b'$' => reader.read_exact(&mut vec![0; number() + 2]).expect("all of it"),
        _ => {}
    }
}

fn admin(up: &spin_tests::Running) -> std::net::SocketAddr {
    let line = up.stderr().wait_for("Admin endpoints: http://");
    let (_, behind) = line.split_once("http://").expect("it was looked for");
    behind.split('/').next().expect("an address").parse().expect("an address")
}

fn metric(admin: std::net::SocketAddr, name: &str) -> u64 {
    let text = http::get(admin, "/metrics").text();
    let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    samples.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).unwrap_or(0.0) as u64).sum()
}
