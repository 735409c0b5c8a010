//! Messages that come faster than they are handled.

use spin_tests::memory::Memory;
use spin_tests::redis::Redis;

use super::super::{ONE, Trigger, until};
use super::hostile_cases::{BURST, OUTPUT_BUFFER};

/// By how much the trigger may grow: its instances, the queue, and what is read ahead.
const GROWTH: u64 = 64 << 20;

#[test]
fn what_there_is_no_room_for_is_dropped_and_counted() {
    let [count, bytes, milliseconds] = BURST.only().try_into().unwrap();
    let count: u64 = count.parse().unwrap();
    let payload = vec![b'x'; bytes.parse().unwrap()];
    for policy in ["drop-oldest", "drop-newest"] {
        // The server would cut off a subscriber for the burst alone.
        let redis = Redis::start_with(&["--client-output-buffer-limit", "pubsub 0 0 0"]);
        let trigger = Trigger::new(&format!(
            "[[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\ncomponent = \"one\"\n\
             when_full = \"{policy}\"\nqueue_bytes = 1048576\n\
             {ONE}environment = {{ SLEEP_MS = \"{milliseconds}\", QUIET = \"1\" }}\n",
            redis.url()
        ));
        let serving = trigger.start(&[]);
        let memory = Memory::watch(serving.up.child());
        let mut client = redis.client();
        client.pipeline((0..count).map(|_| vec![b"PUBLISH", b"c".as_slice(), &payload])).unwrap();
        let numbers =
            || (serving.metric("spin_events_total", "one"), serving.metric("spin_redis_dropped_total", "one"));
        until("all are handled or dropped", || {
            let (handled, dropped) = numbers();
            handled + dropped == count
        });
        let (handled, dropped) = numbers();
        assert!(dropped > 0 && handled > 0, "{policy}: {handled} handled, {dropped} dropped");
        assert_eq!(serving.metric("spin_event_failures_total", "one"), 0);
        assert_eq!(serving.metric("spin_redis_disconnects_total", ""), 0);
        assert!(memory.growth() < GROWTH, "{policy}: it grew by {} KiB", memory.growth() >> 10);
        serving.up.stop().success();
    }
}

#[test]
fn a_disconnect_by_the_servers_own_limit_is_told_counted_and_overcome() {
    let limit = OUTPUT_BUFFER.only()[0];
    let redis = Redis::start_with(&["--client-output-buffer-limit", &format!("pubsub {limit}")]);
    let trigger = Trigger::new(&format!(
        "[[trigger.redis]]\naddress = \"{}\"\nchannel = \"c\"\ncomponent = \"one\"\nqueue_bytes = 65536\n\
         {ONE}environment = {{ SLEEP_MS = \"20\", QUIET = \"1\" }}\n",
        redis.url()
    ));
    let serving = trigger.start(&[]);
    let memory = Memory::watch(serving.up.child());
    let payload = [b'x'; 16384];
    let mut client = redis.client();
    until("the server loses patience", || {
        client.pipeline((0..100).map(|_| vec![b"PUBLISH", b"c".as_slice(), &payload])).unwrap();
        redis.log().text().contains("scheduled to be closed ASAP for overcoming of output buffer limits")
    });
    let line = serving.up.stderr().wait_for("the connection is lost");
    assert!(line.contains("client-output-buffer-limit"), "{line}");
    serving.up.stderr().wait_for("connected again");
    until("it is counted", || serving.metric("spin_redis_gaps_total", "") == 1);
    assert_eq!(serving.metric("spin_redis_disconnects_total", ""), 1);
    assert_eq!(serving.metric("spin_redis_dropped_total", ""), 0);
    assert!(memory.growth() < GROWTH, "it grew by {} KiB", memory.growth() >> 10);
    let handled = serving.metric("spin_events_total", "one");
    assert_eq!(redis.publish("c", "again"), 1);
    until("the next one is handled", || serving.metric("spin_events_total", "one") > handled);
    serving.up.stop().success();
}
