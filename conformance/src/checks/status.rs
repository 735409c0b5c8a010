//! The feature `status`.

use std::time::{Duration, Instant};

use spin_app_model::launch::{HostMessage, STATUS, Status, StatusRequest, TriggerMessage};

use super::Outcome;
use crate::session::{Received, Session};
use crate::subject::Subject;

/// After this a host takes a trigger for down.
const ANSWER: Duration = Duration::from_secs(1);

/// Two requests at once, with numbers that can't be guessed, and no third answer.
pub(super) fn status(subject: &Subject) -> Outcome {
    let mut session = Session::start_and_be_ready(subject)?;
    session.must_offer(STATUS)?;
    for id in [7, u64::from(u32::MAX)] {
        session.send(&HostMessage::Status(StatusRequest::new(id)).encode())?;
        let status = answer(&mut session)?;
        if status.id != id {
            return Err(format!("the answer to status {id} has the id {}", status.id).into());
        }
        if !status.ready {
            return Err("status says that it is not ready, but it said that it is".to_owned().into());
        }
        let names_trigger = |name: &str| name == "trigger";
        if status.metrics.iter().flat_map(|metric| metric.labels().keys()).any(|name| names_trigger(name.as_str())) {
            return Err("a metric has the label trigger, which is the host's".to_owned().into());
        }
    }
    Ok(())
}

fn answer(session: &mut Session) -> Result<Status, String> {
    let deadline = Instant::now() + ANSWER;
    loop {
        match session.receive(deadline, "answer to status")? {
            Received::Message(TriggerMessage::Status(status)) => return Ok(status),
            Received::Message(_) | Received::Unknown => {}
            Received::End => return Err("it closed the channel instead of answering status".to_owned()),
        }
    }
}
