//! One trigger process: its start, its hello, its messages, its end.

use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use spin_app_model::TriggerType;
use spin_app_model::launch::{
    CHANNEL_LOSS_DEADLINE, ControlAddress, Generation as Numbered, HostMessage, StatusRequest,
};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::time::{Instant, timeout_at};

use super::Timing;
use super::channel::{Channel, ChannelError, Heard};
use super::launch::{Launch, Promise, Task};
use super::socket::Socket;
use super::wires::{Ask, Curious, Features, News, Order, Said, Wires};
use crate::report::Report;
use crate::ui::Ui;

/// How long to wait for a connection that the kernel has, but that we have not seen, after a process ended.
const LAST_CONNECTION: Duration = Duration::from_millis(20);

/// A trigger that runs.
pub(super) struct Trigger {
    launch: Launch,
    process: Child,
    pid: Pid,
    address: ControlAddress,
    control: Control,
    overdue: Option<(Instant, Overdue)>,
    timing: Timing,
    order: Order,
    stage: Stage,
    failed: bool,
    fault: bool,
    curious: Curious,
}

/// The control channel from "nobody came yet" to "gone".
enum Control {
    Waiting(Socket),
    Open(Channel<UnixStream>),
    Closed,
}

enum Step {
    Connected(UnixStream),
    Heard(Heard),
}

/// What happens when a deadline passes.
#[derive(Clone, Copy)]
enum Overdue {
    Hello,
    /// It closed the channel before hello; it may be about to exit.
    ExitAfterClose,
    /// It said that it failed.
    ExitAfterFailed,
    /// It closed the channel after hello; it may be about to exit, too.
    ExitAfterEnd,
    /// It was told to use the generation of this number.
    Committed(u64),
    /// It has closed the channel although it was told to use a generation; it may be about to exit.
    ExitUncommitted,
}

/// How far a trigger came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Started,
    Greeted,
    Ready,
}

/// A trigger that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) name: String,
    pub(super) pid: Pid,
    /// The channel that it was given, whether it used it or not.
    pub(super) control: ControlAddress,
    pub(super) promise: Promise,
    pub(super) task: Task,
    pub(super) status: io::Result<ExitStatus>,
    pub(super) stage: Stage,
    /// Whether it was told to.
    pub(super) asked: bool,
    /// Whether it said that its start failed (and the user was told).
    pub(super) failed: bool,
    /// Whether it broke the protocol (and the user was told, and it was killed).
    pub(super) fault: bool,
}

impl Trigger {
    pub(super) fn new(launch: Launch, process: Child, socket: Socket, timing: Timing) -> Self {
        let pid = process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let pid = pid.expect("a process that was not waited for has its number");
        let overdue = (launch.promise == Promise::Hello).then(|| (Instant::now() + timing.hello, Overdue::Hello));
        let (address, control) = (socket.address().clone(), Control::Waiting(socket));
        let (order, stage, failed, fault) = (Order::Run, Stage::Started, false, false);
        let curious = Curious::default();
        Self { launch, process, pid, address, control, overdue, timing, order, stage, failed, fault, curious }
    }

    /// The number of its process.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Stays with the trigger until its process has ended.
    pub(super) async fn supervise(mut self, mut wires: Wires, ui: Ui) -> Ended {
        let status = loop {
            // In no fixed order: a trigger that never stops talking must not keep us from hearing anything else.
            tokio::select! {
                step = self.control.next(self.pid, &self.launch.trigger_type) => self.take(step, &wires, &ui).await,
                status = self.process.wait() => break status,
                Ok(()) = wires.orders.changed() => {
                    let order = *wires.orders.borrow_and_update();
                    self.obey(order).await;
                }
                Some(ask) = wires.asks.recv() => self.pass_on(ask, &ui).await,
                () = passed(self.overdue) => self.give_up(&wires, &ui),
            }
        };
        // The newest order, heard or not: a Ctrl-C may end the process before we got to tell it to.
        let asked = *wires.orders.borrow() > Order::Run;
        self.last_words(&wires, &ui).await;
        ui.clear_progress();
        let Self { launch, pid, address: control, stage, failed, fault, .. } = self;
        let Launch { name, promise, task, .. } = launch;
        Ended { name, pid, control, promise, task, status, stage, asked, failed, fault }
    }

    async fn take(&mut self, step: Result<Step, ChannelError>, wires: &Wires, ui: &Ui) {
        match step {
            Ok(Step::Connected(stream)) => {
                // Replacing the socket unlinks its path: one connection is all there is.
                self.control = Control::Open(Channel::new(stream));
                wires.tell(News::Connected);
                self.overdue.get_or_insert((Instant::now() + self.timing.hello, Overdue::Hello));
            }
            Ok(Step::Heard(heard)) => self.hear(heard, wires, ui).await,
            Err(ChannelError::ClosedEarly) => {
                self.control = Control::Closed;
                self.overdue = Some((Instant::now() + CHANNEL_LOSS_DEADLINE, Overdue::ExitAfterClose));
            }
            Err(error) => self.break_off(&error, ui),
        }
    }

    async fn hear(&mut self, heard: Heard, wires: &Wires, ui: &Ui) {
        match heard {
            Heard::Hello(welcome) => {
                self.overdue = None;
                self.stage = Stage::Greeted;
                wires.tell(News::Greeted(Features::of(&welcome)));
                if let Control::Open(channel) = &mut self.control {
                    // A trigger that is gone already may have left its last words: reading goes on to their end.
                    drop(channel.welcome(welcome).await);
                }
                if self.order == Order::Drain {
                    self.drain().await;
                }
            }
            Heard::Progress(progress) => {
                ui.show_steps(&format!("{}: {}", self.launch.name, progress.phase), progress.done, progress.of);
            }
            Heard::Ready => {
                if self.stage != Stage::Ready {
                    self.stage = Stage::Ready;
                    wires.tell(News::Ready);
                }
                ui.clear_progress();
            }
            Heard::Failed(failed) if !self.failed => {
                self.failed = true;
                self.overdue = Some((Instant::now() + self.timing.hello, Overdue::ExitAfterFailed));
                ui.clear_progress();
                ui.error(&Report::new(format!("{}: {}", self.launch.name, failed.message)).code(failed.code));
            }
            Heard::Failed(_) => {}
            Heard::Reload(said) => {
                if let Said::Committed(id) = said {
                    self.overdue.take_if(|(_, overdue)| matches!(overdue, Overdue::Committed(due) if *due == id));
                }
                wires.tell(News::Reload(said));
            }
            Heard::Status(status) => self.curious.tell(&status),
            Heard::Closed => {
                self.control = Control::Closed;
                // What it was to say it can't say any more.
                let was_to_commit = self.overdue.take_if(|(_, overdue)| matches!(overdue, Overdue::Committed(_)));
                let what = if was_to_commit.is_some() { Overdue::ExitUncommitted } else { Overdue::ExitAfterEnd };
                self.overdue.get_or_insert((Instant::now() + CHANNEL_LOSS_DEADLINE, what));
            }
        }
    }

    /// Tells the trigger what is wanted of it alone.
    async fn pass_on(&mut self, ask: Ask, ui: &Ui) {
        let message = match ask {
            Ask::Prepare(generation) => HostMessage::Reload(generation.message()),
            Ask::Commit(id) => {
                // One that is to end has its grace, and one that has failed a deadline for its end.
                match (self.order, &self.control, &mut self.overdue) {
                    (Order::Run, Control::Open(_), overdue) => {
                        overdue.get_or_insert((Instant::now() + self.timing.commit, Overdue::Committed(id)));
                    }
                    (Order::Run, _, Some((_, overdue @ Overdue::ExitAfterEnd))) => *overdue = Overdue::ExitUncommitted,
                    (Order::Run, _, overdue @ None) => {
                        *overdue = Some((Instant::now() + CHANNEL_LOSS_DEADLINE, Overdue::ExitUncommitted));
                    }
                    _ => {}
                }
                HostMessage::Commit(Numbered::new(id))
            }
            Ask::Abort(id) => HostMessage::Abort(Numbered::new(id)),
            Ask::Status(answer) => match self.curious.add(answer) {
                Some(id) => HostMessage::Status(StatusRequest::new(id)),
                None => return,
            },
        };
        let Control::Open(channel) = &mut self.control else { return };
        match channel.send(&message).await {
            // Half a line may be on its way; nothing that follows could be understood.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => self.break_off(&error.into(), ui),
            // Any other failure is the end of the channel, which is heard of in its turn.
            Ok(()) | Err(_) => {}
        }
    }

    async fn obey(&mut self, order: Order) {
        self.order = order;
        match order {
            Order::Run => {}
            Order::Drain => self.drain().await,
            Order::Kill => self.kill(),
        }
    }

    /// Asks the trigger to end, in the language it speaks.
    async fn drain(&mut self) {
        self.overdue.take_if(|(_, overdue)| matches!(overdue, Overdue::Committed(_)));
        match (&mut self.control, self.stage) {
            // It will say hello, or run out of time; a TERM now could meet it before it knows what TERM means.
            (Control::Open(_), Stage::Started) => {}
            (Control::Waiting(_), _) if self.launch.promise == Promise::Hello => {}
            (Control::Open(channel), _) => {
                if channel.drain(self.timing.grace).await.is_err() {
                    self.terminate();
                }
            }
            (Control::Waiting(_) | Control::Closed, _) => self.terminate(),
        }
    }

    fn give_up(&mut self, wires: &Wires, ui: &Ui) {
        match self.overdue.take() {
            Some((_, Overdue::Hello)) => self.break_off(&ChannelError::Silent { after: self.timing.hello }, ui),
            Some((_, Overdue::ExitAfterClose)) => self.break_off(&ChannelError::ClosedEarly, ui),
            Some((_, Overdue::ExitAfterFailed)) => self.kill(),
            Some((_, Overdue::ExitAfterEnd)) => wires.tell(News::Unreachable),
            Some((_, Overdue::ExitUncommitted)) => self.break_off(&ChannelError::ClosedUncommitted, ui),
            Some((_, Overdue::Committed(_))) => {
                self.break_off(&ChannelError::NotCommitted { after: self.timing.commit }, ui);
            }
            None => {}
        }
    }

    /// The trigger broke the protocol: says so and ends it.
    fn break_off(&mut self, error: &ChannelError, ui: &Ui) {
        self.control = Control::Closed;
        self.overdue = None;
        self.fault = true;
        // Before anything is said: whoever reads what we say may be slow.
        self.kill();
        ui.clear_progress();
        ui.error(
            &Report::new(format!("{}: {error}", self.launch.name)).code(error.code()).help(
                "the plugin does not keep to the trigger protocol; try another version of it, or tell its author",
            ),
        );
    }

    /// What the trigger said before it ended and is still on its way to us.
    async fn last_words(&mut self, wires: &Wires, ui: &Ui) {
        let wait = if matches!(self.control, Control::Waiting(_)) { LAST_CONNECTION } else { CHANNEL_LOSS_DEADLINE };
        // Everything is in the socket already; the deadline is for a grandchild that keeps it open, or keeps talking.
        let deadline = Instant::now() + wait;
        while !self.fault && !matches!(self.control, Control::Closed) && Instant::now() < deadline {
            match timeout_at(deadline, self.control.next(self.pid, &self.launch.trigger_type)).await {
                Ok(step) => self.take(step, wires, ui).await,
                Err(_) => break,
            }
        }
    }

    fn terminate(&self) {
        if self.process.id().is_some() {
            // It can only fail for a process that has ended meanwhile, which is what we want.
            _ = kill_process(self.pid, Signal::TERM);
        }
    }

    fn kill(&mut self) {
        // As above.
        drop(self.process.start_kill());
    }
}

impl Control {
    /// The next event of the channel; never, once it is closed. Can be cancelled without losing one.
    async fn next(&mut self, child: Pid, expected: &TriggerType) -> Result<Step, ChannelError> {
        match self {
            Self::Waiting(socket) => Ok(Step::Connected(socket.accept(child).await?)),
            Self::Open(channel) => channel.next(expected).await.map(Step::Heard),
            Self::Closed => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trigger").field("name", &self.launch.name).field("pid", &self.pid).finish_non_exhaustive()
    }
}

async fn passed(deadline: Option<(Instant, Overdue)>) {
    match deadline {
        Some((at, _)) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
