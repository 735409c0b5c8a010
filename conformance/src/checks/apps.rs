//! What a trigger must run, although it is unusual.

use super::Outcome;
use crate::locks;
use crate::session::Session;
use crate::subject::Subject;

/// An app that has much of what is none of the trigger's business.
pub(super) fn of_others(subject: &Subject) -> Outcome {
    runs(subject, &locks::with_entries_of_others(&subject.lock))
}

/// An app whose lock is larger than any buffer.
pub(super) fn huge(subject: &Subject) -> Outcome {
    runs(subject, &locks::huge(&subject.lock))
}

fn runs(subject: &Subject, lock: &str) -> Outcome {
    let mut session = Session::start(subject, lock)?;
    session.welcome();
    session.ready(subject)?;
    Ok(())
}
