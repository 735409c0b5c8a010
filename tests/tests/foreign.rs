//! Triggers that were not built with our kit: one in Python that was written from the document of the protocol, and one that
//! expects what public Spin gives.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spin_tests::mosquitto::Mosquitto;
use spin_tests::{App, Invocation, Running, Signal, World, http, repository};

/// How long a process that was told to may take to end.
const SOON: Duration = Duration::from_secs(30);

fn python() -> PathBuf {
    repository().join("examples/triggers/python")
}

/// Packs the Python trigger as anybody packs theirs, and installs it from the catalogue that it was packed to.
fn install_heartbeat(world: &World) {
    let (executable, catalogue) = (python().join("trigger-heartbeat"), world.path("catalogue"));
    let pack = ["plugins", "pack", executable.to_str().unwrap(), "--version", "0.1.0", "--license", "Apache-2.0"];
    let about = ["--protocols", "1", "--description", "writes a line every so often", "--to"];
    world.spin(pack).args(about).args([&catalogue]).run().success();
    let install = world.spin(["plugins", "install", "trigger-heartbeat", "--yes"]);
    install.env("SPIN_CATALOGUES", &catalogue).run().success();
}

#[test]
fn a_trigger_in_python_is_packed_installed_and_runs() {
    let world = World::new();
    install_heartbeat(&world);
    let app = world.app("hearts", &std::fs::read_to_string(python().join("spin.toml")).unwrap(), &[]);
    let up = world.spin(["up"]).in_dir(app.dir()).start();
    up.stdout().wait_for("still here");
    up.stdout().wait_for("heartbeat");
    up.stop().success();

    let up = world.spin(["up"]).in_dir(app.dir()).start();
    up.stdout().wait_for("heartbeat");
    up.signal(Signal::KILL);
    // The world finds out whether anything is left.
    up.finish_within(SOON);
}

#[test]
fn what_it_refuses_is_shown_once_with_its_name() {
    let world = World::new();
    install_heartbeat(&world);
    let manifest = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[[trigger.heartbeat]]\nevry = 2\n";
    let app = world.app("hearts", manifest, &[]);
    let run = world.spin(["up"]).in_dir(app.dir()).run();
    assert_eq!(run.code, Some(1), "{}", run.snapshot());
    assert_eq!(run.stderr.matches("the keys are `every` and `say`").count(), 1, "{}", run.snapshot());
    assert!(run.stderr.contains("trigger-heartbeat") && run.stderr.contains("heartbeat::entry"), "{}", run.snapshot());
}

/// A trigger that knows only protocol 0.
const PLAIN: &str = "#!/bin/sh\necho plain runs with $SPIN_LOCKED_URL\nexec sleep 600\n";

/// An app with the triggers of four authors: ours, one in Python, and a script of protocol 0.
fn of_everybody(broker: &Mosquitto) -> String {
    format!(
        r#"
spin_manifest_version = 2
application.name = "everybody"
application.trigger.mqtt = {{ address = "{}", username = "", password = "", keep_alive_interval = "30" }}
trigger.http = [{{ route = "/...", component = "web" }}]
trigger.cron = [{{ cron_expression = "* * * * * *", component = "job" }}]
trigger.mqtt = [{{ topic = "t", qos = "1", component = "job" }}]
trigger.heartbeat = [{{ every = 0.2 }}]
trigger.plain = [{{ component = "job" }}]
component.web.source = "hello.wasm"
component.job.source = "trigger-probe.wasm"
"#,
        broker.url()
    )
}

#[test]
fn triggers_of_five_kinds_serve_one_app() {
    let (world, broker) = (World::new(), Mosquitto::start());
    for name in ["trigger-http", "trigger-cron", "trigger-mqtt"] {
        world.install(name);
    }
    install_heartbeat(&world);
    let plain = world.write("trigger-plain", PLAIN);
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o755)).unwrap();
    let app = world.app("everybody", &of_everybody(&broker), &["hello", "trigger-probe"]);
    let by_path = format!("trigger-plain={}", plain.display());
    let up = || world.spin(["up", "--plugin-path", &by_path, "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let log = app.dir().join(".spin/logs/job_stdout.txt");
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + SOON;
        while !is_so() {
            assert!(Instant::now() < deadline, "never: {what}");
            std::thread::yield_now();
        }
    };
    let all_serve = |up: &Running| {
        assert_eq!(http::get(up.serving(), "/").status, 200);
        // Once to try it, once for good.
        broker.log().wait_for("Sending SUBACK");
        broker.log().wait_for("Sending SUBACK");
        broker.publish("t", b"a message");
        let printed = |part: &str| std::fs::read_to_string(&log).unwrap_or_default().contains(part);
        until("a message and a run of cron", &|| printed("t: a message") && printed("cron "));
        // In whatever order, also from before.
        until("heartbeats", &|| up.stdout().text().contains("[heartbeat] heartbeat"));
        until("the script", &|| up.stdout().text().contains("[plain] plain runs with file:///"));
    };
    let running = up();
    all_serve(&running);
    running.stop();

    // Killed, it takes all of them with it: the world finds out whether anything is left.
    let running = up();
    all_serve(&running);
    running.signal(Signal::KILL);
    running.finish_within(SOON);
}

/// An app of the type that the stub of public Spin's contract serves.
fn public(world: &World) -> App {
    let manifest = r#"
spin_manifest_version = 2
application = { name = "app" }
[[trigger.public]]
component = "probe"
[component.probe]
source = "probe-p3.wasm"
"#;
    world.app("app", manifest, &["probe-p3"])
}

fn up(world: &World, app: &App) -> Invocation {
    let plugin = format!("trigger-public={}", repository().join("tests/data/triggers/trigger-public").display());
    world.spin(["up", "--plugin-path", &plugin]).in_dir(app.dir())
}

#[test]
fn a_trigger_of_public_spin_gets_every_variable_and_flag() {
    let world = World::new();
    let app = public(&world);
    let flags = [
        ["--log-dir", "logs"],
        ["--follow", "probe"],
        ["--state-dir", "state"],
        ["--runtime-config-file", "runtime.toml"],
        ["--variable", "a=b"],
        ["--speed", "5"],
    ];
    let own = ["-e", "A=b", "--direct-mounts"];
    let run = up(&world, &app).args(own).args(flags.concat()).args(["-q", "--allow-transient-write"]).run();
    let run = run.success();
    assert!(!run.stdout.contains("fault:"), "{}", run.snapshot());
    let mut expected: Vec<String> = flags.iter().map(|[name, value]| format!("flag: {name} {value}")).collect();
    expected.extend(["flag: -q", "flag: --allow-transient-write", "has run"].map(str::to_owned));
    let said: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(said, expected, "{}", run.snapshot());

    // From elsewhere the manifest's folder is not the working folder.
    let from = up(&world, &app).args(["-f"]).args([app.manifest()]).in_dir(world.home()).run().success();
    assert!(!from.stdout.contains("fault:"), "{}", from.snapshot());

    // The stub can say no.
    let run = up(&world, &app).args(["--no-such-flag"]).run();
    assert_eq!(run.code, Some(3), "{}", run.snapshot());
    assert!(run.stdout.contains("fault: the argument '--no-such-flag' is none of its flags"), "{}", run.snapshot());
}

#[test]
fn its_help_is_shown_and_term_ends_it() {
    let world = World::new();
    let app = public(&world);
    let help = up(&world, &app).args(["--help"]).run().success();
    let faults = help.stdout.lines().filter(|line| line.starts_with("fault:")).count();
    assert!(help.stdout.contains("--speed <SPEED>") && faults == 0, "{}", help.snapshot());
    let up = up(&world, &app).args(["--stay"]).start();
    up.stdout().wait_for("runs");
    up.signal(Signal::TERM);
    up.stdout().wait_for("ended in order");
    up.finish_within(SOON).success();
}
