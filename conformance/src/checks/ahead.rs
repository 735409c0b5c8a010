//! Compiling ahead: what a trigger does that is started with `--compile-only`, if it has that flag.

use std::time::Instant;

use spin_app_model::launch::TriggerMessage;

use super::{Outcome, Trouble, questions};
use crate::session::{Received, Session};
use crate::subject::Subject;

const FLAG: &str = "--compile-only";

/// It ends by itself, and takes no events before.
pub(super) fn compile_only(subject: &Subject) -> Outcome {
    if !questions::has_flag(subject, FLAG)? {
        return Err(Trouble::NoFlag(FLAG));
    }
    let subject = &subject.with_flag(FLAG);
    let mut session = Session::start(subject, &subject.lock)?;
    session.welcome();
    let deadline = Instant::now() + subject.patience;
    loop {
        match session.receive(deadline, "the end")? {
            Received::Message(TriggerMessage::Ready(_)) => return Err(format!("with {FLAG} it gets ready").into()),
            Received::Message(TriggerMessage::Failed(failed)) => {
                return Err(format!("with {FLAG} it failed with {}: {}", failed.code, failed.message).into());
            }
            Received::Message(_) | Received::Unknown => {}
            Received::End => break,
        }
    }
    Ok(session.process().must_exit(0, subject.patience, "the end of its channel")?)
}
