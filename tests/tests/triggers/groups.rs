//! Which of several triggers gets which option, and which of them are started at all.

use spin_tests::Signal;

use super::super::{SOON, Stubs, WAITS, until};

const ENTRIES: &[(&str, &str)] = &[("left", "value = 'l'"), ("right", "value = 'r'")];

const LEFT: &str = r#"{"all_flags": [
    {"short": "-q", "long": "--quiet", "aliases": ["--sh"], "takes_value": false},
    {"long": "--listen", "takes_value": true},
    {"long": "--sqlite", "takes_value": true, "scope": "app"}
]}"#;
const RIGHT: &str = r#"{"all_flags": [
    {"short": "-q", "long": "--quiet", "takes_value": false},
    {"long": "--sqlite", "takes_value": true, "scope": "app"},
    {}
]}"#;

fn stubs() -> Stubs {
    Stubs::new().stub("left").tells("left", LEFT).stub("right").tells("right", RIGHT)
}

#[test]
fn each_trigger_gets_the_options_that_it_knows_and_its_output_has_its_name() {
    let stubs = stubs();
    let app = stubs.app(ENTRIES);
    for (arguments, left, right) in [
        (&[][..], "l", "r"),
        (&["--listen=a", "--sqlite", "b"], "l --listen=a --sqlite b", "r"),
        (&["--sh", "-q", "--", "--listen", "a"], "l --sh -q", "r -q -- --listen a"),
        (&["word", "--listen", "-q"], "l --listen -q", "r word"),
    ] {
        let up = stubs.up(&app, arguments).start();
        up.stdout().wait_for("] serves: ");
        up.stdout().wait_for("] serves: ");
        let ended = up.stop().success();
        for line in [format!("[left] serves: {left}"), format!("[right] serves: {right}")] {
            assert!(ended.stdout.lines().any(|said| said == line), "{line}\n{}", ended.snapshot());
        }
    }
}

#[test]
fn an_option_that_no_trigger_knows_starts_none() {
    let stubs = stubs();
    let app = stubs.app(ENTRIES);
    let refused = stubs.up(&app, &["--lisen=a"]).run();
    assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
    assert!(refused.stderr.contains("no trigger of this app knows the option \"--lisen\""), "{}", refused.snapshot());
    assert!(refused.stderr.contains("did you mean `--listen`?"), "{}", refused.snapshot());
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_script_that_tells_nothing_gets_everything_beside_others() {
    let silent = format!("case $1 in --launch-metadata-only) exit 1;; esac\n{WAITS}");
    let stubs = Stubs::new().stub("left").tells("left", LEFT).script("right", &silent);
    let app = stubs.app(ENTRIES);
    let up = stubs.up(&app, &["--own", "--quiet"]).start();
    up.stderr().wait_for("trigger-right gets all options of this command line");
    up.stdout().wait_for("] ");
    up.stdout().wait_for("] ");
    let ended = up.stop().success();
    for line in ["[left] serves: l --quiet", "[right] waits: --own --quiet", "[right] ends in order"] {
        assert!(ended.stdout.lines().any(|said| said == line), "{line}\n{}", ended.snapshot());
    }
}

#[test]
fn a_trigger_that_does_not_understand_the_question_is_not_waited_for_and_leaves_nothing() {
    // It begins to work, which holds the pipe open too; the world looks for what is left of it.
    let deaf = "sleep 600 & echo works: $*; exit 1";
    let stubs = Stubs::new().stub("left").tells("left", LEFT).script("deaf", deaf);
    let app = stubs.app(&[("left", "value = 'l'"), ("deaf", "")]);
    let ended = stubs.up(&app, &["--quiet"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains("no answer to --launch-metadata-only within 5 s"), "{}", ended.snapshot());
    assert!(ended.stdout.contains("[deaf] works: --quiet"), "{}", ended.snapshot());
    let up = stubs.up(&app, &["--quiet"]).start();
    until("it is asked", || spin_tests::process::children(up.pid()).len() > 1);
    up.signal(Signal::INT);
    assert_eq!(up.finish_within(SOON).code, Some(130));
}

#[test]
fn a_single_trigger_is_asked_only_whether_it_wants_the_dashes() {
    for (metadata, expected) in [(LEFT, "waits: a b"), (RIGHT, "waits: a -- b")] {
        let script = format!("case $1 in --launch-metadata-only) cat $0.json >&2; exit 1;; esac\n{WAITS}");
        let stubs = Stubs::new().script("only", &script).tells("only", metadata);
        let app = stubs.app(&[("only", "")]);
        let up = stubs.up(&app, &["a", "--", "b"]).start();
        assert_eq!(up.stdout().wait_for("waits"), expected, "its output is its own");
        up.stop().success();
    }
}

#[test]
fn only_triggers_of_the_types_that_are_named_are_started() {
    let stubs = stubs();
    let app = stubs.app(ENTRIES);
    // A single one has the streams to itself, and all options.
    let up = stubs.up(&app, &["--trigger-type", "right", "--odd"]).start();
    up.stdout().wait_for("serves");
    assert_eq!(up.stop().success().stdout, "serves: r --odd\nends in order\n");
    for arguments in [["--trigger-type", "middle"], ["--on-trigger-exit", "middle=restart"]] {
        let refused = stubs.up(&app, &arguments).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains("it has triggers of these types: left, right"), "{}", refused.snapshot());
    }
}

#[test]
fn triggers_are_started_side_by_side() {
    // Each waits for the other before it says anything: one after the other, neither would.
    let meets = |other: &str| format!("echo > $0.here & read line < ${{0%/*}}/trigger-{other}.here\n{WAITS}");
    let stubs = Stubs::new().script("left", &meets("right")).script("right", &meets("left"));
    for name in ["left", "right"] {
        let path = stubs.world.path(format!("trigger-{name}.here"));
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }
    let app = stubs.app(&[("left", ""), ("right", "")]);
    let up = stubs.up(&app, &[]).start();
    up.stdout().wait_for("waits");
    up.stdout().wait_for("waits");
    up.signal(Signal::INT);
    up.finish_within(SOON).success();
}
