//! The supervisor against real processes: shell scripts for protocol 0, this test program itself for protocol 1.

#![allow(clippy::unwrap_used, reason = "tests")]

mod policies;
mod reload;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, watch};

use super::signal::Stop;
use super::spawn::{Output, Program, Stdin};
use super::wires::{Order, Wires};
use super::*;
use crate::environment::ChildEnvironment;
use crate::report::Report;

/// Tells the peer below how to behave.
const ROLE: &str = "SPIN_TEST_PEER_ROLE";
/// A named pipe that a process writes to when it got where the test wants it.
const ARRIVED: &str = "SPIN_TEST_ARRIVED";

const HELLO: &str = r#"{"hello":{"protocols":[1],"type":"zzz","version":"0.1.0","features":[]}}"#;
const LONG: Duration = Duration::from_secs(60);

/// Plays a trigger that speaks protocol 1. Does nothing unless a test below started it.
#[test]
fn peer() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let address = std::env::var("SPIN_CONTROL").unwrap();
    let mut stream = UnixStream::connect(address.strip_prefix("unix:").unwrap()).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut heard = move || lines.next().map(|line| line.unwrap());
    let mut say = move |line: &str| stream.write_all(format!("{line}\n").as_bytes());
    let arrived = || std::fs::write(std::env::var_os(ARRIVED).unwrap(), "").unwrap();
    match role.as_str() {
        "silent" => drop(heard()),
        "mute end" => {}
        "future" => {
            say(&HELLO.replace("[1]", "[999]")).unwrap();
            heard();
        }
        "early end" => say(HELLO).unwrap(),
        "failing" => {
            say(HELLO).unwrap();
            say(r#"{"failed":{"code":"zzz::no-luck","message":"the die shows \u001b[31m1"}}"#).unwrap();
            std::process::exit(3);
        }
        "reloads" => {
            say(&HELLO.replace("[]", r#"["reload"]"#)).unwrap();
            assert_eq!(heard().unwrap(), r#"{"welcome":{"protocol":1,"features":["reload"]}}"#);
            say(r#"{"ready":{}}"#).unwrap();
            arrived();
            while let Some(line) = heard() {
                if line.starts_with(r#"{"reload":{"id":2,"#) {
                    say(r#"{"prepared":{"id":2}}"#).unwrap();
                } else if line.starts_with(r#"{"commit""#) {
                    say(r#"{"committed":{"id":2}}"#).unwrap();
                } else if line.starts_with(r#"{"drain""#) {
                    break;
                }
            }
        }
        "uncommitted" | "commits another" | "closes at commit" => {
            say(&HELLO.replace("[]", r#"["reload"]"#)).unwrap();
            say(r#"{"ready":{}}"#).unwrap();
            arrived();
            while let Some(line) = heard() {
                if line.starts_with(r#"{"reload":{"id":2,"#) {
                    say(r#"{"prepared":{"id":2}}"#).unwrap();
                } else if line.starts_with(r#"{"commit""#) && role == "commits another" {
                    say(r#"{"committed":{"id":7}}"#).unwrap();
                } else if line.starts_with(r#"{"commit""#) && role == "closes at commit" {
                    // Both ends of it, and goes on.
                    drop((heard, say));
                    loop {
                        std::thread::park();
                    }
                } else if line.starts_with(r#"{"commit""#) {
                    arrived();
                } else if line.starts_with(r#"{"drain""#) {
                    // An event that takes longer than the deadline for committed.
                    std::thread::sleep(Duration::from_secs(3));
                    return;
                }
            }
        }
        "obedient" | "stubborn" | "loud" => {
            say(HELLO).unwrap();
            assert_eq!(heard().unwrap(), r#"{"welcome":{"protocol":1,"features":[]}}"#);
            say(r#"{"ready":{"endpoints":[]}}"#).unwrap();
            arrived();
            while role == "loud" && say(r#"{"progress":{"phase":"talk","done":1,"of":2}}"#).is_ok() {}
            let drain = heard().unwrap();
            assert!(drain.starts_with(r#"{"drain":{"grace_ms":"#), "{drain}");
            if role == "stubborn" {
                // Until the host ends us.
                heard();
                loop {
                    std::thread::park();
                }
            }
        }
        other => panic!("no such role: {other}"),
    }
    std::process::exit(0);
}

/// What triggers are told to run. None of them looks at it.
fn generation(folder: &Path) -> Generation {
    let locked_url = url::Url::from_file_path(folder.join("spin.lock")).unwrap();
    Generation { id: 1, locked_url, working_dir: folder.to_owned() }
}

/// Whatever is read again is as it was.
struct Same(PathBuf);

impl Loader for Same {
    async fn load(&self, id: u64) -> Result<Generation, Report> {
        Ok(Generation { id, ..generation(&self.0) })
    }

    fn make_current(&self, _: u64) -> Result<(), Report> {
        Ok(())
    }

    fn remove(&self, _: u64) {}
}

/// Requests that a test makes.
struct Scripted(mpsc::UnboundedReceiver<Request>);

impl Requests for Scripted {
    async fn next(&mut self) -> Request {
        match self.0.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }
}

/// A folder, a terminal that remembers, and the triggers to run.
struct World {
    folder: tempfile::TempDir,
    ui: Ui,
    launches: Vec<Launch>,
    timing: Timing,
}

impl World {
    fn new() -> Self {
        let timing = Timing::new(LONG, LONG);
        Self { folder: tempfile::tempdir().unwrap(), ui: Ui::remembering(), launches: Vec::new(), timing }
    }

    /// A trigger that is a shell script.
    fn script(self, promise: Promise, text: &str) -> Self {
        self.launch("sh", &["-c", text], promise, |_| {})
    }

    /// A trigger that is the peer above.
    fn peer(self, role: &'static str) -> Self {
        let this = std::env::current_exe().unwrap();
        let args = ["--exact", "supervise::tests::peer", "--quiet", "--nocapture"];
        self.launch(this.to_str().unwrap(), &args, Promise::Hello, |environment| environment.set(ROLE, role))
    }

    fn launch(mut self, path: &str, args: &[&str], promise: Promise, set: impl Fn(&mut ChildEnvironment)) -> Self {
        let mut environment = ChildEnvironment::default();
        environment.set(ARRIVED, self.arrived(self.launches.len()));
        set(&mut environment);
        let args = args.iter().map(OsString::from).collect();
        let program =
            Program { path: PathBuf::from(path), args, environment, stdin: Stdin::Empty, output: Output::Inherited };
        let name = format!("trigger-{}", self.launches.len());
        let (trigger_type, on_exit) = ("zzz".parse().unwrap(), OnExit::End);
        self.launches.push(Launch { name, trigger_type, program, promise, task: Task::Serve, on_exit });
        self
    }

    /// What the end of the trigger that was added last means.
    fn on_exit(mut self, on_exit: OnExit) -> Self {
        self.launches.last_mut().unwrap().on_exit = on_exit;
        self
    }

    /// Waits until this was said.
    async fn says(&self, text: &str) {
        while !self.ui.written().contains(text) {
            tokio::task::yield_now().await;
        }
    }

    /// The pipe of the `number`th trigger.
    fn arrived(&self, number: usize) -> PathBuf {
        let path = self.folder.path().join(format!("arrived-{number}"));
        if !path.exists() {
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }
        path
    }

    /// Runs the triggers; asks for each stop in turn, after the triggers whose pipes are named beside it arrived.
    async fn run(&self, stops: &[(&[usize], Stop)]) -> (u8, String) {
        let (send, receive) = mpsc::unbounded_channel();
        let ask = async {
            for (pipes, stop) in stops {
                for &pipe in *pipes {
                    tokio::fs::read(self.arrived(pipe)).await.unwrap();
                }
                send.send(Request::Stop(*stop)).unwrap();
            }
        };
        let mut requests = Scripted(receive);
        tokio::join!(self.run_with(&mut requests), ask).0
    }

    /// Runs the triggers, with these requests.
    async fn run_with(&self, requests: &mut Scripted) -> (u8, String) {
        let sockets = SocketDir::create(&[self.folder.path().to_owned()]).unwrap();
        let (mut orphans, mut relays) = (Orphans::nobodys(), JoinSet::new());
        let (launches, loader) = (self.launches.clone(), Same(self.folder.path().to_owned()));
        let (timing, ui) = (self.timing, &self.ui);
        let around = Surroundings { sockets: &sockets, orphans: &mut orphans, relays: &mut relays, timing, ui };
        let mut life = Life::new(launches, generation(&loader.0), &loader, around);
        let exit = tokio::time::timeout(LONG, life.run(requests)).await;
        let exit = exit.expect("the supervisor came to an end");
        drop(life);
        while relays.join_next().await.is_some() {}
        (exit.code(), self.ui.written())
    }
}

#[tokio::test]
async fn the_exit_code_is_the_triggers() {
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)] {
        let (exit, said) = World::new().script(Promise::Nothing, script).run(&[]).await;
        assert_eq!(exit, code, "{script}: {said}");
    }
}

#[tokio::test]
async fn a_protocol_0_trigger_gets_one_term() {
    // Waits in the shell itself, so that nothing is left when it ends.
    let wait = "mkfifo $SPIN_TEST_ARRIVED.never; exec 3<>$SPIN_TEST_ARRIVED.never; read x <&3";
    let script = &format!("trap 'exit 5' TERM; echo > $SPIN_TEST_ARRIVED; {wait}");
    let (exit, said) = World::new().script(Promise::Nothing, script).run(&[(&[0], Stop::Interrupt)]).await;
    assert_eq!((exit, said.as_str()), (5, ""));
}

#[tokio::test]
async fn an_end_together_with_the_order_was_asked_for() {
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    let world = World::new().script(Promise::Nothing, "kill -INT $$");
    let sockets = SocketDir::create(&[world.folder.path().to_owned()]).unwrap();
    // Which of the two is seen first is left to chance.
    for number in 0..20 {
        let started = world.launches[0].clone().start(sockets.bind(number).unwrap(), world.timing).unwrap();
        let trigger = started.trigger;
        let orders = watch::Sender::new(Order::Run);
        let (_asks, asks) = mpsc::unbounded_channel();
        let wires = Wires { orders: orders.subscribe(), asks, news: mpsc::unbounded_channel().0, slot: 0 };
        waitid(WaitId::Pid(trigger.pid()), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        orders.send_replace(Order::Drain);
        assert!(trigger.supervise(wires, world.ui.clone()).await.asked);
    }
}

#[tokio::test]
async fn a_second_request_kills_what_ignores_the_first() {
    let script = r#"trap '' TERM INT HUP; echo > $SPIN_TEST_ARRIVED; while :; do :; done"#;
    let world = World::new().script(Promise::Nothing, script);
    let (exit, said) = world.run(&[(&[0], Stop::Terminate), (&[], Stop::HangUp), (&[], Stop::Interrupt)]).await;
    assert_eq!((exit, said.as_str()), (137, ""));
}

#[tokio::test]
async fn the_end_of_the_grace_kills_too() {
    let script = r#"trap '' TERM; echo > $SPIN_TEST_ARRIVED; while :; do :; done"#;
    let mut world = World::new().script(Promise::Nothing, script);
    world.timing.grace = Duration::from_millis(50);
    assert_eq!(world.run(&[(&[0], Stop::HangUp)]).await, (137, String::new()));
}

#[tokio::test]
async fn a_protocol_1_trigger_is_drained_through_its_channel() {
    for stop in [Stop::Interrupt, Stop::Terminate, Stop::HangUp] {
        assert_eq!(World::new().peer("obedient").run(&[(&[0], stop)]).await, (0, String::new()));
    }
}

#[tokio::test]
async fn a_trigger_that_does_not_drain_is_killed() {
    let world = World::new().peer("stubborn");
    assert_eq!(world.run(&[(&[0], Stop::Interrupt), (&[], Stop::Interrupt)]).await, (137, String::new()));
    let mut world = World::new().peer("stubborn");
    world.timing.grace = Duration::from_millis(50);
    assert_eq!(world.run(&[(&[0], Stop::Terminate)]).await, (137, String::new()));
}

#[tokio::test]
async fn a_trigger_that_never_stops_talking_can_still_be_stopped() {
    let world = World::new().peer("loud");
    assert_eq!(world.run(&[(&[0], Stop::Interrupt), (&[], Stop::Interrupt)]).await, (137, String::new()));
}

#[tokio::test]
async fn a_failed_start_is_told_once_with_name_and_code() {
    let (exit, said) = World::new().peer("failing").run(&[]).await;
    assert_eq!(exit, 3);
    assert_eq!(said, "Error: trigger-0: the die shows \\u{1b}[31m1\n  code: zzz::no-luck\n");
}

#[tokio::test]
async fn silence_where_hello_is_due_is_an_error() {
    let scripts = World::new().script(Promise::Hello, "while :; do :; done");
    for mut world in [scripts, World::new().peer("silent")] {
        world.timing.hello = Duration::from_millis(50);
        let (exit, said) = world.run(&[]).await;
        assert_eq!(exit, 1);
        assert!(said.starts_with("Error: trigger-0: no hello on the control channel within 0.05 s\n"), "{said}");
    }
}

#[tokio::test]
async fn an_end_before_ready_is_an_error() {
    for (role, what) in [("early end", "it was ready"), ("mute end", "it said hello")] {
        let (exit, said) = World::new().peer(role).run(&[]).await;
        assert_eq!(
            (exit, said),
            (1, format!("Error: trigger-0 ended before {what} (exit code 0)\n  code: trigger::ended-early\n"))
        );
    }
}

#[tokio::test]
async fn a_protocol_of_the_future_is_refused_naming_both_sides() {
    let (exit, said) = World::new().peer("future").run(&[]).await;
    assert_eq!(exit, 1);
    assert!(said.contains("trigger-0") && said.contains("999") && said.contains("this spin speaks 1"), "{said}");
}

#[tokio::test]
async fn the_first_exit_drains_the_others() {
    let last = r#"read x < $SPIN_TEST_ARRIVED; exit 4"#;
    let world = World::new().peer("obedient").script(Promise::Nothing, last);
    // The second trigger ends when the first is ready: its pipe is read here and written to there.
    let pass_on = async {
        tokio::fs::read(world.arrived(0)).await.unwrap();
        tokio::fs::write(world.arrived(1), "\n").await.unwrap();
    };
    let (ended, ()) = tokio::join!(world.run(&[]), pass_on);
    assert_eq!(ended, (4, "trigger-1 ended (exit code 4), and so the app ends\n".to_owned()));
}

#[tokio::test]
async fn several_triggers_are_started_without_waiting_for_one_another() {
    // Each waits for a word of the other before it ends.
    let meet = |mine: usize, other: usize| {
        format!("echo > $SPIN_TEST_ARRIVED.{mine} & read x < $SPIN_TEST_ARRIVED.{other}; wait")
    };
    let mut world = World::new().script(Promise::Nothing, &meet(0, 1)).script(Promise::Nothing, &meet(1, 0));
    let pipe = world.arrived(0);
    for number in 0..2 {
        let path = pipe.with_extension(number.to_string());
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        world.launches[number].program.environment.set(ARRIVED, &pipe);
        world.launches[number].on_exit = OnExit::Ignore;
    }
    assert_eq!(world.run(&[]).await.0, 0);
}

#[tokio::test]
async fn the_output_of_several_has_their_names_in_front() {
    let world = World::new().script(Promise::Nothing, "echo out; echo err >&2; printf rest").on_exit(OnExit::Ignore);
    let mut world = world.script(Promise::Nothing, "exit 0").on_exit(OnExit::Ignore);
    for launch in &mut world.launches {
        launch.program.output = Output::Piped;
    }
    let (_, said) = world.run(&[]).await;
    for line in ["[zzz] out\n", "[zzz] err\n", "[zzz] rest\n"] {
        assert!(said.contains(line), "{line}{said}");
    }
}

#[tokio::test]
async fn a_trigger_that_cannot_start_ends_those_that_did() {
    let world = World::new().script(Promise::Nothing, "while :; do :; done");
    let world = world.launch("/nowhere/trigger", &[], Promise::Nothing, |_| {});
    let (exit, said) = world.run(&[]).await;
    assert_eq!(exit, 1);
    assert!(said.starts_with("Error: cannot start trigger-1 (\"/nowhere/trigger\")\n"), "{said}");
}

#[tokio::test]
async fn nothing_is_left_in_the_folder_of_the_sockets() {
    let world = World::new().peer("obedient");
    world.run(&[(&[0], Stop::Interrupt)]).await;
    let left: Vec<_> = std::fs::read_dir(world.folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, [Path::new(&world.arrived(0)).to_owned()]);
}
