//! Reading an app again while it runs.

use super::*;

#[tokio::test]
async fn a_trigger_that_prepares_and_never_commits_is_killed() {
    let late = "a generation was to be used, and no \"committed\" came within 3 s";
    let closed = "a generation was to be used, and the control channel was closed instead of \"committed\"";
    for (role, why) in [("uncommitted", late), ("commits another", late), ("closes at commit", closed)] {
        killed_for_not_committing(World::new().peer(role), why).await;
    }
}

async fn killed_for_not_committing(mut world: World, why: &str) {
    world.timing.commit = Duration::from_secs(3);
    let (send, receive) = mpsc::unbounded_channel();
    let ask = async {
        tokio::fs::read(world.arrived(0)).await.unwrap();
        send.send(Request::Reload).unwrap();
    };
    let mut requests = Scripted(receive);
    let ((exit, said), ()) = tokio::join!(world.run_with(&mut requests), ask);
    assert_eq!(exit, 1);
    assert!(said.contains(why), "{said}");
    assert!(said.contains("code: control::not-committed"), "{said}");
}

#[tokio::test]
async fn a_drain_after_a_commit_leaves_nothing_but_the_grace() {
    let mut world = World::new().peer("uncommitted");
    world.timing.commit = Duration::from_secs(2);
    let (send, receive) = mpsc::unbounded_channel();
    let ask = async {
        tokio::fs::read(world.arrived(0)).await.unwrap();
        send.send(Request::Reload).unwrap();
        tokio::fs::read(world.arrived(0)).await.unwrap();
        send.send(Request::Stop(Stop::Terminate)).unwrap();
    };
    let mut requests = Scripted(receive);
    let ((exit, said), ()) = tokio::join!(world.run_with(&mut requests), ask);
    assert_eq!(exit, 0);
    // Whether the reload had to wait for the trigger is a matter of which word of it came first.
    assert!(!said.contains("commit"), "{said}");
}

#[tokio::test]
async fn a_request_to_reload_knows_what_was_said_before_it() {
    let mut world = World::new().peer("reloads");
    // Nothing is known of it before it speaks.
    world.launches[0].promise = Promise::Nothing;
    let (send, receive) = mpsc::unbounded_channel();
    let mut requests = Scripted(receive);
    let mut run = std::pin::pin!(world.run_with(&mut requests));
    tokio::select! {
        biased;
        _ = &mut run => panic!("it ended"),
        () = std::future::ready(()) => {}
    }
    // The supervisor stands still while the trigger is welcomed, and finds its news together with the request.
    tokio::fs::read(world.arrived(0)).await.unwrap();
    send.send(Request::Reload).unwrap();
    let ask = async {
        world.says("The app is reloaded (generation 2)").await;
        send.send(Request::Stop(Stop::Terminate)).unwrap();
    };
    let ((exit, said), ()) = tokio::join!(run, ask);
    assert_eq!(exit, 0, "{said}");
}
