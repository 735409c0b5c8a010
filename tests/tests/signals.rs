//! The end of an app: by Ctrl-C, by signals, by a closed terminal, and by the sudden end of `spin` itself.
//!
//! That no process is left behind is checked by every world when it is dropped.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use spin_tests::{App, Signal, Terminal, World, http};

const MANIFEST: &str = r#"
spin_manifest_version = 2
application = { name = "app" }
[[trigger.http]]
route = "/..."
component = "probe"
[component.probe]
source = "probe-p3.wasm"
"#;

/// More than any orderly end takes, also on a busy machine, and less than the grace.
const SOON: Duration = Duration::from_secs(20);

fn world() -> (World, App) {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", MANIFEST, &["probe-p3"]);
    (world, app)
}

fn on_terminal(world: &World, app: &App) -> (Terminal, std::net::SocketAddr) {
    let terminal = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start_on_terminal();
    let line = terminal.output().wait_for("Serving http://");
    let address = line.trim().trim_start_matches("Serving http://").parse().unwrap();
    (terminal, address)
}

/// Sends a request whose response takes `millis`, and makes sure that the guest has it.
fn begin(address: std::net::SocketAddr, millis: u32) -> http::Client {
    let mut client = http::Client::connect(address).unwrap();
    // The first chunk comes at once, the second after the time.
    client.send(format!("GET /drip?n=2&ms={millis} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
    assert_eq!(client.read_head("GET").unwrap().status, 200);
    assert_eq!(client.next_part().unwrap().unwrap(), b"chunk 1\n");
    client
}

#[test]
fn one_ctrl_c_still_delivers_a_response() {
    let (world, app) = world();
    let (mut terminal, address) = on_terminal(&world, &app);
    let mut client = begin(address, 2000);
    terminal.press_ctrl_c();
    assert_eq!(client.next_part().unwrap().unwrap(), b"chunk 2\n");
    assert_eq!(client.next_part().unwrap(), None);
    assert_eq!(terminal.finish_within(SOON).code(), Some(0), "{}", terminal.snapshot());
}

#[test]
fn new_connections_are_refused_while_the_last_response_is_finished() {
    let (world, app) = world();
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let address = up.serving();
    let mut client = begin(address, 3000);
    up.signal(Signal::TERM);
    // Refusals begin when the trigger has heard of it; until then connections are served.
    let deadline = Instant::now() + SOON;
    while http::Client::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "connections are still accepted");
    }
    assert_eq!(client.next_part().unwrap().unwrap(), b"chunk 2\n");
    let ended = up.finish_within(SOON);
    assert_eq!(ended.code, Some(0), "{}", ended.snapshot());
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let (world, app) = world();
    let (mut terminal, address) = on_terminal(&world, &app);
    let mut client = begin(address, 25_000);
    let began = Instant::now();
    terminal.press_ctrl_c();
    // The kernel joins two signals that were not yet taken: wait until the first was heard.
    let deadline = Instant::now() + SOON;
    while http::Client::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "connections are still accepted");
    }
    terminal.press_ctrl_c();
    let status = terminal.finish_within(Duration::from_secs(10));
    assert!(began.elapsed() < Duration::from_secs(15) && !status.success(), "{status}\n{}", terminal.snapshot());
    assert!(client.next_part().is_err(), "the response was cut");
}

#[test]
fn a_closed_terminal_ends_everything() {
    let (world, app) = world();
    let (mut terminal, address) = on_terminal(&world, &app);
    assert_eq!(http::get(address, "/other").status, 200);
    terminal.close();
    terminal.finish_within(SOON);
}

#[test]
fn term_and_int_end_an_app_in_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (world, app) = world();
        let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
        up.serving();
        up.signal(signal);
        let ended = up.finish_within(SOON);
        assert_eq!(ended.code, Some(0), "{signal:?}\n{}", ended.snapshot());
    }
}

#[test]
fn killing_spin_leaves_nothing_while_serving() {
    let (world, app) = world();
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    let address = up.serving();
    let mut client = begin(address, 25_000);
    up.signal(Signal::KILL);
    let ended = up.finish_within(SOON);
    assert_eq!(ended.signal, Some(9));
    assert!(client.next_part().is_err(), "the trigger is gone");
}

#[test]
fn killing_spin_leaves_nothing_while_compiling() {
    let (world, app) = world();
    let arguments = ["up", "--listen", "127.0.0.1:0", "--disable-cache"];
    let up = world.spin(arguments).in_dir(app.dir()).start();
    // Said when the logs are opened, just before compiling begins.
    up.stderr().wait_for("Logging component stdio");
    up.signal(Signal::KILL);
    let ended = up.finish_within(SOON);
    assert_eq!(ended.signal, Some(9));
    assert!(!ended.stdout.contains("Serving"), "it was not ready yet\n{}", ended.snapshot());
}

#[test]
fn killing_spin_leaves_nothing_at_the_very_start() {
    let (world, app) = world();
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    up.signal(Signal::KILL);
    assert_eq!(up.finish_within(SOON).signal, Some(9));
}

#[test]
fn a_trigger_that_is_killed_ends_the_app_with_its_signal() {
    let (world, app) = world();
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    up.serving();
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", up.pid())).unwrap();
    let pid: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let ended = up.finish_within(SOON);
    assert_eq!(ended.code, Some(128 + 9), "{}", ended.snapshot());
}

#[test]
fn a_second_start_cleans_up_after_a_killed_one() {
    let (world, app) = world();
    let folders = || -> Vec<String> {
        let temporary = std::fs::read_dir(world.path("tmp")).unwrap();
        let names = temporary.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("spinup-")).collect()
    };
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    up.serving();
    up.signal(Signal::KILL);
    up.finish_within(SOON);
    let left = folders();
    assert_eq!(left.len(), 1, "a killed one can't clean up: {left:?}");
    let up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
    up.serving();
    let now = folders();
    assert!(now.len() == 1 && now != left, "the old one is gone: {left:?} {now:?}");
    up.stop().success();
    assert!(folders().is_empty(), "an orderly end leaves none");
}

#[test]
fn a_trigger_that_fails_ends_the_others_and_gives_its_code() {
    use std::os::unix::fs::PermissionsExt;
    const FAILS: &str = r#"#!/bin/sh
case "$1" in
  --help-args-only) exit 0;;
  --launch-metadata-only) echo '{"all_flags": []}' >&2; exit 0;;
esac
exec 3<>"$FIFO"; read -r line <&3; exit 7
"#;
    let (world, _) = world();
    let script = world.write("trigger-fails", FAILS);
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let fifo = world.path("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
    let app = world.app("two", &format!("{MANIFEST}[[trigger.fails]]\ncomponent = \"probe\"\n"), &["probe-p3"]);
    // Only the HTTP trigger is to get its address, so it is named by the variable.
    let plugin = format!("trigger-fails={}", script.display());
    let up = world
        .spin(["up", "--plugin-path", &plugin])
        .env("SPIN_HTTP_LISTEN_ADDR", "127.0.0.1:0")
        .env("FIFO", &fifo)
        .in_dir(app.dir())
        .start();
    let address = up.serving();
    assert_eq!(http::get(address, "/other").status, 200);
    // Waits until the other trigger reads it.
    std::fs::write(&fifo, "now\n").unwrap();
    // That the other one is gone as well is checked by the world.
    let ended = up.finish_within(SOON);
    assert_eq!(ended.code, Some(7), "{}", ended.snapshot());
}

/// A trigger that knows nothing of the control channel, as a shell script.
const PROTOCOL_0: &str = r#"#!/bin/sh
case "$1" in
  --help-args-only) echo "Stub Options:"; exit 0;;
  --launch-metadata-only) echo '{"all_flags": []}' >&2; exit 0;;
esac
trap 'echo ended in order; exit 0' TERM
echo "stub started with $* and lock $SPIN_LOCKED_URL"
test -n "$SPIN_WORKING_DIR" && test -n "$SPIN_VERSION" && echo "environment is complete"
# Waits without starting another process; a signal interrupts `read`.
mkfifo "$SPIN_WORKING_DIR/never"; exec 3<>"$SPIN_WORKING_DIR/never"; read -r line <&3
"#;

#[test]
fn a_shell_script_that_knows_protocol_0_is_a_trigger() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let script = world.write("trigger-stub", PROTOCOL_0);
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let manifest = r#"
spin_manifest_version = 2
application = { name = "app" }
[[trigger.stub]]
component = "probe"
[component.probe]
source = "probe-p3.wasm"
"#;
    let app = world.app("app", manifest, &["probe-p3"]);
    let plugin = format!("trigger-stub={}", script.display());
    let arguments = ["up", "--plugin-path", &plugin, "--own-flag", "value"];
    let up = world.spin(arguments).in_dir(app.dir()).start();
    up.stdout().wait_for("stub started with --own-flag value and lock file:///");
    up.stdout().wait_for("environment is complete");
    up.signal(Signal::INT);
    up.stdout().wait_for("ended in order");
    let ended = up.finish_within(SOON);
    assert_eq!(ended.code, Some(0), "{}", ended.snapshot());

    // Killing `spin` ends it too: nobody supervises it any more.
    let up = world.spin(arguments).in_dir(app.dir()).start();
    up.stdout().wait_for("environment is complete");
    up.signal(Signal::KILL);
    up.finish_within(SOON);
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
