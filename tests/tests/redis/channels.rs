//! Channels and patterns, and components of each generation.

use spin_tests::redis::Redis;

use super::super::{ONE, Trigger, until};

#[test]
fn messages_reach_every_component_of_their_channel() {
    let (redis, other) = (Redis::start(), Redis::start());
    let tables = format!(
        r#"
[variables]
channel = {{ default = "templated" }}
port = {{ default = "{}" }}
[application.trigger.redis]
address = "{}"
[[trigger.redis]]
channel = "plain"
component = "one"
[[trigger.redis]]
channel = "{{{{ channel }}}}"
component = "one"
[[trigger.redis]]
channel = "plain"
component = "two"
[[trigger.redis]]
address = "redis://127.0.0.1:{{{{ port }}}}"
channel = "plain"
component = "two"
{ONE}
[component.two]
source = "redis-probe-p3.wasm"
"#,
        other.address().port(),
        redis.url()
    );
    let trigger = Trigger::new(&tables);
    let serving = trigger.start(&[]);
    let listing = serving.up.stdout().text();
    for (server, names) in [(&redis, &["plain: [one,two]", "templated: [one]"][..]), (&other, &["plain: [two]"])] {
        let mut expected = format!("Active Channels on {}:\n", server.url());
        names.iter().for_each(|name| expected.push_str(&format!("\t{}/{name}\n", server.url())));
        assert!(listing.contains(&expected), "{listing}");
    }
    assert_eq!(redis.publish("plain", "first"), 1, "one connection listens for both components");
    assert_eq!(redis.publish("templated", "second"), 1);
    assert_eq!(redis.publish("other", "nobody hears it"), 0);
    assert_eq!(other.publish("plain", "elsewhere"), 1);
    assert_eq!(trigger.wait_for_printed("one", 2), ["first", "second"]);
    assert_eq!(trigger.wait_for_printed("two", 2), ["elsewhere", "first"]);
    // A guest that fails or traps is logged and counted, and the next message is served.
    let failures = |component: &str| serving.metric("spin_event_failures_total", &format!("component=\"{component}\""));
    for (count, message) in [(1, "fail"), (2, "trap")] {
        redis.publish("plain", message);
        // Before that the next one might be in the instance that ends.
        until("failures are counted", || ["one", "two"].iter().all(|component| failures(component) == count));
    }
    redis.publish("plain", "next");
    let is_served = |component: &str| trigger.printed(component).contains(&"next".to_owned());
    until("the next one is served", || is_served("one") && is_served("two"));
    let ended = serving.up.stop().success();
    assert!(ended.stderr.contains("it returned an error: \"as asked\""), "{}", ended.snapshot());
}

#[test]
fn a_pattern_is_heard_and_a_channel_is_no_pattern() {
    let redis = Redis::start();
    let url = redis.url();
    let trigger = Trigger::new(&format!(
        "[application.trigger.redis]\naddress = \"{url}\"\n\
         [[trigger.redis]]\npattern = \"orders.*\"\ncomponent = \"one\"\n\
         [[trigger.redis]]\nchannel = \"orders.*\"\ncomponent = \"two\"\n\
         {ONE}[component.two]\nsource = \"redis-probe.wasm\"\n"
    ));
    let serving = trigger.start(&[]);
    assert_eq!(redis.publish("orders.eu", "eu"), 1);
    assert_eq!(redis.publish("orders.*", "star"), 2, "the pattern and the channel of that name");
    assert_eq!(trigger.wait_for_printed("one", 2), ["eu", "star"]);
    assert_eq!(trigger.wait_for_printed("two", 1), ["star"]);
    serving.up.stop().success();
}

#[test]
fn only_the_later_generation_has_its_instances_reused() {
    let redis = Redis::start();
    let url = redis.url();
    let trigger = Trigger::new(&format!(
        "[application.trigger.redis]\naddress = \"{url}\"\n\
         [[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"\n[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"two\"\n\
         {ONE}[component.two]\nsource = \"redis-probe-p3.wasm\"\n"
    ));
    let serving = trigger.start(&[]);
    for count in 1..=200 {
        redis.publish("c", "count");
        trigger.wait_for_printed("one", count);
        trigger.wait_for_printed("two", count);
    }
    let of = |component: &str, line: &str| trigger.printed(component).iter().filter(|found| *found == line).count();
    assert_eq!(of("one", "message 1 of this instance"), 200);
    let made = of("two", "message 1 of this instance");
    assert!((2..100).contains(&made), "{made} instances for 200 messages");
    assert_eq!(of("two", "message 129 of this instance"), 0, "an instance serves at most 128");
    serving.up.stop().success();
}

#[test]
fn a_reused_instance_takes_several_messages_at_once() {
    const MESSAGES: usize = 32;
    let redis = Redis::start();
    let made = |flags: &[&str]| {
        let trigger = Trigger::new(&format!(
            "[[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\ncomponent = \"two\"\n\
             [component.two]\nsource = \"redis-probe-p3.wasm\"\nenvironment = {{ SLEEP_MS = \"3000\" }}\n",
            redis.url()
        ));
        let serving = trigger.start(&[&["--max-concurrency", "32"][..], flags].concat());
        redis.publish("c", "count");
        until("an instance is made", || serving.metric("spin_live_instances", "two") == 1);
        for _ in 1..MESSAGES {
            redis.publish("c", "count");
        }
        trigger.wait_for_printed("two", MESSAGES);
        serving.up.stop().success();
        trigger.printed("two").iter().filter(|line| *line == "message 1 of this instance").count()
    };
    assert_eq!(made(&["--max-instance-concurrent-reuse-count", "1"]), MESSAGES, "all of them wait at once");
    let several = made(&[]);
    assert!((2..=MESSAGES / 2).contains(&several), "{several} instances, of which each takes 16 at once");
}

#[test]
fn a_guest_that_does_not_return_gives_its_place_back() {
    let redis = Redis::start();
    let url = redis.url();
    for guest in ["redis-probe", "redis-probe-p3"] {
        let trigger = Trigger::new(&format!(
            "[application.trigger.redis]\naddress = \"{url}\"\n\
             [[trigger.redis]]\nchannel = \"slow\"\ncomponent = \"two\"\n\
             [[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"\nmessage_timeout = \"60s\"\n\
             {ONE}[component.two]\nsource = \"{guest}.wasm\"\nenvironment = {{ SLEEP_MS = \"3600000\" }}\n"
        ));
        let serving = trigger.start(&["--max-concurrency", "1", "--message-timeout", "300ms"]);
        redis.publish("slow", "for an hour");
        until("it was begun", || serving.metric("spin_live_instances", "two") == 1);
        redis.publish("c", "next");
        trigger.wait_for_printed("one", 1);
        assert_eq!(serving.metric("spin_event_failures_total", "component=\"two\""), 1, "{guest}");
        until("its instance is gone", || serving.metric("spin_live_instances", "two") == 0);
        let ended = serving.up.stop().success();
        assert!(ended.stderr.contains("it did not return within 0.3 s"), "{guest}\n{}", ended.snapshot());
        assert_eq!(trigger.printed("two"), [""; 0], "{guest}");
    }
}

#[test]
fn the_order_of_a_channel_is_kept_on_request() {
    let redis = Redis::start();
    let trigger = Trigger::new(&format!(
        "[[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\norder = \"channel\"\ncomponent = \"one\"\n\
         {ONE}environment = {{ SLEEP_MS = \"2\" }}\n",
        redis.url()
    ));
    let serving = trigger.start(&[]);
    let messages: Vec<String> = (0..200).map(|number| format!("{number}")).collect();
    redis.client().pipeline(messages.iter().map(|text| vec![b"PUBLISH", b"c".as_slice(), text.as_bytes()])).unwrap();
    trigger.wait_for_printed("one", messages.len());
    assert_eq!(trigger.printed("one"), messages);
    serving.up.stop().success();
}

#[test]
fn what_runs_is_finished_at_the_end() {
    let redis = Redis::start();
    let trigger = Trigger::new(&format!(
        "[[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\ncomponent = \"one\"\n\
         {ONE}environment = {{ SLEEP_MS = \"700\" }}\n",
        redis.url()
    ));
    let serving = trigger.start(&[]);
    redis.publish("c", "slow");
    until("an instance is made", || serving.metric("spin_live_instances", "one") == 1);
    serving.up.stop().success();
    assert_eq!(trigger.printed("one"), ["slow"]);
}
