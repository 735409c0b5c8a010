//! Running one or many trigger processes as one app.
//!
//! There is one life cycle, whatever the number of triggers: all are started; the first exit, or the first request
//! to stop, drains all; a second request, or the end of the grace, kills all; nothing returns before every process
//! has ended, those included that triggers started and left behind. The exit code is that of the trigger that ended
//! first.
//!
//! | module | what |
//! |---|---|
//! | [`child`] | one trigger's life, a task of its own |
//! | [`spawn`] | fork and exec, with the parent-death signal |
//! | [`channel`], [`socket`] | the control channel |
//! | [`signal`] | requests to stop |
//! | [`verdict`] | what an end means |
//! | [`process`] | descendants |
//! | [`pass_through`](mod@pass_through) | a plugin in our place, without all this |
//!
//! Children stay in our process group, so a Ctrl-C reaches them too; those that speak protocol 1 ignore it and wait
//! for the channel's `drain`, which is why no signal is forwarded to them.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::report::{Exit, Report};
use crate::ui::Ui;
use child::{Ended, Order};
use signal::{Stop, StopSignals};
use socket::SocketDir;

mod channel;
pub(crate) mod child;
mod pass_through;
mod process;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod spawn;
mod verdict;

pub(crate) use child::{Launch, Promise};
pub(crate) use pass_through::pass_through;
pub(crate) use process::Orphans;

/// The deadlines of the supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the start (or the connection) to hello.
    pub(crate) hello: Duration,
    /// From the request to stop to the kill.
    pub(crate) grace: Duration,
}

/// Where requests to stop come from.
trait Requests {
    async fn next(&mut self) -> Stop;
}

impl Requests for StopSignals {
    async fn next(&mut self) -> Stop {
        Self::next(self).await
    }
}

/// Runs the triggers until all have ended and nothing that they started is left.
pub(crate) async fn run(
    launches: Vec<Launch>,
    sockets: &SocketDir,
    signals: &mut StopSignals,
    timing: Timing,
    ui: &Ui,
) -> Result<Exit, Report> {
    let mut orphans = Orphans::adopt();
    let exit = run_all(launches, sockets, signals, &mut orphans, timing, ui).await;
    orphans.kill();
    exit
}

async fn run_all(
    launches: Vec<Launch>,
    sockets: &SocketDir,
    requests: &mut impl Requests,
    orphans: &mut Orphans,
    timing: Timing,
    ui: &Ui,
) -> Result<Exit, Report> {
    let (orders, listening) = watch::channel(Order::Run);
    let mut running = JoinSet::new();
    for (number, launch) in launches.into_iter().enumerate() {
        let started = sockets.bind(number).map_err(Report::from);
        match started.and_then(|socket| launch.start(socket, timing).map_err(Report::from)) {
            Ok(trigger) => {
                orphans.except(trigger.pid());
                running.spawn(trigger.supervise(listening.clone(), ui.clone()));
            }
            Err(report) => {
                orders.send_replace(Order::Kill);
                while running.join_next().await.is_some() {}
                return Err(report);
            }
        }
    }

    let mut first = None;
    let mut kill_at = None;
    while !running.is_empty() {
        tokio::select! {
            biased;
            request = requests.next() => match (kill_at, request) {
                (None, _) => kill_at = Some(drain(&orders, timing)),
                // The terminal is gone, which is no wish for more haste.
                (Some(_), Stop::HangUp) => {}
                (Some(_), Stop::Interrupt | Stop::Terminate) => drop(orders.send_replace(Order::Kill)),
            },
            Some(ended) = running.join_next() => {
                let judged = judge(ended, ui);
                first.get_or_insert(judged);
                if kill_at.is_none() {
                    kill_at = Some(drain(&orders, timing));
                }
            }
            () = orphans.bury() => {}
            () = passed(kill_at), if *orders.borrow() < Order::Kill => drop(orders.send_replace(Order::Kill)),
        }
    }
    // A trigger may have been a script around the real program, which nobody has asked to end yet.
    if *orders.borrow() < Order::Kill {
        tokio::select! {
            () = orphans.drain() => {}
            () = async { while requests.next().await == Stop::HangUp {} } => {}
            () = passed(kill_at) => {}
        }
    }
    Ok(first.unwrap_or(Exit::OK))
}

/// Asks every trigger to end and says when patience does.
fn drain(orders: &watch::Sender<Order>, timing: Timing) -> Instant {
    orders.send_replace(Order::Drain);
    Instant::now() + timing.grace
}

fn judge(ended: Result<Ended, tokio::task::JoinError>, ui: &Ui) -> Exit {
    match ended {
        Ok(ended) => {
            let (exit, report) = verdict::verdict(&ended);
            if let Some(report) = report {
                ui.error(&report);
            }
            exit
        }
        Err(error) => {
            ui.error(
                &Report::new(format!("the supervision of a trigger failed: {error}")).code("trigger::supervision"),
            );
            Exit::ERROR
        }
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
