//! Streams with consumer groups.

use spin_tests::redis::Redis;

use super::super::{ONE, Trigger, kill_again_and_again, until};

fn tables(redis: &Redis, keys: &str, environment: &str) -> String {
    let url = redis.url();
    format!(
        "[[trigger.redis]]\naddress = \"{url}\"\nstream = \"events\"\ngroup = \"g\"\ncomponent = \"one\"\n{keys}\n\
         {ONE}environment = {{ {environment} }}\n"
    )
}

fn add(redis: &Redis, messages: &[&str]) {
    let commands = messages.iter().map(|text| vec![b"XADD".as_slice(), b"events", b"*", b"payload", text.as_bytes()]);
    redis.client().pipeline(commands).unwrap();
}

fn length(redis: &Redis, key: &str) -> u64 {
    redis.number(&[b"XLEN", key.as_bytes()])
}

/// Nothing is handed over and not acknowledged.
fn is_settled(redis: &Redis) -> bool {
    redis.command(&[b"XPENDING", b"events", b"g", b"-", b"+", b"1"]) == "*0"
}

#[test]
fn what_was_added_is_handled_once_also_before_the_start() {
    let redis = Redis::start();
    add(&redis, &["1", "2", "3"]);
    let trigger = Trigger::new(&tables(&redis, "", ""));
    let serving = trigger.start(&["--max-concurrency", "1"]);
    let expected = format!("Active Streams on {0}:\n\t{0}/events (g): [one]\n", redis.url());
    assert!(serving.up.stdout().text().contains(&expected), "{}", serving.up.stdout().text());
    trigger.wait_for_printed("one", 3);
    add(&redis, &["4", "5"]);
    trigger.wait_for_printed("one", 5);
    assert_eq!(trigger.printed("one"), ["1", "2", "3", "4", "5"]);
    until("all are acknowledged", || is_settled(&redis));
    serving.up.stop().success();
    assert_eq!(redis.command(&[b"XINFO", b"CONSUMERS", b"events", b"g"]), "*0", "the consumer has left");
}

#[test]
fn every_group_gets_every_message() {
    let redis = Redis::start();
    let mut tables = tables(&redis, "", "");
    let url = redis.url();
    tables.push_str(&format!(
        "[[trigger.redis]]\naddress = \"{url}\"\nstream = \"events\"\ngroup = \"h\"\nfield = \"other\"\ncomponent = \"two\"\n\
         [component.two]\nsource = \"redis-probe-p3.wasm\"\n"
    ));
    let trigger = Trigger::new(&tables);
    let serving = trigger.start(&[]);
    redis.command(&[b"XADD", b"events", b"*", b"payload", b"for one", b"other", b"for two"]);
    assert_eq!(trigger.wait_for_printed("one", 1), ["for one"]);
    assert_eq!(trigger.wait_for_printed("two", 1), ["for two"]);
    serving.up.stop().success();
}

#[test]
fn one_that_fails_is_tried_again_and_then_put_aside() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "attempts = 3\ndead_letter = \"aside\"", ""));
    let serving = trigger.start(&[]);
    add(&redis, &["fail", "good"]);
    redis.command(&[b"XADD", b"events", b"*", b"another", b"field"]);
    until("two are put aside", || length(&redis, "aside") == 2);
    until("all are acknowledged", || is_settled(&redis));
    let mut printed = trigger.printed("one");
    printed.sort();
    assert_eq!(printed, ["fail", "fail", "fail", "good"]);
    for (metric, count) in [("retries", 2), ("dead_letters", 2), ("recovered", 0)] {
        assert_eq!(serving.metric(&format!("spin_redis_{metric}_total"), "source=\"events\""), count, "{metric}");
    }
    let ended = serving.up.stop().success();
    assert!(ended.stderr.contains("has no field \"payload\": it is put into aside"), "{}", ended.snapshot());
}

#[test]
fn what_the_dead_have_left_is_taken_over_unless_it_was_too_often() {
    let redis = Redis::start();
    redis.command(&[b"XGROUP", b"CREATE", b"events", b"g", b"0", b"MKSTREAM"]);
    add(&redis, &["left", "deadly"]);
    redis.command(&[b"XREADGROUP", b"GROUP", b"g", b"gone", b"STREAMS", b"events", b">"]);
    // The second one has been handed over nine times.
    let script = b"local e = redis.call('XRANGE', 'events', '-', '+')
        return redis.call('XCLAIM', 'events', 'g', 'gone', 0, e[2][1], 'RETRYCOUNT', 9, 'JUSTID')";
    redis.command(&[b"EVAL", script, b"1", b"events"]);
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"", ""));
    let serving = trigger.start(&[]);
    until("one is put aside", || length(&redis, "events:dead") == 1);
    until("all are acknowledged", || is_settled(&redis));
    assert_eq!(trigger.wait_for_printed("one", 1), ["left"]);
    assert_eq!(serving.metric("spin_redis_recovered_total", ""), 2);
    let ended = serving.up.stop().success();
    assert!(ended.stderr.contains("was handed over 10 times in vain"), "{}", ended.snapshot());
}

#[test]
fn a_group_that_is_gone_is_made_again() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "", ""));
    let serving = trigger.start(&[]);
    redis.command(&[b"FLUSHALL"]);
    add(&redis, &["after"]);
    assert_eq!(trigger.wait_for_printed("one", 1), ["after"]);
    serving.up.stop().success();
}

#[test]
fn one_that_takes_long_is_not_taken_over() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"", "SLEEP_MS = \"4000\""));
    let serving = trigger.start(&[]);
    add(&redis, &["slow"]);
    trigger.wait_for_printed("one", 1);
    until("it is acknowledged", || is_settled(&redis));
    serving.up.stop().success();
    assert_eq!(trigger.printed("one"), ["slow"]);
}

#[test]
fn the_end_finishes_what_runs_and_leaves_the_rest() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"", "SLEEP_MS = \"400\""));
    let serving = trigger.start(&["--max-concurrency", "2"]);
    let all: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    add(&redis, &all.iter().map(String::as_str).collect::<Vec<_>>());
    trigger.wait_for_printed("one", 2);
    serving.up.stop().success();
    let first = trigger.printed("one").len();
    assert!(first < 10);
    let serving = trigger.start(&[]);
    until("all are acknowledged", || trigger.printed("one").len() >= 10 && is_settled(&redis));
    let mut printed = trigger.printed("one");
    printed.sort();
    assert_eq!(printed, all, "each once");
    serving.up.stop().success();
}

#[test]
fn nothing_is_lost_when_the_trigger_and_the_server_are_killed() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let all: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    add(&redis, &all.iter().map(String::as_str).collect::<Vec<_>>());
    // Every kill is a failed attempt for what is under way.
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"\nattempts = 50", "SLEEP_MS = \"1\""));
    let redis = kill_again_and_again(&trigger, redis, &all, is_settled);
    assert_eq!(length(&redis, "events:dead"), 0);
}
