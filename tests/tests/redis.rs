//! The Redis trigger, as an installed plugin, with a real server and a real component.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use spin_tests::redis::Redis;
use spin_tests::{App, World};

const SOON: Duration = Duration::from_secs(30);

fn app(world: &World, address: &str) -> App {
    let manifest = format!(
        r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
channel = {{ default = "templated" }}
[application.trigger.redis]
address = "{address}"
[[trigger.redis]]
channel = "plain"
component = "one"
[[trigger.redis]]
channel = "{{{{ channel }}}}"
component = "one"
[[trigger.redis]]
channel = "plain"
component = "two"
[component.one]
source = "redis-probe.wasm"
[component.two]
source = "redis-probe.wasm"
"#
    );
    world.app("app", &manifest, &["redis-probe"])
}

/// What a component has printed, waiting until it is `lines` lines.
fn printed(app: &App, component: &str, lines: usize) -> Vec<String> {
    let path = app.dir().join(format!(".spin/logs/{component}_stdout.txt"));
    let deadline = Instant::now() + SOON;
    loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.lines().count() >= lines || Instant::now() > deadline {
            let mut found: Vec<String> = text.lines().map(str::to_owned).collect();
            found.sort();
            return found;
        }
        std::thread::yield_now();
    }
}

#[test]
fn messages_reach_every_component_of_their_channel() {
    let redis = Redis::start();
    let world = World::new();
    world.install("trigger-redis");
    let app = app(&world, &redis.url());
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    up.stdout().wait_for("Active Channels on");
    up.stdout().wait_for("plain");
    // The listing comes when the subscriptions are confirmed.
    assert_eq!(redis.publish("plain", "first"), 1, "one connection listens for both components");
    assert_eq!(redis.publish("templated", "second"), 1);
    assert_eq!(redis.publish("other", "nobody hears it"), 0);
    assert_eq!(printed(&app, "one", 2), ["first", "second"]);
    assert_eq!(printed(&app, "two", 1), ["first"]);
    // A guest that fails or traps is logged, and the next message is served.
    redis.publish("templated", "fail");
    redis.publish("templated", "trap");
    up.stderr().wait_for("one");
    redis.publish("templated", "third");
    assert!(printed(&app, "one", 5).contains(&"third".to_owned()));
    up.stop().success();
}

#[test]
fn a_lost_server_is_waited_for() {
    let redis = Redis::start();
    let address = redis.address();
    let world = World::new();
    world.install("trigger-redis");
    let app = app(&world, &redis.url());
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    up.stdout().wait_for("Active Channels on");
    redis.kill();
    up.stderr().wait_for("lost");
    let redis = Redis::start_at(Some(address));
    // Subscribed again: the server counts a receiver.
    let deadline = Instant::now() + SOON;
    while redis.publish("templated", "after") == 0 {
        assert!(Instant::now() < deadline, "not subscribed again\n{}", up.stderr().text());
    }
    assert_eq!(printed(&app, "one", 1), ["after"]);
    up.stop().success();
}

#[test]
fn a_component_of_another_kind_is_refused_at_start() {
    let redis = Redis::start();
    let world = World::new();
    world.install("trigger-redis");
    let manifest = format!(
        "spin_manifest_version = 2\napplication = {{ name = \"app\" }}\n[[trigger.redis]]\nchannel = \"c\"\naddress = \"{}\"\n\
         component = \"probe\"\n[component.probe]\nsource = \"probe-p3.wasm\"\n",
        redis.url()
    );
    let app = world.app("app", &manifest, &["probe-p3"]);
    let refused = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("inbound-redis") && refused.stderr.contains("probe"), "{}", refused.snapshot());
}
