//! The life of an app: its triggers are started, some end, some are started again, and all are ended.
//!
//! Everything that happens comes out of [`Life::next`] as an [`Event`], and what follows from it is decided without
//! waiting for anything, so that a request to stop is never kept waiting. What a reload comes to is in `renewal`.

use std::pin::Pin;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::board::Board;
use super::child::Ended;
use super::generation::{Generation, Generations, Loader};
use super::launch::{Launch, Started, Task};
use super::process::Orphans;
use super::reload::{Outcome, Reloads};
use super::resident::let_go_of_program;
use super::restart::OnExit;
use super::signal::{Request, Stop};
use super::slot::{Slot, State};
use super::socket::SocketDir;
use super::verdict::{self, Exits};
use super::wires::{News, Order, Wires};
use super::{Requests, Timing};
use crate::report::{Exit, Report};
use crate::ui::{Tag, Ui};

mod renewal;

/// A generation that is being read.
type Loading<'a> = Pin<Box<dyn Future<Output = Result<Generation, Report>> + 'a>>;

/// An app that runs.
pub(super) struct Life<'a, L> {
    slots: Vec<Slot>,
    running: JoinSet<(usize, Ended)>,
    orders: watch::Sender<Order>,
    /// News of the triggers, by their numbers, and where those tell them.
    news: mpsc::UnboundedReceiver<(usize, News)>,
    teller: mpsc::UnboundedSender<(usize, News)>,
    /// How many processes were started; each has a socket of its own.
    starts: usize,
    /// When patience with triggers that are to end does.
    kill_at: Option<Instant>,
    exits: Exits,
    generations: Generations,
    reloads: Reloads,
    /// The generation that is being read, and then the one that triggers prepare.
    loading: Option<Loading<'a>>,
    next_generation: Option<Generation>,
    board: watch::Sender<Board>,
    loader: &'a L,
    around: Surroundings<'a>,
}

/// What an app needs around it, and what outlives it.
pub(super) struct Surroundings<'a> {
    pub(super) sockets: &'a SocketDir,
    pub(super) orphans: &'a mut Orphans,
    /// The threads that copy output.
    pub(super) relays: &'a mut JoinSet<()>,
    pub(super) timing: Timing,
    pub(super) ui: &'a Ui,
}

/// What can happen to an app.
enum Event {
    Asked(Request),
    News(usize, News),
    Ended(Result<(usize, Ended), JoinError>),
    Loaded(Result<Generation, Report>),
    /// The grace is over.
    OutOfPatience,
    /// Somebody's wait is over.
    StartIsDue,
}

impl<'a, L: Loader> Life<'a, L> {
    pub(super) fn new(launches: Vec<Launch>, generation: Generation, loader: &'a L, around: Surroundings<'a>) -> Self {
        let (teller, news) = mpsc::unbounded_channel();
        Self {
            slots: launches.into_iter().map(Slot::new).collect(),
            running: JoinSet::new(),
            orders: watch::Sender::new(Order::Run),
            news,
            teller,
            starts: 0,
            kill_at: None,
            exits: Exits::default(),
            generations: Generations::new(generation),
            reloads: Reloads::default(),
            loading: None,
            next_generation: None,
            board: watch::Sender::new(Board::default()),
            loader,
            around,
        }
    }

    /// How the app is, from now on.
    pub(super) fn board(&self) -> watch::Receiver<Board> {
        self.board.subscribe()
    }

    /// Runs until every trigger has ended and none is to be started again.
    pub(super) async fn run(&mut self, requests: &mut impl Requests) -> Exit {
        for slot in 0..self.slots.len() {
            if let Err(report) = self.start(slot) {
                self.around.ui.error(&report);
                self.exits.ends_app(report.exit_code());
                self.drain();
                break;
            }
        }
        let mut rested = false;
        while self.goes_on() {
            self.show();
            let rests = self.rests();
            if rests && !rested {
                // If that can't be done, nothing is different.
                drop(let_go_of_program());
            }
            rested = rests;
            match self.next(requests).await {
                Event::Asked(Request::Stop(stop)) => self.asked_to_stop(stop),
                Event::Asked(Request::Reload) => self.asked_to_reload(),
                Event::News(slot, news) => self.heard(slot, news),
                Event::Ended(ended) => self.ended(ended),
                Event::Loaded(loaded) => self.loaded(loaded),
                Event::OutOfPatience => drop(self.orders.send_replace(Order::Kill)),
                Event::StartIsDue => self.start_those_due(),
            }
            self.begin_reload();
        }
        self.show();
        self.end_orphans(requests).await;
        self.forget_generations();
        self.exits.of_app()
    }

    async fn next(&mut self, requests: &mut impl Requests) -> Event {
        let (next_start, is_killing) = (self.next_start(), *self.orders.borrow() == Order::Kill);
        loop {
            tokio::select! {
                biased;
                request = requests.next() => return Event::Asked(request),
                // Before its end: what a trigger said, it said before.
                Some((slot, news)) = self.news.recv() => return Event::News(slot, news),
                Some(ended) = self.running.join_next() => return Event::Ended(ended),
                loaded = finished(&mut self.loading) => return Event::Loaded(loaded),
                () = self.around.orphans.bury() => {}
                Some(_) = self.around.relays.join_next() => {}
                () = passed(self.kill_at), if !is_killing => return Event::OutOfPatience,
                () = passed(next_start) => return Event::StartIsDue,
            }
        }
    }

    /// Whether a trigger runs, or is to be started again.
    fn goes_on(&self) -> bool {
        !self.running.is_empty() || self.slots.iter().any(|slot| slot.waits_until().is_some())
    }

    /// Whether there is nothing to do but wait.
    fn rests(&self) -> bool {
        let is_settled = |slot: &Slot| !matches!(slot.state, State::Starting | State::Waiting { .. });
        !self.is_ending() && self.loading.is_none() && self.reloads.is_idle() && self.slots.iter().all(is_settled)
    }

    fn show(&self) {
        self.board.send_replace(Board {
            triggers: self.slots.iter().map(Slot::shown).collect(),
            is_draining: self.is_ending(),
            reloads: Outcome::ALL.map(|outcome| (outcome, self.reloads.count(outcome))).to_vec(),
        });
    }

    fn is_ending(&self) -> bool {
        self.kill_at.is_some()
    }

    fn asked_to_stop(&mut self, stop: Stop) {
        match (self.kill_at, stop) {
            (None, _) => self.drain(),
            // The terminal is gone, which is no wish for more haste.
            (Some(_), Stop::HangUp) => {}
            (Some(_), Stop::Interrupt | Stop::Terminate) => drop(self.orders.send_replace(Order::Kill)),
        }
    }

    /// Hears all that was said so far. A request comes before news, so that nobody can talk over it; one that depends
    /// on what its maker may have seen of the triggers has to know no less than that.
    pub(super) fn hear_what_was_said(&mut self) {
        for _ in 0..self.news.len() {
            if let Ok((number, news)) = self.news.try_recv() {
                self.heard(number, news);
            }
        }
    }

    fn heard(&mut self, number: usize, news: News) {
        let slot = &mut self.slots[number];
        match news {
            News::Connected => slot.state = State::Starting,
            News::Greeted(features) => slot.features = features,
            News::Ready => slot.state = State::Ready { since: Instant::now() },
            News::Reload(said) => self.heard_of_reload(number, said),
            News::Unreachable => {
                slot.unreachable();
                self.lost_for_reload(number, "closed its control channel");
            }
        }
    }

    /// Asks every trigger to end, and forgets about all that was to be begun.
    fn drain(&mut self) {
        if self.is_ending() {
            return;
        }
        self.orders.send_replace(Order::Drain);
        self.kill_at = Some(Instant::now() + self.around.timing.grace);
        for slot in self.slots.iter_mut().filter(|slot| slot.waits_until().is_some()) {
            slot.state = State::Ended;
        }
        self.reloads.cancel();
        self.loading = None;
    }

    fn ended(&mut self, ended: Result<(usize, Ended), JoinError>) {
        let ui = self.around.ui;
        let (number, ended) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let message = format!("the supervision of a trigger failed: {error}");
                ui.error(&Report::new(message).code("trigger::supervision"));
                self.exits.ends_app(Exit::ERROR);
                return self.drain();
            }
        };
        self.around.orphans.ended(ended.pid);
        let (exit, report) = verdict::verdict(&ended);
        if let Some(report) = report {
            ui.error(&report);
        }
        let ended_how = format!("{} ended ({})", ended.name, verdict::how(&ended));
        let ready_for = self.slots[number].process_ended();
        let others_go_on = self.goes_on();
        match self.slots[number].launch.on_exit {
            _ if self.is_ending() => self.exits.follows(exit),
            OnExit::Restart => {
                let wait = self.slots[number].put_off(ready_for, &self.around.timing.back_off);
                ui.warning(&format!("{ended_how}; it is started again in {} s", wait.as_secs_f32()));
                self.around.orphans.doom(&ended.control);
            }
            OnExit::Ignore => {
                self.exits.follows(exit);
                if others_go_on {
                    // That one has compiled is no news.
                    if ended.task == Task::Serve {
                        ui.notice(&format!("{ended_how}; the others go on"));
                    }
                    self.around.orphans.doom(&ended.control);
                }
            }
            OnExit::End => {
                self.exits.ends_app(exit);
                if others_go_on {
                    ui.notice(&format!("{ended_how}, and so the app ends"));
                }
                self.drain();
            }
        }
        self.lost_for_reload(number, "ended");
        let unused = self.generations.ended(number);
        self.remove(unused);
    }

    /// When the next trigger is to be started again. Starts and reloads don't overlap: each waits for the other.
    fn next_start(&self) -> Option<Instant> {
        if self.reloads.is_idle() { self.slots.iter().filter_map(Slot::waits_until).min() } else { None }
    }

    fn start_those_due(&mut self) {
        let now = Instant::now();
        for number in 0..self.slots.len() {
            if self.slots[number].waits_until().is_none_or(|until| until > now) {
                continue;
            }
            self.slots[number].restarted += 1;
            if let Err(report) = self.start(number) {
                self.around.ui.error(&report);
                self.slots[number].put_off(None, &self.around.timing.back_off);
            }
        }
    }

    fn start(&mut self, number: usize) -> Result<(), Report> {
        let Surroundings { sockets, orphans, relays, timing, ui } = &mut self.around;
        let socket = sockets.bind(self.starts)?;
        self.starts += 1;
        let slot = &mut self.slots[number];
        let mut launch = slot.launch.clone();
        self.generations.current().put_into(&mut launch.program.environment);
        let Started { trigger, output } = launch.start(socket, *timing)?;
        let asks = slot.started();
        orphans.except(trigger.pid());
        let tag = Tag::new(slot.launch.trigger_type.as_str(), number);
        for (stream, pipe) in output {
            let (ui, tag) = (ui.clone(), tag.clone());
            relays.spawn_blocking(move || ui.relay(pipe, stream, &tag));
        }
        let wires = Wires { orders: self.orders.subscribe(), asks, news: self.teller.clone(), slot: number };
        let ui = ui.clone();
        self.running.spawn(async move { (number, trigger.supervise(wires, ui).await) });
        Ok(())
    }

    /// A trigger may have been a script around the real program, which nobody has asked to end yet.
    async fn end_orphans(&mut self, requests: &mut impl Requests) {
        if *self.orders.borrow() == Order::Kill {
            return;
        }
        // Nobody was asked to end if all were allowed to.
        let kill_at = self.kill_at.unwrap_or_else(|| Instant::now() + self.around.timing.grace);
        let hurried = async { while let Request::Reload | Request::Stop(Stop::HangUp) = requests.next().await {} };
        tokio::select! {
            () = self.around.orphans.drain() => {}
            () = hurried => {}
            () = tokio::time::sleep_until(kill_at) => {}
        }
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The outcome of what is being done, if something is. Can be cancelled and taken up again.
async fn finished<F: Future + Unpin>(work: &mut Option<F>) -> F::Output {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
