//! Every way in which a trigger is asked to end, and those in which it is not.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use spin_app_model::launch::{CHANNEL_LOSS_DEADLINE, DEFAULT_GRACE};

use super::Outcome;
use crate::process::{describe, seconds};
use crate::session::Session;
use crate::subject::Subject;

/// The grace of a drain. No event is in flight, so much less is needed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a trigger that got a signal is watched for ending of it.
const WATCH: Duration = Duration::from_millis(500);

/// The host asks for the end.
pub(super) fn drain(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    session.drain(GRACE)?;
    session.process().must_exit(0, GRACE, "drain")
}

/// Somebody else asks for the end.
pub(super) fn term(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    let process = session.process();
    process.signal(Signal::TERM)?;
    // It may have ended of the first already.
    let _ = process.signal(Signal::TERM);
    process.must_exit(0, DEFAULT_GRACE, "TERM")
}

/// A terminal that the host hears as well.
pub(super) fn int_and_hup(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    for (signal, name) in [(Signal::INT, "INT"), (Signal::HUP, "HUP")] {
        session.process().signal(signal)?;
        if let Some(status) = session.process().ended_within(WATCH) {
            return Err(format!("{} after {name}, which is the host's business", describe(status)));
        }
    }
    session.drain(GRACE)?;
    session.process().must_exit(0, GRACE, "INT, HUP and drain")
}

/// The host is gone.
pub(super) fn channel_lost(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    let lost = Instant::now();
    session.hang_up()?;
    // Waited for longer than is allowed, so that the message can say how late it is.
    match session.process().ended_within(10 * CHANNEL_LOSS_DEADLINE) {
        Some(_) if lost.elapsed() <= CHANNEL_LOSS_DEADLINE => Ok(()),
        Some(_) => Err(format!("it ended {} after the channel, not within {}", took(lost), limit())),
        None => Err(format!("it still runs {} after the end of the channel", took(lost))),
    }
}

fn took(since: Instant) -> String {
    format!("{} ms", since.elapsed().as_millis())
}

fn limit() -> String {
    seconds(CHANNEL_LOSS_DEADLINE)
}
