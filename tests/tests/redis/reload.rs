//! New generations of the app while messages come.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use spin_tests::Signal;
use spin_tests::redis::Redis;

use super::super::{Serving, Trigger, until};

/// An app in its generation `id`, whose component is of one kind or the other in turn.
fn tables(redis: &Redis, entries: &str, id: usize) -> String {
    let guest = if id.is_multiple_of(2) { "redis-probe" } else { "redis-probe-p3" };
    format!(
        "[application.trigger.redis]\naddress = \"{}\"\n{entries}\n\
         [component.one]\nsource = \"{guest}.wasm\"\nenvironment = {{ SLEEP_MS = \"{}\" }}\n",
        redis.url(),
        5 * (1 + id)
    )
}

fn reload(trigger: &Trigger, serving: &Serving, tables: &str) {
    let manifest = format!("spin_manifest_version = 2\n[application]\nname = \"app\"\n{tables}");
    std::fs::write(trigger.app.manifest(), manifest).unwrap();
    serving.up.signal(Signal::USR1);
}

/// How many messages wait at most, or are handled: more would only be waited for at the end.
const AHEAD: usize = 200;

/// Sends one numbered message after another, until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Load {
    /// `command` gets the number behind its words; `expected` is whether the answer is right.
    fn start(redis: &Redis, printed: PathBuf, command: &'static [&'static str], expected: fn(&str) -> bool) -> Self {
        let (mut client, stop) = (redis.client(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut count, mut handled) = (0, 0);
            while !stopped.load(Ordering::Relaxed) {
                if count >= handled + AHEAD {
                    handled = std::fs::read_to_string(&printed).unwrap_or_default().lines().count();
                    std::thread::yield_now();
                    continue;
                }
                let number = count.to_string();
                let words: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).chain([number.as_bytes()]).collect();
                let answer = client.command(&words).unwrap();
                assert!(expected(&answer), "the message {count} has the answer {answer}");
                count += 1;
            }
            count
        });
        Self { stop, thread }
    }

    /// The messages that were sent.
    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let count = self.thread.join().expect("each message was taken as it should");
        (0..count).map(|number| number.to_string()).collect()
    }
}

/// Reloads under load; each message is handled once.
fn nothing_is_missed(entries: &str, command: &'static [&'static str], expected: fn(&str) -> bool) {
    const RELOADS: usize = 6;
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, entries, 0));
    let serving = trigger.start(&[]);
    let load = Load::start(&redis, trigger.output("one"), command, expected);
    for id in 1..=RELOADS {
        let before = trigger.printed("one").len();
        until("hundreds are handled", || trigger.printed("one").len() > before + 300);
        reload(&trigger, &serving, &tables(&redis, entries, id));
        serving.up.stderr().wait_for(&format!("The app is reloaded (generation {})", id + 1));
    }
    let mut sent = load.finish();
    sent.sort();
    assert_eq!(trigger.wait_for_printed("one", sent.len()), sent);
    serving.up.stop().success();
    assert_eq!(trigger.wait_for_printed("one", sent.len()), sent, "none comes twice");
}

#[test]
fn a_channel_goes_on_without_missing_a_message() {
    nothing_is_missed("[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"", &["PUBLISH", "c"], |answer| {
        answer == ":1"
    });
}

#[test]
fn a_list_goes_on_without_missing_a_message() {
    let entry = "[[trigger.redis]]\nlist = \"jobs\"\ncomponent = \"one\"";
    nothing_is_missed(entry, &["LPUSH", "jobs"], |answer| answer.starts_with(':'));
}

#[test]
fn a_stream_goes_on_without_missing_a_message() {
    let entry = "[[trigger.redis]]\nstream = \"events\"\ngroup = \"g\"\nclaim_after = \"3s\"\ncomponent = \"one\"";
    nothing_is_missed(entry, &["XADD", "events", "*", "payload"], |answer| !answer.starts_with('-'));
}

#[test]
fn a_reload_changes_what_is_subscribed_to() {
    let (redis, other) = (Redis::start(), Redis::start());
    let entry = |channel: &str| format!("[[trigger.redis]]\nchannel = \"{channel}\"\ncomponent = \"one\"\n");
    let elsewhere = format!("{}address = \"{}\"\n", entry("away"), other.url());
    let trigger = Trigger::new(&tables(&redis, &format!("{}{}", entry("kept"), entry("gone")), 0));
    let serving = trigger.start(&[]);
    reload(&trigger, &serving, &tables(&redis, &format!("{}{}{elsewhere}", entry("added"), entry("kept")), 1));
    serving.up.stderr().wait_for("The app is reloaded");
    until("nobody hears what is gone", || redis.publish("gone", "nobody") == 0);
    until("somebody hears what is elsewhere", || other.publish("away", "three") == 1);
    assert_eq!((redis.publish("kept", "one"), redis.publish("added", "two")), (1, 1));
    until("all is handled", || {
        ["one", "two", "three"].iter().all(|text| trigger.printed("one").contains(&text.to_string()))
    });

    // What can't be prepared changes nothing.
    reload(&trigger, &serving, &tables(&redis, &entry("kept").replace("channel", "chanel"), 2));
    serving.up.stderr().wait_for("the app goes on as it was");
    assert_eq!((redis.publish("kept", "four"), other.publish("away", "five")), (1, 1));
    until("the app goes on", || ["four", "five"].iter().all(|text| trigger.printed("one").contains(&text.to_string())));

    // Neither does a server that refuses end what is served.
    let refused =
        entry("kept") + &entry("x") + "address = \"redis://nobody:secret@" + &other.address().to_string() + "\"\n";
    reload(&trigger, &serving, &tables(&redis, &refused, 3));
    serving.up.stderr().wait_for("refuses: ");
    until("it is not ready", || !serving.is_ready());
    assert_eq!(redis.publish("kept", "six"), 1);
    until("the rest goes on", || trigger.printed("one").contains(&"six".to_owned()));
    reload(&trigger, &serving, &tables(&redis, &entry("kept"), 4));
    until("it is ready again", || serving.is_ready());
    serving.up.stop().success();
}
