//! Lists: messages that the server keeps until they are handled.

use spin_tests::redis::Redis;

use super::super::{ONE, Trigger, kill_again_and_again, until};

fn tables(redis: &Redis, keys: &str, environment: &str) -> String {
    let url = redis.url();
    format!(
        "[[trigger.redis]]\naddress = \"{url}\"\nlist = \"jobs\"\ncomponent = \"one\"\n{keys}\n\
         {ONE}environment = {{ {environment} }}\n"
    )
}

fn push(redis: &Redis, messages: &[&str]) {
    redis.client().pipeline(messages.iter().map(|text| vec![b"LPUSH".as_slice(), b"jobs", text.as_bytes()])).unwrap();
}

fn length(redis: &Redis, key: &str) -> u64 {
    redis.number(&[b"LLEN", key.as_bytes()])
}

/// Nothing is left of instances: neither what they have taken nor that they were there.
fn is_tidy(redis: &Redis) -> bool {
    redis.command(&[b"KEYS", b"jobs:processing:*"]) == "*0" && redis.number(&[b"ZCARD", b"jobs:instances"]) == 0
}

#[test]
fn what_was_pushed_is_handled_once_also_before_the_start() {
    let redis = Redis::start();
    push(&redis, &["1", "2", "3"]);
    let trigger = Trigger::new(&tables(&redis, "", ""));
    let serving = trigger.start(&["--max-concurrency", "1"]);
    let expected = format!("Active Lists on {0}:\n\t{0}/jobs: [one]\n", redis.url());
    assert!(serving.up.stdout().text().contains(&expected), "{}", serving.up.stdout().text());
    trigger.wait_for_printed("one", 3);
    push(&redis, &["4", "5"]);
    trigger.wait_for_printed("one", 5);
    assert_eq!(trigger.printed("one"), ["1", "2", "3", "4", "5"], "the oldest first");
    until("all are settled", || redis.command(&[b"KEYS", b"jobs:processing:*"]) == "*0");
    serving.up.stop().success();
    assert!(is_tidy(&redis));
    assert_eq!((length(&redis, "jobs"), length(&redis, "jobs:dead")), (0, 0));
}

#[test]
fn one_that_fails_is_tried_again_and_then_put_aside() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "attempts = 3", ""));
    let serving = trigger.start(&[]);
    push(&redis, &["fail", "good", "trap"]);
    until("two are put aside", || length(&redis, "jobs:dead") == 2);
    let printed = trigger.printed("one");
    for (text, count) in [("fail", 3), ("trap", 3), ("good", 1)] {
        assert_eq!(printed.iter().filter(|line| *line == text).count(), count, "{text}: {printed:?}");
    }
    for (metric, count) in [("retries", 4), ("dead_letters", 2), ("recovered", 0)] {
        assert_eq!(serving.metric(&format!("spin_redis_{metric}_total"), "source=\"jobs\""), count, "{metric}");
    }
    let ended = serving.up.stop().success();
    assert!(ended.stderr.contains("failed 3 times: it is put into jobs:dead"), "{}", ended.snapshot());
    assert!(is_tidy(&redis));
}

#[test]
fn the_end_finishes_what_runs_and_gives_back_the_rest() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "", "SLEEP_MS = \"400\""));
    let serving = trigger.start(&["--max-concurrency", "2"]);
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    push(&redis, &all.iter().map(String::as_str).collect::<Vec<_>>());
    trigger.wait_for_printed("one", 2);
    serving.up.stop().success();
    let printed = trigger.printed("one");
    assert!(printed.len() < 20, "{printed:?}");
    assert_eq!(printed.len() as u64 + length(&redis, "jobs"), 20);
    assert!(is_tidy(&redis));
    let next = redis.command(&[b"LINDEX", b"jobs", b"-1"]);
    assert_eq!(next, printed.len().to_string(), "in the order that they had");
}

#[test]
fn what_the_dead_have_left_is_taken_over() {
    let redis = Redis::start();
    redis.number(&[b"LPUSH", b"jobs:processing:gone", b"left"]);
    redis.number(&[b"ZADD", b"jobs:instances", b"1", b"gone"]);
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"", ""));
    let serving = trigger.start(&[]);
    assert_eq!(trigger.wait_for_printed("one", 1), ["left"]);
    // Once all that was left is put back.
    until("it is counted", || serving.metric("spin_redis_recovered_total", "") == 1);
    serving.up.stop().success();
    assert!(is_tidy(&redis));
}

#[test]
fn two_instances_share_a_list() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis, "", "SLEEP_MS = \"5\""));
    let both = [(); 2].map(|()| trigger.start(&["--max-concurrency", "4"]));
    let mut all: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    push(&redis, &all.iter().map(String::as_str).collect::<Vec<_>>());
    all.sort();
    assert_eq!(trigger.wait_for_printed("one", 400), all, "each once");
    until("all are settled", || redis.command(&[b"KEYS", b"jobs:processing:*"]) == "*0");
    for serving in both {
        assert!(serving.metric("spin_events_total", "one") > 0);
        serving.up.stop().success();
    }
    assert!(is_tidy(&redis));
}

#[test]
fn a_key_of_another_type_is_refused_at_start() {
    let redis = Redis::start();
    redis.command(&[b"SET", b"jobs", b"text"]);
    let refused = Trigger::new(&tables(&redis, "", "")).up(&[]).run();
    assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
    assert!(refused.stderr.contains("WRONGTYPE"), "{}", refused.snapshot());
}

#[test]
fn nothing_is_lost_when_the_trigger_and_the_server_are_killed() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let all: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    push(&redis, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let trigger = Trigger::new(&tables(&redis, "claim_after = \"1s\"", "SLEEP_MS = \"1\""));
    let is_settled = |redis: &Redis| redis.command(&[b"KEYS", b"jobs:processing:*"]) == "*0";
    let redis = kill_again_and_again(&trigger, redis, &all, is_settled);
    assert_eq!((length(&redis, "jobs"), length(&redis, "jobs:dead")), (0, 0));
}
