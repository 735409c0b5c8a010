//! Core modules of the first generation of SDKs, of before the component model.

use spin_tests::redis::Redis;

use super::super::{Trigger, until};

#[test]
fn a_module_handles_messages() {
    let redis = Redis::start();
    let trigger = Trigger::new(&format!(
        "[[trigger.redis]]\nchannel = \"c\"\naddress = \"{}\"\ncomponent = \"old\"\n\
         [component.old]\nsource = \"first-generation.wasm\"\n",
        redis.url()
    ));
    let module = wat::parse_str(include_str!("../../guests/first-generation/redis.wat")).unwrap();
    std::fs::write(trigger.app.dir().join("first-generation.wasm"), module).unwrap();
    // One after the other: what a module prints of a large message comes in parts.
    let serving = trigger.start(&["--max-concurrency", "1"]);
    let large = "x".repeat(100_000);
    for message in ["first", "!fails", large.as_str(), ""] {
        assert_eq!(redis.publish("c", message), 1);
    }
    assert_eq!(trigger.wait_for_printed("old", 4), ["", "!fails", "first", large.as_str()]);
    until("the failure is counted", || serving.metric("spin_event_failures_total", "component=\"old\"") == 1);
    serving.up.stop().success();
}
