//! What a trigger must not run: no app, an app that it can't understand, an app of a host that is gone.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use spin_app_model::launch::{HELLO_DEADLINE, TriggerMessage, env};

use super::Outcome;
use crate::locks;
use crate::process::Process;
use crate::session::{Received, Session, address, app_folder, lock_file};
use crate::subject::Subject;

/// How long a refusal may take: nothing has to be compiled for it.
const REFUSAL: Duration = Duration::from_secs(10);

/// No environment at all.
pub(super) fn no_environment(subject: &Subject) -> Outcome {
    let folder = app_folder("")?;
    let mut process = Process::start(subject.command(folder.path()), folder.path())?;
    process.must_exit(1, REFUSAL, "a start without SPIN_LOCKED_URL")?;
    match process.stderr().trim().is_empty() {
        true => Err("it says nothing on standard error".to_owned().into()),
        false => Ok(()),
    }
}

/// A control channel at which nobody listens any more.
pub(super) fn host_gone(subject: &Subject) -> Outcome {
    let folder = app_folder(&subject.lock)?;
    let socket = folder.path().join("0.sock");
    // Bound and dropped: the path stays, and connections to it are refused.
    drop(UnixListener::bind(&socket).map_err(|error| format!("no control socket: {error}"))?);
    let mut command = subject.command_for_app(folder.path(), &lock_file(folder.path()));
    command.env(env::CONTROL, address(&socket)?);
    let mut process = Process::start(command, folder.path())?;
    Ok(process.must_exit(1, HELLO_DEADLINE, "a start whose host is gone")?)
}

/// A lock that is named and not there.
pub(super) fn missing(subject: &Subject) -> Outcome {
    let session = Session::start_without_lock(subject)?;
    Ok(must_refuse(session, "")?)
}

/// A lock that is no JSON.
pub(super) fn not_json(subject: &Subject) -> Outcome {
    refused(subject, &locks::not_json(), "")
}

/// A lock of a version that comes later.
pub(super) fn newer_version(subject: &Subject) -> Outcome {
    refused(subject, &locks::of_a_newer_version(), &locks::NO_SUCH_VERSION.to_string())
}

/// A requirement of the host that nobody knows.
pub(super) fn requirement(subject: &Subject) -> Outcome {
    refused(subject, &locks::with_an_unknown_requirement(), locks::NO_SUCH_FEATURE)
}

/// A part of the lock that must be understood and that nobody knows.
pub(super) fn must_understand(subject: &Subject) -> Outcome {
    refused(subject, &locks::with_an_unknown_part(), locks::NO_SUCH_PART)
}

/// An entry of the trigger's own type, with a field that is none of any trigger's.
pub(super) fn entry(subject: &Subject) -> Outcome {
    refused(subject, &locks::with_a_bad_entry(subject.trigger_type.as_str()), "")
}

/// Hello, `failed` with `name` in its message, exit 1.
fn refused(subject: &Subject, lock: &str, name: &str) -> Outcome {
    Ok(must_refuse(Session::start(subject, lock)?, name)?)
}

fn must_refuse(mut session: Session, name: &str) -> Result<(), String> {
    session.welcome();
    let deadline = Instant::now() + REFUSAL;
    let failed = loop {
        match session.receive(deadline, "failed")? {
            Received::Message(TriggerMessage::Failed(failed)) => break failed,
            Received::Message(TriggerMessage::Ready(_)) => return Err("it runs the app".to_owned()),
            Received::Message(_) | Received::Unknown => {}
            Received::End => {
                let complaint = session.process().complaint();
                return Err(format!("it closed the channel without failed{complaint}"));
            }
        }
    };
    if failed.code.is_empty() || failed.message.is_empty() {
        return Err(format!("failed has an empty code or message: {:?}, {:?}", failed.code, failed.message));
    }
    if !failed.message.contains(name) {
        return Err(format!("the message does not name {name}: {}", failed.message));
    }
    session.process().must_exit(1, REFUSAL, "failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::tests::script;

    #[test]
    fn without_an_environment_it_says_why_it_ends() {
        let good = script(r#"test -z "$SPIN_LOCKED_URL$SPIN_CONTROL$SPIN_WORKING_DIR" || exit 9; echo no >&2; exit 1"#);
        assert_eq!(no_environment(&good), Ok(()));
        let silent = "it says nothing on standard error".to_owned();
        assert_eq!(no_environment(&script("exit 1")), Err(silent.into()));
        let why = "exit 0 after a start without SPIN_LOCKED_URL, not exit 1".to_owned();
        assert_eq!(no_environment(&script("exit 0")), Err(why.into()));
    }

    #[test]
    fn a_host_that_is_gone_has_a_channel_and_an_app() {
        let good = script(r#"test -S "${SPIN_CONTROL#unix:}" && test -f "${SPIN_LOCKED_URL#file://}" && exit 1"#);
        assert_eq!(host_gone(&good), Ok(()));
    }
}
