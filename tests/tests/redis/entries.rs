//! Entries and components that can't be served, refused at start.

use spin_tests::redis::Redis;

use super::super::{ONE, Trigger};

#[test]
fn a_component_of_another_kind_is_refused_at_start() {
    let redis = Redis::start();
    let trigger = Trigger::new(&format!(
        "[[trigger.redis]]\nchannel = \"c\"\naddress = \"{}\"\ncomponent = \"probe\"\n\
         [component.probe]\nsource = \"probe-p3.wasm\"\n",
        redis.url()
    ));
    // What is of a pre-release is called what its author calls it.
    let candidate = "(component (instance $i) (export \"wasi:http/handler@0.3.0-rc-2026-03-15\" (instance $i)))";
    let probe = std::fs::read(spin_tests::guest("probe-p3")).unwrap();
    for (code, export) in [(probe, "0.3.0;"), (wat::parse_str(candidate).unwrap(), "0.3.0-rc-2026-03-15;")] {
        std::fs::write(trigger.app.dir().join("probe-p3.wasm"), code).unwrap();
        let refused = trigger.up(&[]).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        let expected = format!("it exports wasi:http/handler@{export}");
        for part in ["component \"probe\"", &expected, "spin:redis/inbound-redis@3.0.0"] {
            assert!(refused.stderr.contains(part), "{}", refused.snapshot());
        }
    }
}

#[test]
fn keys_that_do_not_go_together_are_named_with_their_component() {
    let table = [
        ("channel = 'a'\npattern = 'b'", "`channel` and `pattern` exclude each other"),
        ("", "it has no source of messages"),
        ("channel = ''", "`channel` is empty"),
        ("channel = 'a'\ngroup = 'b'", "`group` goes with `stream`, and this entry has `channel`"),
        ("list = 'a'\norder = 'channel'", "`order` goes with `channel` or `pattern`, and this entry has `list`"),
        ("stream = 'a'", "`stream` needs `group`"),
        ("list = 'a'\nclaim_after = '1ms'", "`claim_after` is less than a second"),
        ("channel = 'a'\nwhen_full = 'panic'", "drop-oldest"),
        ("channel = 'a'\nchanel = 'b'", "chanel"),
    ];
    for (keys, expected) in table {
        let entry = format!("[[trigger.redis]]\naddress = \"redis://127.0.0.1:1\"\ncomponent = \"one\"\n{keys}\n{ONE}");
        let refused = Trigger::new(&entry).up(&[]).run();
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected) && refused.stderr.contains("one"), "{}", refused.snapshot());
    }
}
