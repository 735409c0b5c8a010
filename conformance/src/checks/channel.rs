//! What a host may write on the channel, and what no host writes.

use std::time::Duration;

use spin_app_model::launch::MAX_LINE_BYTES;

use super::Outcome;
use crate::session::Session;
use crate::subject::Subject;

/// The grace that is granted where the end is not what is tested.
const GRACE: Duration = Duration::from_secs(10);

/// How long the rest of a line takes to come.
const PAUSE: Duration = Duration::from_millis(50);

/// Messages of a host that is newer than the trigger, some with nothing of what others have.
pub(super) fn unknown_messages(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.send("{\"conformance-no-such-message\":{\"id\":1}}\n")?;
    session.welcome();
    session.ready(subject)?;
    session.send("{\"conformance-no-such-message\":null}\n{\"drain\":{\"grace_ms\":10000}}\n")?;
    Ok(session.process().must_exit(0, GRACE, "messages of unknown names and drain")?)
}

/// Messages with more in them than the trigger knows.
pub(super) fn unknown_fields(subject: &Subject) -> Outcome {
    let mut session = Session::start(subject, &subject.lock)?;
    session.send("{\"welcome\":{\"protocol\":1,\"features\":[\"conformance-no-such-feature\"],\"later\":{}}}\n")?;
    session.ready(subject)?;
    session.send("{\"drain\":{\"later\":[],\"grace_ms\":10000}}\n")?;
    Ok(session.process().must_exit(0, GRACE, "messages with unknown fields and drain")?)
}

/// A line that is not there at once. Escapes are spelled out, which no writer of ours does and any may.
pub(super) fn halves(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    for piece in ["{ \"\\u0064rain\" : {\"gra", "ce_ms\":10000}", " }"] {
        session.send(piece)?;
        if let Some(status) = session.process().ended_within(PAUSE) {
            let status = crate::process::describe(status);
            return Err(format!("{status} after a part of a line{}", session.process().complaint()).into());
        }
    }
    session.send("\n")?;
    Ok(session.process().must_exit(0, GRACE, "a drain in pieces")?)
}

/// What is not even text.
pub(super) fn garbage(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    session.send_bytes(b"\xff\xfe no message\n")?;
    Ok(session.must_end_as_without_host("a line that is no message")?)
}

/// What never becomes a line. A trigger that ends in the middle of it is right.
pub(super) fn endless_line(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    let _ = session.send_bytes(&vec![b' '; 2 * MAX_LINE_BYTES]);
    Ok(session.must_end_as_without_host("2 MiB without an end of line")?)
}
