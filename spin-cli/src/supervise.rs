//! Running one or many trigger processes as one app.
//!
//! There is one life cycle, whatever the number of triggers. All are started at once. One that ends by itself ends the
//! app, is started again, or is let go, as was wished for it. The end of the app, or the first request to stop, drains
//! all; a second request, or the end of the grace, kills all; nothing returns before every process has ended, those
//! included that triggers started and left behind. The exit code is that of the trigger that ended the app, else that of
//! the first that failed.
//!
//! A running app can be read again: see [`reload`].
//!
//! | module | what |
//! |---|---|
//! | [`life`] | what happens, and what follows from it |
//! | [`slot`], [`restart`] | one trigger through all its starts; what its end means |
//! | [`launch`], [`child`], [`wires`] | one start of it, a task of its own; how that talks with the supervisor |
//! | [`generation`], [`reload`] | versions of the app; from one to the next |
//! | [`board`], [`admin`] | how the app is, for those who ask over HTTP |
//! | [`spawn`] | fork and exec, with the parent-death signal; what needs `unsafe` |
//! | [`resident`] | the memory that `spin` has while it waits |
//! | [`channel`], [`socket`] | the control channel |
//! | [`signal`] | requests to stop and to reload |
//! | [`verdict`] | what an end means for the exit code |
//! | [`process`] | descendants |
//! | [`pass_through`](mod@pass_through) | a plugin in our place, without all this |
//!
//! Children stay in our process group, so a Ctrl-C reaches them too; those that speak protocol 1 ignore it and wait
//! for the channel's `drain`, which is why no signal is forwarded to them.

use std::time::Duration;

use spin_app_model::launch::COMMIT_DEADLINE;
use tokio::task::JoinSet;

use crate::report::Exit;
use crate::ui::Ui;
use life::{Life, Surroundings};
use restart::BackOff;
use signal::{AppSignals, Request};
use socket::SocketDir;

mod admin;
mod board;
mod channel;
mod child;
mod generation;
mod launch;
mod life;
mod pass_through;
mod process;
mod reload;
mod resident;
mod restart;
pub(crate) mod signal;
mod slot;
pub(crate) mod socket;
pub(crate) mod spawn;
mod verdict;
mod wires;

pub(crate) use admin::Admin;
pub(crate) use generation::{Generation, Loader};
pub(crate) use launch::{Launch, Promise, Task};
pub(crate) use pass_through::pass_through;
pub(crate) use process::Orphans;
pub(crate) use restart::{OnExit, UnknownOnExit};

/// How long the last lines of triggers that have ended may take on their way to somebody who reads slowly.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// The deadlines of the supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// From the start (or the connection) to hello.
    pub(crate) hello: Duration,
    /// From the commit of a generation to committed.
    pub(crate) commit: Duration,
    /// From the request to stop to the kill.
    pub(crate) grace: Duration,
    /// From the end of a trigger to its next start.
    pub(crate) back_off: BackOff,
}

impl Timing {
    pub(crate) fn new(hello: Duration, grace: Duration) -> Self {
        Self { hello, commit: COMMIT_DEADLINE, grace, back_off: BackOff::default() }
    }
}

/// An app to run.
pub(crate) struct App {
    pub(crate) launches: Vec<Launch>,
    pub(crate) generation: Generation,
    pub(crate) admin: Option<Admin>,
    pub(crate) timing: Timing,
}

/// Where requests come from.
trait Requests {
    async fn next(&mut self) -> Request;
}

impl Requests for AppSignals {
    async fn next(&mut self) -> Request {
        Self::next(self).await
    }
}

/// Runs the triggers until all have ended and nothing that they started is left.
pub(crate) async fn run(
    app: App,
    loader: &impl Loader,
    sockets: &SocketDir,
    signals: &mut AppSignals,
    ui: &Ui,
) -> Exit {
    let App { launches, generation, admin, timing } = app;
    let (mut orphans, mut relays) = (Orphans::adopt(), JoinSet::new());
    let surroundings = Surroundings { sockets, orphans: &mut orphans, relays: &mut relays, timing, ui };
    let mut life = Life::new(launches, generation, loader, surroundings);
    let board = life.board();
    let serve = async {
        match admin {
            Some(admin) => admin.serve(board).await,
            None => std::future::pending().await,
        }
    };
    let exit = tokio::select! {
        exit = life.run(signals) => exit,
        never = serve => match never {},
    };
    drop(life);
    orphans.kill();
    // Nobody holds the pipes any more, so this is about what is in them.
    _ = tokio::time::timeout(LAST_OUTPUT, async { while relays.join_next().await.is_some() {} }).await;
    exit
}

#[cfg(test)]
mod tests;
