//! Servers that are away, for a while or from the start.

use spin_tests::redis::{Client, Redis};

use super::super::{ONE, Trigger, until};
use super::hostile_cases::{CHANNEL, LOSS};

fn tables(url: &str) -> String {
    format!(
        "[application.trigger.redis]\naddress = \"{url}\"\n\
         [[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"\n[[trigger.redis]]\npattern = \"p.*\"\ncomponent = \"one\"\n{ONE}"
    )
}

#[test]
fn a_lost_server_is_waited_for() {
    for case in LOSS.all() {
        let mut redis = Redis::start();
        let trigger = Trigger::new(&tables(&redis.url()));
        let serving = trigger.start(&[]);
        redis = match case[0] {
            "restart" => redis.restart(),
            "down" => {
                let address = redis.address();
                redis.kill();
                until("it is not ready", || !serving.is_ready());
                Redis::start_at(Some(address))
            }
            "client-kill" => {
                assert_eq!(redis.number(&[b"CLIENT", b"KILL", b"TYPE", b"pubsub"]), 1);
                redis
            }
            other => panic!("no such case: {other}"),
        };
        serving.up.stderr().wait_for("the connection is lost");
        serving.up.stderr().wait_for("connected again");
        until("it is ready again", || serving.is_ready());
        assert_eq!((redis.publish("c", "one"), redis.publish("p.x", "two")), (1, 1), "{case:?}");
        assert_eq!(trigger.wait_for_printed("one", 2), ["one", "two"], "{case:?}");
        assert_eq!(serving.metric("spin_redis_disconnects_total", ""), 1, "{case:?}");
        assert_eq!(serving.metric("spin_redis_gaps_total", ""), 1, "{case:?}");
        let ended = serving.up.stop().success();
        for once in ["the connection is lost", "connected again"] {
            assert_eq!(ended.stderr.matches(once).count(), 1, "{case:?}\n{}", ended.snapshot());
        }
    }
}

#[test]
fn a_server_that_is_down_at_start_is_waited_for() {
    let redis = Redis::start();
    let (url, address) = (redis.url(), redis.address());
    redis.kill();
    let trigger = Trigger::new(&tables(&url));
    let serving = trigger.begin(&[]);
    serving.up.stderr().wait_for("can't be reached");
    assert!(!serving.is_ready());
    let redis = Redis::start_at(Some(address));
    serving.up.stderr().wait_for(": connected after");
    serving.up.stdout().wait_for("Active Channels on");
    until("it is ready", || serving.is_ready());
    redis.publish("c", "now");
    assert_eq!(trigger.wait_for_printed("one", 1), ["now"]);
    serving.up.stop().success();
}

#[test]
fn with_the_flag_a_server_that_is_away_ends_the_app() {
    let redis = Redis::start();
    let (url, address) = (redis.url(), redis.address());
    let trigger = Trigger::new(&tables(&url));
    let serving = trigger.start(&["--exit-on-disconnect"]);
    redis.kill();
    let ended = serving.up.finish_within(super::super::SOON);
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains(&format!("disconnected from {url}")), "{}", ended.snapshot());
    assert!(Client::connect(address).is_err());
    let ended = trigger.up(&["--exit-on-disconnect"]).run();
    assert_eq!(ended.code, Some(1), "{}", ended.snapshot());
    assert!(ended.stderr.contains(&format!("cannot connect to {url}")), "{}", ended.snapshot());
}

#[test]
fn a_channel_whose_name_is_no_text_is_heard_by_a_pattern() {
    let redis = Redis::start();
    let trigger = Trigger::new(&tables(&redis.url()));
    let serving = trigger.start(&[]);
    for (number, case) in CHANNEL.all().iter().enumerate() {
        let mut channel = b"p.".to_vec();
        channel.extend(case[0].split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()));
        assert_eq!(redis.publish(&channel, case[0]), 1);
        assert!(trigger.wait_for_printed("one", 2 * number + 1).contains(&case[0].to_owned()));
        redis.publish(&channel, "fail");
    }
    let ended = serving.up.stop().success();
    assert!(ended.stderr.contains("message not handled"), "{}", ended.snapshot());
}
