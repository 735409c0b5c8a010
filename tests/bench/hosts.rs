//! What a call to a store or a server costs: requests that make one, as ratios to a hello of the same generation (0.3).
//!
//! `cargo xtask bench hosts [--quick]`
//!
//! A request opens what it calls, and calls it once. Each turn of it is compared with a turn of the hello right before it, since
//! a machine is not as fast now as it was a minute ago; what is printed is the median. The clients run beside the server, so
//! that its processor time says more than the rate; what the database's own processes use is in neither. The first line is
//! what the component itself takes, which reads from its request what to call.

#![allow(clippy::print_stdout, reason = "a benchmark tells by printing")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use spin_tests::http::Client;
use spin_tests::memory::processor_time;
use spin_tests::postgres::Postgres;
use spin_tests::redis::Redis;
use spin_tests::{Running, World};

/// Connections that send one request after another.
const CLIENTS: usize = 8;

/// Turns that a median is of, and requests of one turn.
const FULL: (usize, usize) = (5, 4_000);
const QUICK: (usize, usize) = (3, 800);

/// What is called: its name, the interface with its calls, and what they answer.
const CALLS: [(&str, &str, &str); 6] = [
    ("no call", "spin:key-value/key-value@3.0.0", ""),
    ("key-value get", "spin:key-value/key-value@3.0.0\nopen\tdefault\nget\tkept", "ok\nok(some(\"a value\"))"),
    ("key-value set", "spin:key-value/key-value@3.0.0\nopen\tdefault\nset\tnew\ta value", "ok\nok"),
    (
        "SQLite select",
        "spin:sqlite/sqlite@3.1.0\nopen-async\tdefault\nexecute-async\tSELECT v FROM t WHERE k = ?1\ti:7",
        "ok\nok(v [t:a value])",
    ),
    ("Redis get", "spin:redis/redis@3.0.0\nopen\t{redis}\nget\tkept", "ok\nok(some(\"a value\"))"),
    (
        "PostgreSQL select",
        "spin:postgres/postgres@4.2.0\nopen-async\t{postgres}\nquery-async\tSELECT v FROM t WHERE k = $1\tint32:7",
        "ok\nok(v:str [str:a value])",
    ),
];

/// What stands in the stores before it is asked for.
const PREPARED: [&str; 2] = [
    "spin:key-value/key-value@3.0.0\nopen\tdefault\nset\tkept\ta value",
    "spin:sqlite/sqlite@3.1.0\nopen\tdefault\nexecute\tCREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)\n\
     execute\tINSERT INTO t SELECT value, 'a value' FROM json_each('[1, 2, 3, 4, 5, 6, 7, 8, 9]')",
];

fn main() {
    let (turns, requests) = if std::env::args().any(|argument| argument == "--quick") { QUICK } else { FULL };
    let world = World::new();
    world.install("trigger-http");
    let (redis, postgres) = (Redis::start(), Postgres::start());
    redis.command(&[b"SET", b"kept", b"a value"]);
    postgres.query(
        "CREATE TABLE t (k int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'a value' FROM generate_series(1, 9) AS n",
    );
    let manifest = format!(
        "spin_manifest_version = 2\napplication = {{ name = \"hosts\" }}\n\
         [[trigger.http]]\nroute = \"/hello\"\ncomponent = \"hello\"\n[component.hello]\nsource = \"hello.wasm\"\n\
         [[trigger.http]]\nroute = \"/call\"\ncomponent = \"call\"\n[component.call]\nsource = \"host-probe.wasm\"\n\
         key_value_stores = [\"default\"]\nsqlite_databases = [\"default\"]\n\
         allowed_outbound_hosts = [\"{}\", \"postgres://127.0.0.1:{}\"]\n",
        redis.url(),
        postgres.port()
    );
    let app = world.app("hosts", &manifest, &["hello", "host-probe"]);
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let bench = Bench { address: up.serving(), up: &up };
    for script in PREPARED {
        let answers = bench.ask(&mut bench.client(), "/call", script);
        assert!(answers.lines().all(|answer| answer.starts_with("ok")), "{answers}");
    }

    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "medians of {turns} turns of {requests} requests on {CLIENTS} connections; server, clients and databases on {cores} cores"
    );
    let hello = |requests| bench.turn(requests, "/hello", "", "hello from a component\n");
    hello(requests);
    for (name, script, answer) in CALLS {
        let script = script.replace("{redis}", &redis.url()).replace("{postgres}", &postgres.url());
        let call = |requests| bench.turn(requests, "/call", &script, answer);
        // What is compiled, opened or connected at first use is no matter of this measurement.
        call(requests / 4);
        let pairs: Vec<(Turn, Turn)> = (0..turns).map(|_| (hello(requests), call(requests))).collect();
        let of = |figure: &dyn Fn(&(Turn, Turn)) -> f64| median(pairs.iter().map(figure).collect());
        println!(
            "{name}: {:.0} requests a second, {:.2} of the hello's; {:.1} µs of processor time each, {:.2} times the hello's",
            of(&|(_, call)| call.rate),
            of(&|(hello, call)| call.rate / hello.rate),
            of(&|(_, call)| call.each),
            of(&|(hello, call)| call.each / hello.each),
        );
    }
    up.stop().success();
}

/// What a turn has come to.
struct Turn {
    /// Requests a second.
    rate: f64,
    /// Microseconds of the trigger's processor time for one.
    each: f64,
}

struct Bench<'a> {
    address: SocketAddr,
    up: &'a Running,
}

impl Bench<'_> {
    fn client(&self) -> Client {
        Client::connect(self.address).expect("the app serves")
    }

    fn ask(&self, client: &mut Client, path: &str, script: &str) -> String {
        let response = client.request("POST", path, &[], script.as_bytes()).expect("the app answers");
        assert_eq!(response.status, 200, "{script}");
        response.text()
    }

    /// So many requests, each of which has this answer.
    fn turn(&self, requests: usize, path: &str, script: &str, expected: &str) -> Turn {
        let (before, began) = (processor_time(self.up.child()), Instant::now());
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let mut client = self.client();
                    for _ in 0..requests / CLIENTS {
                        assert_eq!(self.ask(&mut client, path, script), expected, "{script}");
                    }
                });
            }
        });
        let took: Duration = began.elapsed();
        let used = processor_time(self.up.child()) - before;
        Turn { rate: requests as f64 / took.as_secs_f64(), each: used.as_secs_f64() * 1e6 / requests as f64 }
    }
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
