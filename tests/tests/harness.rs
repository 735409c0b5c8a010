//! The harness does what it promises: without it, no other test means much.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use spin_tests::redis::Redis;
use spin_tests::{Signal, World};

const SOON: Duration = Duration::from_secs(20);

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_run_gives_code_streams_and_a_stable_text() {
    let world = World::bare();
    let script = "cat; echo \"$MARK in $HOME\"; echo to http://127.0.0.1:4711 >&2; exit 3";
    let run = world.command("/bin/sh").args(["-c", script]).env("MARK", "here").stdin("input\n").run();
    assert_eq!(run.code, Some(3));
    assert_eq!(run.stdout, format!("input\nhere in {}\n", world.home().display()));
    let expected = "exit 3\n--- stdout\ninput\nhere in [WORLD]/home\n--- stderr\nto http://127.0.0.1:[PORT]\n";
    assert!(run.snapshot().ends_with(expected), "{}", run.snapshot());
}

#[test]
fn the_environment_is_the_worlds_alone() {
    let world = World::bare();
    let run = world.command("/usr/bin/env").run().success();
    let mut names: Vec<&str> = run.stdout.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    let expected = [
        "HOME",
        "LANG",
        "PATH",
        "SPIN_TEST_WORLD",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_background_program_is_heard_and_signalled() {
    let world = World::bare();
    let script = "trap 'echo stopping; exit 7' TERM; sleep 600 & echo ready; while :; do wait $!; done";
    let running = world.command("/bin/sh").args(["-c", script]).start();
    assert_eq!(running.stdout().wait_for("rea"), "ready");
    // The sleep in its background outlives the shell: the guard's business, tested below.
    let sleep = running.pid();
    running.signal(Signal::TERM);
    let ended = running.finish_within(SOON);
    assert_eq!((ended.code, ended.signal), (Some(7), None), "{sleep}: {}", ended.snapshot());
    assert!(ended.stdout.ends_with("stopping\n"));
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(world)));
    assert!(message(outcome.unwrap_err()).contains("sleep 600"));
}

#[test]
fn a_process_in_another_session_is_found_and_ended() {
    let world = World::bare();
    // It is stopped, and no other program, when it lets go of the pipe: it has its name by then, and never ends.
    let left = "echo $$ >&3; exec 3>&-; kill -STOP $$";
    let script = format!("setsid /bin/sh -c '{left}' 'sleep 601' 3>&1 >/dev/null 2>&1 </dev/null &");
    let run = world.command("/bin/sh").args(["-c", &script]).run().success();
    let root = world.path("");
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(world)));
    let text = message(outcome.unwrap_err());
    assert!(text.contains("left behind") && text.contains("sleep 601"), "{text} ({})", run.stdout);
    assert!(!root.exists(), "the folder is deleted all the same");
}

#[test]
fn a_clean_world_passes() {
    let world = World::bare();
    // Stopped by dropping the handle, which happens before the world is dropped.
    let running = world.command("/bin/sleep").args(["602"]).start();
    assert!(running.pid() > 0);
}

#[test]
fn a_terminal_echoes_and_ctrl_c_interrupts_the_foreground() {
    let world = World::bare();
    let script = "trap 'echo caught; exit 9' INT; tty >/dev/null && echo on a terminal; stty size; read line; \
                  echo got $line; read line";
    let mut terminal = world.command("/bin/sh").args(["-c", script]).start_on_terminal();
    terminal.output().wait_for("on a terminal");
    terminal.output().wait_for("40 120");
    terminal.type_text("words\n");
    terminal.output().wait_for("got words");
    terminal.press_ctrl_c();
    terminal.output().wait_for("caught");
    assert_eq!(terminal.finish_within(SOON).code(), Some(9));
}

#[test]
fn closing_a_terminal_hangs_up() {
    use std::os::unix::process::ExitStatusExt;
    let world = World::bare();
    let mut terminal = world.command("/bin/sh").args(["-c", "echo ready; read line"]).start_on_terminal();
    terminal.output().wait_for("ready");
    terminal.close();
    assert_eq!(terminal.finish_within(SOON).signal(), Some(Signal::HUP.as_raw()));
}

#[test]
fn a_redis_server_answers_and_can_be_restarted() {
    let redis = Redis::start();
    assert_eq!(redis.command(&[b"SET", b"key", b"value"]), "+OK");
    assert_eq!(redis.command(&[b"GET", b"key"]), "value");
    assert_eq!(redis.publish("nobody", "listens"), 0);
    let address = redis.address();
    redis.kill();
    let again = Redis::start_at(Some(address));
    assert_eq!(again.url(), format!("redis://{address}"));
}
