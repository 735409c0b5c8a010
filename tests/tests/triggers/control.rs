//! Hostile case 20: a trigger that breaks the rules of the control channel, beside one that keeps them.

use super::super::{SOON, Stubs};
use super::hostile_cases;

const RUDE: &str = include_str!("../../data/triggers/rude.py");

#[test]
fn a_trigger_that_breaks_the_protocol_ends_the_app_with_its_name_and_nothing_is_left() {
    for case in hostile_cases::CHANNEL.all() {
        let [says, then, code] = case[..] else { panic!("{case:?}") };
        let stubs = Stubs::new().stub("polite").executable("rude", RUDE);
        // A literal text of TOML: the escapes are for Python.
        let app = stubs.app(&[("polite", "value = 'p'"), ("rude", &format!("says = '{says}'\nthen = '{then}'"))]);
        let ended = stubs.up(&app, &[]).start().finish_within(SOON);
        assert_eq!(ended.code, Some(1), "{case:?}\n{}", ended.snapshot());
        assert!(ended.stderr.contains("Error: trigger-rude"), "{case:?}\n{}", ended.snapshot());
        assert!(ended.stderr.contains(&format!("code: {code}\n")), "{case:?}\n{}", ended.snapshot());
        assert!(!ended.stderr.contains("Error: trigger-polite"), "{case:?}\n{}", ended.snapshot());
    }
}

#[test]
fn one_that_is_to_be_restarted_may_break_the_protocol_without_the_others_noticing() {
    let stubs = Stubs::new().stub("polite").executable("rude", RUDE);
    let app = stubs.app(&[("polite", "value = 'p'"), ("rude", "says = 'x\\n'\nthen = 'waits'")]);
    let up = stubs.up(&app, &["--on-trigger-exit", "rude=restart"]).start();
    up.stdout().wait_for("[polite] serves");
    for _ in 0..2 {
        up.stderr().wait_for("code: control::not-a-message");
        up.stderr().wait_for("trigger-rude ended (signal 9 (SIGKILL)); it is started again");
    }
    up.stop().success();
}
