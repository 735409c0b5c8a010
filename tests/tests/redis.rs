//! The Redis trigger, as an installed plugin, with a real server and real components.

#![allow(clippy::unwrap_used, reason = "tests")]

#[macro_use]
#[path = "../src/hostile/named.rs"]
mod named;

mod redis {
    mod availability;
    mod channels;
    mod entries;
    mod first_generation;
    mod hostile_cases;
    mod lists;
    mod policies;
    mod reload;
    mod security;
    mod streams;
}

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spin_tests::redis::Redis;
use spin_tests::{App, Invocation, Running, World, http};

/// More than anything here takes, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A component `one` of the guest `redis-probe` with nothing special.
const ONE: &str = "[component.one]\nsource = \"redis-probe.wasm\"\n";

/// A world with the trigger installed, and an app in it.
struct Trigger {
    // Dropped after everything that runs in it.
    world: World,
    app: App,
}

impl Trigger {
    /// An app whose triggers and components are `tables`.
    fn new(tables: &str) -> Self {
        let world = World::new();
        world.install("trigger-redis");
        let manifest = format!("spin_manifest_version = 2\n[application]\nname = \"app\"\n{tables}");
        let app = world.app("app", &manifest, &["redis-probe", "redis-probe-p3"]);
        Self { world, app }
    }

    /// `spin up` with its admin listener and these flags.
    fn up(&self, flags: &[&str]) -> Invocation {
        let arguments = ["up", "--admin-listen", "127.0.0.1:0"].iter().chain(flags);
        self.world.spin(arguments).in_dir(self.app.dir())
    }

    /// The same, running, with everything connected for the first time.
    #[track_caller]
    fn start(&self, flags: &[&str]) -> Serving {
        let serving = self.begin(flags);
        serving.up.stdout().wait_for("Active ");
        until("it is ready", || serving.is_ready());
        serving
    }

    /// The same without waiting for any server.
    #[track_caller]
    fn begin(&self, flags: &[&str]) -> Serving {
        let up = self.up(flags).start();
        let line = up.stderr().wait_for("Admin endpoints: http://");
        let (_, behind) = line.split_once("http://").unwrap();
        let admin = behind.split('/').next().unwrap().parse().unwrap();
        Serving { up, admin }
    }

    /// The file of what a component prints.
    fn output(&self, component: &str) -> PathBuf {
        self.app.dir().join(format!(".spin/logs/{component}_stdout.txt"))
    }

    /// What a component has printed, by lines.
    fn printed(&self, component: &str) -> Vec<String> {
        std::fs::read_to_string(self.output(component)).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The same as soon as there are `count` lines, sorted.
    #[track_caller]
    fn wait_for_printed(&self, component: &str, count: usize) -> Vec<String> {
        until(&format!("{component} prints {count} lines"), || self.printed(component).len() >= count);
        let mut lines = self.printed(component);
        lines.sort();
        lines
    }
}

/// An app that is served.
struct Serving {
    up: Running,
    admin: SocketAddr,
}

impl Serving {
    fn is_ready(&self) -> bool {
        http::get(self.admin, "/readyz").status == 200
    }

    /// The sum of a metric over all samples whose labels have this in them.
    fn metric(&self, name: &str, labels: &str) -> u64 {
        let text = http::get(self.admin, "/metrics").text();
        let samples = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(labels));
        samples.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
    }
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// Runs an app until all of `messages` are printed and settled, and kills its trigger ten times and the server twice on the way. Gives the
/// server that is there at the end.
#[track_caller]
fn kill_again_and_again(
    trigger: &Trigger,
    mut redis: Redis,
    messages: &[String],
    is_settled: impl Fn(&Redis) -> bool,
) -> Redis {
    let step = messages.len() / 14;
    for kill in 1..=12 {
        let serving = trigger.start(&[]);
        let next = kill * step;
        until("some are printed", || trigger.printed("one").len() >= next);
        if kill % 6 == 0 {
            redis = redis.restart();
            serving.up.stderr().wait_for("connected again");
            serving.up.stop().success();
        } else {
            let child = rustix::process::Pid::from_raw(serving.up.child().try_into().unwrap()).unwrap();
            rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
            let ended = serving.up.finish_within(SOON);
            assert_ne!(ended.code, Some(0), "{}", ended.snapshot());
        }
    }
    let serving = trigger.start(&[]);
    let is_missing = |printed: &HashSet<String>| messages.iter().any(|message| !printed.contains(message));
    until("each is printed", || !is_missing(&trigger.printed("one").into_iter().collect()));
    // What was handled and not settled when somebody was killed is handed over once more.
    until("all are settled", || is_settled(&redis));
    serving.up.stop().success();
    redis
}
