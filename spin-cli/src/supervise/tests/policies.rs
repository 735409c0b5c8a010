//! What the end of one trigger means for the others.

use super::*;

/// Fails in its first two lives; waits in the third.
const THIRD_TIME_LUCKY: &str = "echo >> $SPIN_TEST_ARRIVED.lives; \
    [ $(wc -l < $SPIN_TEST_ARRIVED.lives) -gt 2 ] || exit 3; trap 'exit 0' TERM; \
    mkfifo $SPIN_TEST_ARRIVED.never; exec 3<>$SPIN_TEST_ARRIVED.never; echo > $SPIN_TEST_ARRIVED; read x <&3";

#[tokio::test]
async fn a_trigger_that_is_to_be_restarted_is_and_the_others_notice_nothing() {
    let mut world = World::new().peer("obedient").script(Promise::Nothing, THIRD_TIME_LUCKY).on_exit(OnExit::Restart);
    world.timing.back_off.first = Duration::from_millis(10);
    let (exit, said) = world.run(&[(&[0, 1], Stop::Interrupt)]).await;
    assert_eq!(exit, 0, "{said}");
    let again = |wait| format!("Warning: trigger-1 ended (exit code 3); it is started again in {wait} s\n");
    assert_eq!(said, again(0.01) + &again(0.02));
}

#[tokio::test]
async fn a_request_to_stop_ends_the_wait_for_a_new_start() {
    let world = World::new().script(Promise::Nothing, "exit 3").on_exit(OnExit::Restart);
    let (send, receive) = mpsc::unbounded_channel();
    let ask = async {
        world.says("started again in 1 s").await;
        send.send(Request::Stop(Stop::Terminate)).unwrap();
    };
    let began = std::time::Instant::now();
    let mut requests = Scripted(receive);
    let ((exit, _), ()) = tokio::join!(world.run_with(&mut requests), ask);
    assert_eq!(exit, 0, "nothing was left to end, and its end was nobody's failure");
    assert!(began.elapsed() < Duration::from_secs(1), "it waited");
}

#[tokio::test]
async fn a_trigger_that_may_end_leaves_the_others_alone_and_its_failure_is_remembered() {
    let world = World::new().script(Promise::Nothing, "exit 4").on_exit(OnExit::Ignore).peer("obedient");
    let (send, receive) = mpsc::unbounded_channel();
    let ask = async {
        world.says("trigger-0 ended (exit code 4); the others go on").await;
        tokio::fs::read(world.arrived(1)).await.unwrap();
        send.send(Request::Stop(Stop::Interrupt)).unwrap();
    };
    let mut requests = Scripted(receive);
    let ((exit, _), ()) = tokio::join!(world.run_with(&mut requests), ask);
    assert_eq!(exit, 4);
}

#[tokio::test]
async fn an_app_whose_triggers_may_all_end_ends_with_the_first_failure() {
    let waits = "read x < $SPIN_TEST_ARRIVED; exit 5";
    let world = World::new().script(Promise::Nothing, "exit 0").on_exit(OnExit::Ignore);
    let world = world.script(Promise::Nothing, waits).on_exit(OnExit::Ignore);
    let let_end = async {
        world.says("trigger-0 ended (exit code 0); the others go on").await;
        tokio::fs::write(world.arrived(1), "\n").await.unwrap();
    };
    let ((exit, said), ()) = tokio::join!(world.run(&[]), let_end);
    assert_eq!((exit, said.lines().count()), (5, 1), "{said}");
}
