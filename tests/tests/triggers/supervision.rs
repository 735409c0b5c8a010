//! Hostile case 21: however an app of several triggers ends, no process of it is left. The world looks for those.

use spin_tests::{Signal, process};

use super::super::{SOON, Stubs, WAITS, all_said, until};
use super::hostile_cases;

/// A shell script around the real program, which outlives it.
const AROUND: &str = "trap 'exit 0' TERM; sh -c 'mkfifo \"$0.real\"; echo \"waits: in a script\"; exec 3<>\"$0.real\"; read -r line <&3' \"$0\" &\nwait";

/// A trigger of each kind: protocol 1, protocol 0, and a script around the real program.
fn stubs() -> Stubs {
    Stubs::new().stub("speaks").script("plain", WAITS).script("around", AROUND)
}

const SERVE: &[(&str, &str)] = &[("speaks", "value = 's'"), ("plain", ""), ("around", "")];
const START: &[(&str, &str)] = &[("speaks", "value = 's'\nstart = 'never-ready'"), ("plain", ""), ("around", "")];

#[test]
fn every_signal_at_any_time_ends_every_process() {
    for case in hostile_cases::SIGNAL.all() {
        let [signal, when, how] = case[..] else { panic!("{case:?}") };
        let signal = match signal {
            "INT" => Signal::INT,
            "TERM" => Signal::TERM,
            "HUP" => Signal::HUP,
            "KILL" => Signal::KILL,
            other => panic!("{other}"),
        };
        let stubs = stubs();
        let mut entries = if when == "start" { START } else { SERVE };
        if signal == Signal::KILL {
            // What a trigger has started nobody can end then: it should have become it, with `exec`.
            entries = &entries[..2];
        }
        let app = stubs.app(entries);
        let up = stubs.up(&app, &[]).start();
        if when != "at once" {
            all_said(&up, entries.len());
        }
        up.signal(signal);
        let ended = up.finish_within(SOON);
        let ended_how = match (ended.code, ended.signal) {
            (Some(code), _) => format!("code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap()),
        };
        assert_eq!(ended_how, how, "{case:?}\n{}", ended.snapshot());
    }
}

#[test]
fn a_trigger_that_does_not_end_is_killed_after_the_grace() {
    for case in hostile_cases::CHILD.all() {
        let (script, expected) = match case[0] {
            "ignores TERM" => ("trap '' TERM INT HUP\nwaits", 137),
            "is stopped" => ("waits", 137),
            "left a process behind" => ("mkfifo $0.go; (trap '' TERM; waits) & read line < $0.go; exit 0", 0),
            other => panic!("{other}"),
        };
        let waits = "waits() { mkfifo $0.never; echo waits; exec 3<>$0.never; read line <&3; }\n";
        let stubs = Stubs::new().stub("speaks").script("odd", &format!("{waits}{script}"));
        let app = stubs.app(&[("speaks", "value = 's'"), ("odd", "")]);
        let up = stubs.up(&app, &[]).env("SPIN_DRAIN_GRACE", "500ms").start();
        all_said(&up, 2);
        if case[0] == "is stopped" {
            for child in process::children(up.pid()) {
                let pid = rustix::process::Pid::from_raw(child.try_into().unwrap()).unwrap();
                rustix::process::kill_process(pid, Signal::STOP).unwrap();
                // Until then a TERM would still end it.
                let status = || std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
                until("it is stopped", || status().contains("State:\tT"));
            }
        }
        match case[0] {
            "left a process behind" => std::fs::write(stubs.world.path("trigger-odd.go"), "\n").unwrap(),
            _ => up.signal(Signal::TERM),
        }
        let ended = up.finish_within(SOON);
        assert_eq!(ended.code, Some(expected), "{case:?}\n{}", ended.snapshot());
    }
}

#[test]
fn what_the_last_trigger_leaves_behind_is_killed_after_the_grace_too() {
    let leaves =
        "mkfifo $0.go $0.never; (trap '' TERM; echo > $0.go; exec 3<>$0.never; read line <&3) & read line < $0.go";
    let stubs = Stubs::new().script("odd", leaves);
    let app = stubs.app(&[("odd", "")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "ignore"]).env("SPIN_DRAIN_GRACE", "100ms").start();
    assert_eq!(up.finish_within(SOON).code, Some(0));
}

#[test]
fn an_app_whose_output_nobody_reads_can_still_be_stopped() {
    let stubs = Stubs::new().script("loud", "while :; do echo loud; done").script("plain", WAITS);
    let app = stubs.app(&[("loud", ""), ("plain", "")]);
    let path = stubs.world.path("unread");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    // Open on both sides, and never read.
    let unread = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let spin = stubs.world.dist().bin("spin");
    let overrides = ["loud", "plain"]
        .map(|name| format!("--plugin-path=trigger-{name}={}", stubs.world.path(format!("trigger-{name}")).display()));
    let shell = stubs.world.command("/bin/sh").args(["-c", "exec \"$0\" up \"$@\" > \"$UNREAD\""]).env("UNREAD", &path);
    let up = shell.args([spin]).args(overrides).in_dir(app.dir()).start();
    until("the pipe is full", || rustix::io::ioctl_fionread(&unread).unwrap() > 60_000);
    up.signal(Signal::TERM);
    up.finish_within(SOON);
}

#[test]
fn whatever_is_done_at_a_terminal_ends_every_process() {
    for case in hostile_cases::TERMINAL.all() {
        let stubs = stubs();
        let app = stubs.app(SERVE);
        let mut up = stubs.up(&app, &[]).start_on_terminal();
        for _ in 0..3 {
            up.output().line_within(SOON, |line| line.contains("serves: ") || line.contains("waits: ")).unwrap();
        }
        match case[0] {
            "Ctrl-C" => up.press_ctrl_c(),
            "Ctrl-C twice" => {
                up.press_ctrl_c();
                up.press_ctrl_c();
            }
            "close" => up.close(),
            other => panic!("{other}"),
        }
        up.finish_within(SOON);
        if case[0] == "Ctrl-C" {
            assert!(up.snapshot().contains("ends in order"), "{}", up.snapshot());
        }
    }
}
