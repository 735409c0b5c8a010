//! What the end of one trigger means for the app, by flag and by manifest, and its new starts.

use std::time::{Duration, Instant};

use spin_tests::{Signal, process};

use super::super::{SOON, Stubs, WAITS, all_said, until};

/// A script that ends with this code when somebody writes to the pipe beside it.
fn ends(code: u8) -> String {
    format!("mkfifo $0.end 2>/dev/null; echo runs; read line < $0.end; exit {code}")
}

fn end(stubs: &Stubs, name: &str) {
    std::fs::write(stubs.world.path(format!("trigger-{name}.end")), "\n").unwrap();
}

#[test]
fn the_end_of_one_ends_the_app_with_its_code_and_the_others_in_order() {
    for code in [0, 7] {
        let stubs = Stubs::new().script("job", &ends(code)).stub("server").script("plain", WAITS);
        let app = stubs.app(&[("job", ""), ("server", "value = 's'"), ("plain", "")]);
        let up = stubs.up(&app, &[]).start();
        all_said(&up, 3);
        end(&stubs, "job");
        let ended = up.finish_within(SOON);
        assert_eq!(ended.code, Some(code.into()), "{}", ended.snapshot());
        let why = format!("trigger-job ended (exit code {code}), and so the app ends");
        assert!(ended.stderr.contains(&why), "{}", ended.snapshot());
        for line in ["[server] ends in order", "[plain] ends in order"] {
            assert!(ended.stdout.contains(line), "{}", ended.snapshot());
        }
    }
}

#[test]
fn a_trigger_that_may_end_does_not_end_the_app() {
    let stubs = Stubs::new().script("job", &ends(7)).stub("server");
    let app = stubs.app(&[("job", ""), ("server", "value = 's'")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "job=ignore"]).start();
    all_said(&up, 2);
    end(&stubs, "job");
    up.stderr().wait_for("trigger-job ended (exit code 7); the others go on");
    let ended = up.stop();
    assert_eq!(ended.code, Some(7), "its failure is not forgotten\n{}", ended.snapshot());
}

#[test]
fn an_app_whose_triggers_may_all_end_ends_with_the_last() {
    let stubs = Stubs::new().script("one", &ends(0)).script("two", &ends(0));
    let app = stubs.app(&[("one", ""), ("two", "")]);
    let up = stubs.up(&app, &["--on-trigger-exit=ignore"]).start();
    up.stdout().wait_for("runs");
    up.stdout().wait_for("runs");
    end(&stubs, "one");
    up.stderr().wait_for("trigger-one ended (exit code 0); the others go on");
    end(&stubs, "two");
    assert_eq!(up.finish_within(SOON).code, Some(0));
}

#[test]
fn a_trigger_is_started_again_and_the_waits_grow() {
    let stubs = Stubs::new().script("weak", &ends(3)).stub("strong");
    let app = stubs.app(&[("weak", ""), ("strong", "value = 's'")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "restart", "--on-trigger-exit", "strong=end"]).start();
    for wait in [1, 2] {
        up.stdout().wait_for("[weak] runs");
        end(&stubs, "weak");
        up.stderr().wait_for(&format!("trigger-weak ended (exit code 3); it is started again in {wait} s"));
    }
    up.stdout().wait_for("[weak] runs");
    let ended = up.stop();
    assert_eq!(
        ended.stdout.matches("[strong] serves").count(),
        1,
        "the other one noticed nothing\n{}",
        ended.snapshot()
    );
}

#[test]
fn a_killed_trigger_is_replaced_and_what_it_left_behind_is_killed() {
    // The script is not the real program; the real program ignores what a script's end would send.
    let around = "sh -c 'trap \"\" TERM INT HUP; echo real $$; exec 3<>$0.never; read line <&3' $0 &\nwait";
    let stubs = Stubs::new().script("around", &format!("mkfifo $0.never 2>/dev/null\n{around}"));
    let app = stubs.app(&[("around", "")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "restart"]).start();
    let first: i32 = up.stdout().wait_for("real ").trim_start_matches("real ").parse().unwrap();
    let script = rustix::process::Pid::from_raw(up.child().try_into().unwrap()).unwrap();
    rustix::process::kill_process(script, Signal::KILL).unwrap();
    up.stderr().wait_for("signal 9 (SIGKILL)");
    let second: i32 = up.stdout().wait_for("real ").trim_start_matches("real ").parse().unwrap();
    assert_ne!(first, second);
    until("the first program is gone", || !std::path::Path::new(&format!("/proc/{first}")).exists());
    up.signal(Signal::TERM);
    up.signal(Signal::INT);
    up.finish_within(SOON);
}

#[test]
fn ctrl_c_ends_an_app_that_waits_for_a_new_start() {
    let stubs = Stubs::new().script("weak", "exit 3");
    let app = stubs.app(&[("weak", "")]);
    let mut up = stubs.up(&app, &["--on-trigger-exit", "restart"]).start_on_terminal();
    // By then it waits for four seconds.
    up.output().wait_for("it is started again in 4 s");
    let began = Instant::now();
    up.press_ctrl_c();
    assert_eq!(up.finish_within(SOON).code(), Some(0), "{}", up.snapshot());
    assert!(began.elapsed() < Duration::from_secs(3), "it waited for the start");
}

#[test]
fn the_manifest_says_it_for_triggers_that_leave_that_to_the_host() {
    let tells = format!("case $1 in --launch-metadata-only) cat $0.json; exit;; esac\n{}", ends(0));
    let run = |metadata: &str, value: &str, flags: &[&str]| {
        let stubs = Stubs::new().script("job", &tells).tells("job", metadata).stub("server");
        let app = stubs.app(&[("job", ""), ("server", "value = 's'")]);
        let text = std::fs::read_to_string(app.manifest()).unwrap().replace(
            "application = { name = \"app\" }",
            &format!("[application]\nname = \"app\"\n[application.trigger.job]\non_exit = {value}\n"),
        );
        std::fs::write(app.manifest(), text).unwrap();
        let up = stubs.up(&app, flags).start();
        if up.stdout().line_within(SOON, |line| line == "[job] runs").is_err() {
            return up.finish_within(SOON);
        }
        end(&stubs, "job");
        up.stderr().wait_for("trigger-job ended (exit code 0)");
        up.stop()
    };
    const LEAVES_IT: &str = r#"{"all_flags": [], "settings": ["on_exit"]}"#;
    const KEEPS_IT: &str = r#"{"all_flags": []}"#;
    for (metadata, value, flags, expected) in [
        (LEAVES_IT, "\"ignore\"", &[][..], "; the others go on"),
        (LEAVES_IT, "\"ignore\"", &["--on-trigger-exit", "end"], ", and so the app ends"),
        (LEAVES_IT, "\"ignore\"", &["--on-trigger-exit=job=restart"], "; it is started again"),
        (LEAVES_IT, "\"stop\"", &[], "[application.trigger.job] on_exit: \"stop\" is none of end, restart and ignore"),
        (LEAVES_IT, "3", &[], "on_exit: \"3\" is none of end, restart and ignore"),
        // Then the key is the trigger's own, and means whatever it wants.
        (KEEPS_IT, "\"ignore\"", &[], ", and so the app ends"),
        (KEEPS_IT, "3", &[], ", and so the app ends"),
    ] {
        let ended = run(metadata, value, flags);
        assert!(ended.stderr.contains(expected), "{metadata} {value} {flags:?}\n{}", ended.snapshot());
    }
}

#[test]
fn no_process_is_left_when_spin_is_killed_while_triggers_come_and_go() {
    let stubs = Stubs::new().script("weak", "exit 3").stub("strong").script("plain", WAITS);
    let app = stubs.app(&[("weak", ""), ("strong", "value = 's'"), ("plain", "")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "weak=restart"]).start();
    up.stdout().wait_for("[plain] waits");
    up.stderr().wait_for("it is started again in 2 s");
    assert!(process::children(up.pid()).len() >= 2);
    up.signal(Signal::KILL);
    assert_eq!(up.finish_within(SOON).signal, Some(9));
}
