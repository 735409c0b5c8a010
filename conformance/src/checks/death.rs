//! A host or a trigger that is gone from one moment to the next.

use rustix::process::Signal;
use spin_app_model::launch::CHANNEL_LOSS_DEADLINE;

use super::Outcome;
use crate::parent::Parent;
use crate::session::Session;
use crate::subject::Subject;

/// The host closes the channel.
pub(super) fn channel_lost(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    session.hang_up()?;
    Ok(session.must_end_as_without_host("the end of the channel")?)
}

/// The host closes it while the trigger starts.
pub(super) fn early_channel_lost(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.hang_up()?;
    Ok(session.must_end_as_without_host("the end of the channel")?)
}

/// The host is killed, so it can't even close anything: the kernel does.
pub(super) fn parent_killed(subject: &Subject) -> Outcome {
    Ok(Parent::start(subject)?.kill_and_watch()?)
}

/// The trigger is killed. Whatever it has started must not go on without it.
pub(super) fn crash(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    let process = session.process();
    process.signal(Signal::KILL)?;
    if process.ended_within(CHANNEL_LOSS_DEADLINE).is_none() {
        return Err("it survives KILL".to_owned().into());
    }
    Ok(process.must_leave_nothing("KILL")?)
}
