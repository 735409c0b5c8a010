//! The feature `reload`.

use std::time::{Duration, Instant};

use spin_app_model::launch::{Generation, HostMessage, RELOAD, TriggerMessage};

use super::Outcome;
use crate::locks;
use crate::process::describe;
use crate::session::{Received, Session};
use crate::subject::Subject;

/// How long what needs no preparation may take.
const SWAP: Duration = Duration::from_secs(5);

/// How long a trigger is watched for doing what it must not.
const WATCH: Duration = Duration::from_millis(100);

/// The whole way, twice: the second time in the place of what was put in place by the first.
pub(super) fn reload(subject: &Subject) -> Outcome {
    let mut session = start(subject)?;
    for id in [2, 3] {
        prepare(&mut session, subject, id)?;
        commit(&mut session, id)?;
        if id > 2 {
            session.forget_generation(id - 1)?;
        }
    }
    Ok(still_runs(&mut session)?)
}

/// A generation that another trigger could not run.
pub(super) fn abort(subject: &Subject) -> Outcome {
    let mut session = start(subject)?;
    prepare(&mut session, subject, 2)?;
    session.send(&HostMessage::Abort(Generation::new(2)).encode())?;
    session.forget_generation(2)?;
    still_runs(&mut session)?;
    prepare(&mut session, subject, 3)?;
    Ok(commit(&mut session, 3)?)
}

/// A generation that another trigger could not run, before this one has said anything of it.
pub(super) fn abort_early(subject: &Subject) -> Outcome {
    let mut session = start(subject)?;
    session.announce_generation(2, &subject.lock)?;
    session.send(&HostMessage::Abort(Generation::new(2)).encode())?;
    match answer(&mut session, Instant::now() + subject.patience, "rejected or prepared")? {
        TriggerMessage::Rejected(rejected) if rejected.id == 2 => {}
        TriggerMessage::Prepared(generation) if generation.id == 2 => {}
        other => return Err(format!("after abort it says {}", other.encode().trim_end()).into()),
    }
    session.forget_generation(2)?;
    still_runs(&mut session)?;
    prepare(&mut session, subject, 3)?;
    Ok(commit(&mut session, 3)?)
}

/// A generation that this trigger can't run.
pub(super) fn rejected(subject: &Subject) -> Outcome {
    let mut session = start(subject)?;
    session.announce_generation(2, &locks::with_an_unknown_requirement())?;
    match answer(&mut session, Instant::now() + subject.patience, "prepared or rejected")? {
        TriggerMessage::Rejected(rejected) if rejected.id != 2 => {
            return Err(format!("it rejects {}, not 2", rejected.id).into());
        }
        TriggerMessage::Rejected(rejected) if rejected.code.is_empty() => {
            return Err("rejected has an empty code".to_owned().into());
        }
        TriggerMessage::Rejected(rejected) if !rejected.message.contains(locks::NO_SUCH_FEATURE) => {
            let why = format!("the message does not name {}: {}", locks::NO_SUCH_FEATURE, rejected.message);
            return Err(why.into());
        }
        TriggerMessage::Rejected(_) => {}
        other => return Err(format!("it says {} of a generation that it can't run", other.name()).into()),
    }
    session.send(&HostMessage::Abort(Generation::new(2)).encode())?;
    session.forget_generation(2)?;
    still_runs(&mut session)?;
    prepare(&mut session, subject, 3)?;
    Ok(commit(&mut session, 3)?)
}

fn start(subject: &Subject) -> Result<Session, super::Trouble> {
    let session = Session::start_and_be_ready(subject)?;
    session.must_offer(RELOAD)?;
    Ok(session)
}

fn prepare(session: &mut Session, subject: &Subject, id: u64) -> Result<(), String> {
    session.announce_generation(id, &subject.lock)?;
    match answer(session, Instant::now() + subject.patience, "prepared")? {
        TriggerMessage::Prepared(prepared) if prepared.id == id => {}
        TriggerMessage::Prepared(prepared) => return Err(format!("it prepared {}, not {id}", prepared.id)),
        TriggerMessage::Rejected(rejected) => {
            return Err(format!("it rejects the app that it runs: {}: {}", rejected.code, rejected.message));
        }
        other => return Err(format!("it says {} before prepared", other.name())),
    }
    match session.receive(Instant::now() + WATCH, "") {
        Ok(Received::Message(message)) if is_of_reload(&message) => {
            Err(format!("it says {} before commit", message.name()))
        }
        Ok(Received::End) => Err(format!("it closed the channel after prepared{}", session.process().complaint())),
        // Nothing in time is what is wanted.
        _ => Ok(()),
    }
}

fn commit(session: &mut Session, id: u64) -> Result<(), String> {
    session.send(&HostMessage::Commit(Generation::new(id)).encode())?;
    let deadline = Instant::now() + SWAP;
    for expected in [TriggerMessage::Committed(Generation::new(id)), TriggerMessage::Retired(Generation::new(id))] {
        let said = answer(session, deadline, expected.name())?;
        if said != expected {
            let (said, expected) = (said.encode(), expected.encode());
            return Err(format!("after commit it says {}, not {}", said.trim_end(), expected.trim_end()));
        }
    }
    Ok(())
}

fn still_runs(session: &mut Session) -> Result<(), String> {
    match session.process().ended_within(WATCH) {
        None => Ok(()),
        Some(status) => Err(format!("{} after a reload{}", describe(status), session.process().complaint())),
    }
}

/// The next message that is about reloads.
fn answer(session: &mut Session, deadline: Instant, what: &str) -> Result<TriggerMessage, String> {
    loop {
        match session.receive(deadline, what)? {
            Received::Message(message) if is_of_reload(&message) => return Ok(message),
            Received::Message(TriggerMessage::Failed(failed)) => {
                return Err(format!("it failed with {}: {}, instead of {what}", failed.code, failed.message));
            }
            Received::Message(_) | Received::Unknown => {}
            Received::End => {
                return Err(format!("it closed the channel instead of {what}{}", session.process().complaint()));
            }
        }
    }
}

fn is_of_reload(message: &TriggerMessage) -> bool {
    matches!(
        message,
        TriggerMessage::Prepared(_)
            | TriggerMessage::Rejected(_)
            | TriggerMessage::Committed(_)
            | TriggerMessage::Retired(_)
    )
}
