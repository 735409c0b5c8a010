//! The reference triggers, packed and installed as anybody's are.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use spin_tests::mosquitto::Mosquitto;
use spin_tests::{App, Signal, World};

const SOON: Duration = Duration::from_secs(30);

fn app(world: &World, trigger: &str, settings: &str, entry: &str, component: &str, guest: &str) -> App {
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"app\"\n{settings}\n[[trigger.{trigger}]]\n\
         component = \"one\"\n{entry}\n[component.one]\nsource = \"{guest}.wasm\"\n{component}\n"
    );
    world.install(&format!("trigger-{trigger}"));
    world.app("app", &manifest, &[guest])
}

/// What the component has printed, as soon as it `fits`.
fn printed(app: &App, fits: impl Fn(&[&str]) -> bool) -> String {
    let path = app.dir().join(".spin/logs/one_stdout.txt");
    let deadline = Instant::now() + SOON;
    loop {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if fits(&text.lines().collect::<Vec<_>>()) {
            return text;
        }
        assert!(Instant::now() < deadline, "it has printed only:\n{text}");
        std::thread::yield_now();
    }
}

#[test]
fn cron_calls_at_every_second_of_its_expression() {
    let world = World::new();
    let app = app(&world, "cron", "", "cron_expression = \"* * * * * *\"", "", "trigger-probe");
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    let text = printed(&app, |lines| lines.len() >= 6);
    let times: Vec<u64> =
        text.lines().filter_map(|line| line.strip_prefix("cron ")).map(|time| time.parse().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    up.stop().success();
}

#[test]
fn cron_starts_no_run_beside_one_that_goes_on_unless_asked() {
    let world = World::new();
    let slow = "environment = { SLEEP_MS = \"2500\" }";
    let app = app(&world, "cron", "", "cron_expression = \"* * * * * *\"", slow, "trigger-probe");
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    up.stderr().wait_for("is left out");
    let text = printed(&app, |lines| lines.len() >= 4);
    let kinds: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(kinds[..4], ["cron", "done", "cron", "done"]);
    up.stop().success();
    std::fs::remove_dir_all(app.dir().join(".spin")).unwrap();
    let manifest = std::fs::read_to_string(app.manifest()).unwrap();
    std::fs::write(app.manifest(), manifest.replace("cron_expression", "allow_overlap = true\ncron_expression"))
        .unwrap();
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    let text = printed(&app, |lines| lines.len() >= 2);
    assert!(text.lines().take(2).all(|line| line.starts_with("cron ")), "{text}");
    // Runs that go on are waited for.
    up.stop().success();
    let text = printed(&app, |_| true);
    assert_eq!(text.matches("cron ").count(), text.matches("done ").count(), "{text}");
}

#[test]
fn cron_says_what_is_wrong_with_an_expression() {
    let world = World::new();
    let app = app(&world, "cron", "", "cron_expression = \"* * * * *\"", "", "trigger-probe");
    let ended = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains("has 5 fields"), "{}", ended.snapshot());
}

#[test]
fn a_command_gets_its_arguments_and_gives_its_exit_code() {
    let world = World::new();
    let app = app(&world, "command", "", "", "", "command-probe");
    let run = |arguments: &[&str]| world.spin(["up"]).args(arguments).in_dir(app.dir()).run();
    let ended = run(&["--", "first", "--second", "-3"]);
    assert_eq!(ended.code, Some(0), "{}", ended.snapshot());
    assert!(ended.stdout.ends_with("one\nfirst\n--second\n-3\n"), "{}", ended.snapshot());
    // Rust's standard library says no more than that it failed.
    let ended = run(&["--", "exit=7"]);
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    let ended = run(&["--", "trap"]);
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains("trapped"), "{}", ended.snapshot());
}

/// A command that exits with 7.
const EXITS: &str = r#"
(component
  (import "wasi:cli/exit@0.2.6" (instance $exit (export "exit-with-code" (func (param "status-code" u8)))))
  (core func $exit (canon lower (func $exit "exit-with-code")))
  (core module $code
    (import "host" "exit" (func $exit (param i32)))
    (func (export "run") (result i32) (call $exit (i32.const 7)) (i32.const 0)))
  (core instance $code (instantiate $code (with "host" (instance (export "exit" (func $exit))))))
  (func $run (result (result)) (canon lift (core func $code "run")))
  (instance $command (export "run" (func $run)))
  (export "wasi:cli/run@0.2.6" (instance $command)))
"#;

#[test]
fn a_command_that_gives_an_exit_code_ends_the_app_with_it() {
    let world = World::new();
    let app = app(&world, "command", "", "", "", "command-probe");
    std::fs::write(app.dir().join("exits.wat"), EXITS).unwrap();
    let manifest = std::fs::read_to_string(app.manifest()).unwrap();
    std::fs::write(app.manifest(), manifest.replace("command-probe.wasm", "exits.wat")).unwrap();
    let ended = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(ended.code, Some(7), "{}", ended.snapshot());
}

/// Waits until a trigger has tried its one topic, and then subscribed to it for good.
fn subscribed(broker: &Mosquitto) {
    broker.log().wait_for("Sending SUBACK");
    broker.log().wait_for("Sending SUBACK");
}

const BROKER: &str = "username = \"\"\npassword = \"\"\nkeep_alive_interval = \"30\"";

#[test]
fn mqtt_gives_the_messages_of_a_topic_to_its_component() {
    let broker = Mosquitto::start();
    let world = World::new();
    let settings = format!(
        "[variables]\nroom = {{ default = \"kitchen\" }}\n[application.trigger.mqtt]\naddress = \"{}\"\n{BROKER}",
        broker.url()
    );
    let entry = "topic = \"home/{{ room }}/+\"\nqos = \"1\"";
    let app = app(&world, "mqtt", &settings, entry, "", "trigger-probe");
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    subscribed(&broker);
    broker.publish("home/kitchen/light", b"on");
    broker.publish("home/cellar/light", b"nobody hears it");
    // A guest that fails or traps is told of, and the next message is served.
    broker.publish("home/kitchen/heat", b"fail");
    broker.publish("home/kitchen/heat", b"trap");
    broker.publish("home/kitchen/heat", b"off");
    let text = printed(&app, |lines| lines.len() >= 4);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let expected =
        ["home/kitchen/heat: fail", "home/kitchen/heat: off", "home/kitchen/heat: trap", "home/kitchen/light: on"];
    assert_eq!(lines, expected);
    up.stderr().wait_for("as asked");
    up.stop().success();
}

#[test]
fn mqtt_gets_a_lost_broker_back() {
    let broker = Mosquitto::start();
    let world = World::new();
    let settings = format!("[application.trigger.mqtt]\naddress = \"{}\"\n{BROKER}", broker.url());
    let app = app(&world, "mqtt", &settings, "topic = \"t\"\nqos = \"0\"", "", "trigger-probe");
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    subscribed(&broker);
    let port = broker.port();
    drop(broker);
    up.stderr().wait_for("is lost");
    let broker = Mosquitto::start_at(port);
    broker.log().wait_for("Sending SUBACK");
    broker.publish("t", b"again");
    printed(&app, |lines| lines == ["t: again"]);
    up.stop().success();
}

#[test]
fn mqtt_without_a_broker_says_so_and_can_be_tried_without_one() {
    let world = World::new();
    let settings = format!("[application.trigger.mqtt]\naddress = \"mqtt://127.0.0.1:1\"\n{BROKER}");
    let app = app(&world, "mqtt", &settings, "topic = \"t\"\nqos = \"0\"", "", "trigger-probe");
    let ended = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains("127.0.0.1:1 can't be reached"), "{}", ended.snapshot());
    world.spin(["up", "--test"]).in_dir(app.dir()).run().success();
    printed(&app, |lines| lines == ["t: test message"]);
}

#[test]
fn a_reload_that_cannot_reach_its_broker_leaves_mqtt_as_it_was() {
    let (broker, other) = (Mosquitto::start(), Mosquitto::start());
    let world = World::new();
    let settings = |url: &str| format!("[application.trigger.mqtt]\naddress = \"{url}\"\n{BROKER}");
    let (first, entry) = (settings(&broker.url()), "topic = \"t\"\nqos = \"1\"");
    let app = app(&world, "mqtt", &first, entry, "", "trigger-probe");
    let manifest = std::fs::read_to_string(app.manifest()).unwrap();
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    subscribed(&broker);
    let reload = |settings: String| {
        std::fs::write(app.manifest(), manifest.replace(&first, &settings)).unwrap();
        up.signal(Signal::USR1);
    };
    reload(settings("mqtt://127.0.0.1:1"));
    up.stderr().wait_for("127.0.0.1:1 can't be reached");
    broker.publish("t", b"before");
    printed(&app, |lines| lines == ["t: before"]);

    // A filter that is none is no reason for the app to end.
    let wrong = manifest.replace(&first, &settings(&other.url())).replace(entry, "topic = \"a/#/b\"\nqos = \"1\"");
    std::fs::write(app.manifest(), wrong).unwrap();
    up.signal(Signal::USR1);
    up.stderr().wait_for("topic \"a/#/b\" of component \"one\" is no topic filter");
    up.stderr().wait_for("goes on as it was");

    reload(settings(&other.url()));
    subscribed(&other);
    up.stderr().wait_for("The app is reloaded");
    other.publish("t", b"after");
    broker.publish("t", b"nobody hears it");
    printed(&app, |lines| lines == ["t: before", "t: after"]);
    up.stop().success();
}
