//! Every way in which a trigger is asked to end, and those in which it is not.

use std::time::Duration;

use rustix::process::Signal;
use spin_app_model::launch::DEFAULT_GRACE;

use super::Outcome;
use crate::process::describe;
use crate::session::Session;
use crate::subject::Subject;

/// The grace of a drain. No event is in flight, so much less is needed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a trigger that got a signal is watched for ending of it.
const WATCH: Duration = Duration::from_millis(300);

/// The host asks for the end.
pub(super) fn drain(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    session.drain(GRACE)?;
    session.hear_the_rest(GRACE)?;
    session.process().must_exit(0, GRACE, "drain")?;
    Ok(session.process().must_leave_nothing("drain")?)
}

/// The host asks for it while the trigger starts. Whether it got ready first is its own business.
pub(super) fn early_drain(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.welcome();
    session.drain(GRACE)?;
    Ok(session.process().must_exit(0, GRACE, "drain")?)
}

/// Somebody else asks for the end.
pub(super) fn term(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    let process = session.process();
    process.signal(Signal::TERM)?;
    // It may have ended of the first already.
    let _ = process.signal(Signal::TERM);
    // No event is in flight, so it needs nothing of the grace that it grants itself.
    Ok(process.must_exit(0, DEFAULT_GRACE.min(GRACE), "TERM")?)
}

/// A terminal that the host hears as well.
pub(super) fn int_and_hup(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    for (signal, name) in [(Signal::INT, "INT"), (Signal::HUP, "HUP")] {
        session.process().signal(signal)?;
        if let Some(status) = session.process().ended_within(WATCH) {
            return Err(format!("{} after {name}, which is the host's business", describe(status)).into());
        }
    }
    Ok(())
}
