//! Reading an app again while it runs: USR1.

use std::path::Path;

use spin_tests::{Running, Signal};

use super::super::{SOON, Stubs, WAITS, all_said, until};

const AS_IT_WAS: &str = "the app goes on as it was";

/// Two triggers that speak protocol 1, running, with these entries.
fn running(left: &str, right: &str, arguments: &[&str]) -> (Stubs, Running) {
    let stubs = Stubs::new().stub("left").stub("right");
    let app = stubs.app(&[("left", left), ("right", right)]);
    let up = stubs.up(&app, arguments).start();
    up.stdout().wait_for("] serves: ");
    up.stdout().wait_for("] serves: ");
    (stubs, up)
}

/// Waits for both lines, in whatever order they come.
#[track_caller]
fn both_say(up: &Running, text: &str) {
    for _ in 0..2 {
        up.stdout().wait_for(&format!("] {text}"));
    }
}

#[test]
fn a_reload_reaches_all_triggers_and_the_old_folder_goes() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    for generation in 2..5 {
        let entry = format!("value = 'v{generation}'");
        stubs.rewrite(&[("left", &entry), ("right", &entry)]);
        up.signal(Signal::USR1);
        both_say(&up, &format!("serves {generation}: v{generation}"));
        up.stderr().wait_for(&format!("The app is reloaded (generation {generation})"));
        until("only the new folder is left", || stubs.generations() == [format!("gen-{generation}")]);
    }
    let ended = up.stop().success();
    assert_eq!(ended.stdout.matches("ends in order").count(), 2, "{}", ended.snapshot());
}

#[test]
fn a_broken_manifest_changes_nothing_and_a_correct_one_does() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    stubs.rewrite(&[("left", "value = "), ("right", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("spin.toml:5");
    up.stderr().wait_for(AS_IT_WAS);
    stubs.rewrite(&[("left", "value = 'three'"), ("right", "value = 'three'")]);
    up.signal(Signal::USR1);
    both_say(&up, "serves 3: three");
    until("the first folder is gone", || stubs.generations() == ["gen-3"]);
    let ended = up.stop().success();
    assert!(!ended.stdout.contains("prepares 2"), "{}", ended.snapshot());
}

#[test]
fn one_that_rejects_it_keeps_all_where_they_are() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    stubs.rewrite(&[("left", "value = 'two'"), ("right", "value = 'bad'\nprepare = 'reject'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("trigger-right can't run the app as it is now: bad is not to my liking");
    up.stderr().wait_for("code: stub::rejected");
    up.stderr().wait_for(AS_IT_WAS);
    both_say(&up, "forgets 2");
    until("the new folder is gone", || stubs.generations() == ["gen-1"]);
    let ended = up.stop().success();
    assert!(!ended.stdout.contains("serves 2"), "{}", ended.snapshot());
}

#[test]
fn an_abandoned_folder_stays_until_nobody_works_on_it() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    let gate = stubs.gate();
    stubs.rewrite(&[("left", "value = 'two'\nprepare = 'wait'"), ("right", "value = 'two'\nprepare = 'reject'")]);
    up.signal(Signal::USR1);
    both_say(&up, "forgets 2");
    assert_eq!(stubs.generations(), ["gen-1", "gen-2"], "the other one has not said what it thinks of it");
    gate.open();
    until("the new folder is gone", || stubs.generations() == ["gen-1"]);
    up.stop().success();
}

#[test]
fn one_that_dies_of_it_keeps_the_others_where_they_are() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &["--on-trigger-exit", "right=restart"]);
    stubs.rewrite(&[("left", "value = 'two'"), ("right", "value = 'two'\nprepare = 'die'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("trigger-right ended (exit code 3); it is started again in 1 s");
    up.stderr().wait_for("the app is not reloaded: trigger-right ended while it prepared for that");
    up.stdout().wait_for("[left] forgets 2");
    up.stdout().wait_for("[right] serves: one");
    assert_eq!(stubs.generations(), ["gen-1"]);
    up.stop().success();

    // Where its end is the end of the app, so it is.
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    stubs.rewrite(&[("left", "value = 'two'"), ("right", "value = 'two'\nprepare = 'die'")]);
    up.signal(Signal::USR1);
    let ended = up.finish_within(SOON);
    assert_eq!(ended.code, Some(3), "{}", ended.snapshot());
}

#[test]
fn other_trigger_types_need_a_restart() {
    let stubs = Stubs::new().stub("left").stub("right").stub("new");
    let app = stubs.app(&[("left", "value = 'one'"), ("right", "value = 'one'")]);
    let up = stubs.up(&app, &[]).start();
    both_say(&up, "serves");
    stubs.rewrite(&[("left", "value = 'two'"), ("new", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("restart needed: the trigger types of the app are left, new now, and were left, right");
    up.stderr().wait_for("code: reload::restart-needed");
    // In another order they are the same.
    stubs.rewrite(&[("right", "value = 'three'"), ("left", "value = 'three'")]);
    up.signal(Signal::USR1);
    both_say(&up, "serves 3: three");
    up.stop().success();
}

#[test]
fn types_that_were_not_started_may_come_and_go() {
    let stubs = Stubs::new().stub("left");
    let app = stubs.app(&[("left", "value = 'one'"), ("old", "")]);
    let up = stubs.up(&app, &["--trigger-type", "left"]).start();
    up.stdout().wait_for("serves: one");
    stubs.rewrite(&[("new", ""), ("left", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stdout().wait_for("serves 2: two");
    up.stop().success();
}

#[test]
fn triggers_that_cannot_reload_need_a_restart_and_are_named() {
    let stubs = Stubs::new().stub("able").stub("unable").script("plain", WAITS);
    let unable = "value = 'one'\nfeatures = ['status']";
    let app = stubs.app(&[("able", "value = 'one'"), ("unable", unable), ("plain", "")]);
    let up = stubs.up(&app, &[]).start();
    all_said(&up, 3);
    up.signal(Signal::USR1);
    up.stderr().wait_for("restart needed: trigger-unable, trigger-plain can't reload an app");
    up.stderr().wait_for(AS_IT_WAS);
    assert_eq!(stubs.generations(), ["gen-1"]);
    up.stop().success();
}

#[test]
fn a_bare_component_says_that_it_cannot_be_reloaded() {
    let stubs = Stubs::new().stub("http");
    let app = stubs.app(&[("http", "")]);
    let up = stubs.up(&app, &["-f", "hello.wasm"]).start();
    up.stdout().wait_for("serves");
    up.signal(Signal::USR1);
    up.stderr().wait_for("a bare component has no manifest that could be read again");
    up.stop().success();
}

#[test]
fn a_reload_that_is_asked_for_meanwhile_comes_afterwards() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    let gate = stubs.gate();
    stubs.rewrite(&[("left", "value = 'two'\nprepare = 'wait'"), ("right", "value = 'two'")]);
    up.signal(Signal::USR1);
    both_say(&up, "prepares 2");
    stubs.rewrite(&[("left", "value = 'three'"), ("right", "value = 'three'")]);
    up.signal(Signal::USR1);
    up.signal(Signal::USR1);
    gate.open();
    both_say(&up, "serves 2: two");
    both_say(&up, "serves 3: three");
    up.stderr().wait_for("(generation 3)");
    let ended = up.stop().success();
    assert!(!ended.stdout.contains("prepares 4"), "two requests that wait are one\n{}", ended.snapshot());
}

#[test]
fn an_old_folder_stays_until_the_last_event_of_its_generation_has_ended() {
    let (stubs, up) = running("value = 'one'", "value = 'one'", &[]);
    let gate = stubs.gate();
    stubs.rewrite(&[("left", "value = 'two'\nretire = 'wait'"), ("right", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("(generation 2)");
    stubs.rewrite(&[("left", "value = 'three'"), ("right", "value = 'three'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("(generation 3)");
    until("the second is gone and the first is not", || stubs.generations() == ["gen-1", "gen-3"]);
    gate.open();
    until("the first is gone", || stubs.generations() == ["gen-3"]);
    up.stop().success();
}

#[test]
fn ctrl_c_ends_an_app_while_it_is_reloaded() {
    let stubs = Stubs::new().stub("left").stub("right");
    let app = stubs.app(&[("left", "value = 'one'"), ("right", "value = 'one'")]);
    let mut up = stubs.up(&app, &[]).start_on_terminal();
    up.output().wait_for("serves: ");
    up.output().wait_for("serves: ");
    stubs.gate();
    stubs.rewrite(&[("left", "value = 'two'\nprepare = 'wait'"), ("right", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.output().wait_for("prepares 2");
    up.press_ctrl_c();
    assert_eq!(up.finish_within(SOON).code(), Some(0), "{}", up.snapshot());
    assert!(!up.snapshot().contains("serves 2"), "{}", up.snapshot());
}

#[test]
fn a_kept_working_directory_ends_with_the_current_generation_alone() {
    let stubs = Stubs::new().stub("left").stub("right");
    let app = stubs.app(&[("left", "value = 'one'"), ("right", "value = 'one'")]);
    let kept = stubs.world.path("kept");
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let up = stubs.up(&app, &["--temp", kept.to_str().unwrap()]).start();
    both_say(&up, "serves");
    stubs.gate();
    stubs.rewrite(&[("left", "value = 'two'\nretire = 'wait'"), ("right", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stderr().wait_for("(generation 2)");
    assert_eq!(std::fs::read_link(kept.join("spin.lock")).unwrap(), Path::new("gen-2/spin.lock"));
    up.stop().success();
    assert_eq!(names(), [".lock", "gen-2", "spin.lock"]);

    // The next run in it begins from one.
    stubs.rewrite(&[("left", "value = 'one'"), ("right", "value = 'one'")]);
    let up = stubs.up(&app, &["--temp", kept.to_str().unwrap()]).start();
    both_say(&up, "serves");
    up.stop().success();
    assert_eq!(names(), [".lock", "gen-1", "spin.lock"]);
}

#[test]
fn a_trigger_that_waits_for_its_new_start_gets_it_with_the_new_app() {
    let picky = format!("grep -q '\"mood\": \"good\"' \"${{SPIN_LOCKED_URL#file://}}\" || exit 3\n{WAITS}");
    let stubs = Stubs::new().script("picky", &picky).stub("other");
    let app = stubs.app(&[("picky", "mood = 'bad'"), ("other", "value = 'one'")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "picky=restart"]).start();
    up.stdout().wait_for("[other] serves");
    // Once it waits for so long, only the reload can be why it starts.
    up.stderr().wait_for("it is started again in 4 s");
    let began = std::time::Instant::now();
    stubs.rewrite(&[("picky", "mood = 'good'"), ("other", "value = 'two'")]);
    up.signal(Signal::USR1);
    up.stdout().wait_for("[picky] waits");
    assert!(began.elapsed().as_secs() < 3, "it waited to the end");
    up.stop().success();
}

#[test]
fn a_request_that_comes_before_all_are_ready_waits_for_that() {
    let stubs = Stubs::new().stub("left").stub("late");
    let app = stubs.app(&[("left", "value = 'one'"), ("late", "value = 'one'\nstart = 'never-ready'")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "late=ignore"]).start();
    all_said(&up, 2);
    up.signal(Signal::USR1);
    // It ends without ever having been ready; then there is nothing left to wait for.
    let late = spin_tests::process::children(up.pid()).into_iter().find(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("trigger-late"))
    });
    let late = rustix::process::Pid::from_raw(late.unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(late, Signal::KILL).unwrap();
    up.stdout().wait_for("[left] serves 2: one");
    up.stderr().wait_for("is reloaded");
    let ended = up.stop();
    let (killed, prepared) = (ended.stderr.find("SIGKILL"), ended.stderr.find("is reloaded"));
    assert!(killed < prepared, "{}", ended.snapshot());
}
