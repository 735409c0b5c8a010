//! What the end of a trigger means for the exit code of the app, and whether there is something to say. Pure functions.

use std::os::unix::process::ExitStatusExt;

use super::child::{Ended, Stage};
use super::launch::{Promise, Task};
use crate::report::{Exit, Report};

/// The exit code that a trigger's end gives the app, and the error to show, if the trigger's own output is not enough.
pub(super) fn verdict(ended: &Ended) -> (Exit, Option<Report>) {
    let name = &ended.name;
    let status = match &ended.status {
        Ok(status) => status,
        Err(error) => {
            let report = Report::new(format!("cannot wait for {name}: {error}")).code("trigger::wait");
            return (Exit::ERROR, Some(report));
        }
    };
    if ended.fault {
        return (Exit::ERROR, None);
    }
    if let Some(signal) = status.signal() {
        let exit = Exit::new(u8::try_from(128 + signal).unwrap_or(u8::MAX));
        // Nobody asked: what ended it (a crash, the memory killer, another person) told the terminal nothing.
        let report =
            || Report::new(format!("{name} was killed by signal {signal}{}", named(signal))).code("trigger::killed");
        return (exit, (!ended.asked && !ended.failed).then(report));
    }
    let code = status.code().map_or(u8::MAX, |code| u8::try_from(code).unwrap_or(u8::MAX));
    if ended.asked {
        return (Exit::new(code), None);
    }
    if ended.failed {
        return (Exit::new(code.max(1)), None);
    }
    let unfinished = match (ended.stage, ended.promise) {
        // It ends when it has done what it was to do, and is never ready for more.
        _ if ended.task == Task::Compile && code == 0 => None,
        // Usage errors and the like, which it has printed itself.
        (Stage::Started, Promise::Hello) if code == 0 => Some("it said hello"),
        (Stage::Greeted, _) => Some("it was ready"),
        _ => None,
    };
    let report = unfinished
        .map(|what| Report::new(format!("{name} ended before {what} (exit code {code})")).code("trigger::ended-early"));
    (Exit::new(if report.is_some() { code.max(1) } else { code }), report)
}

/// How a trigger ended, for people.
pub(super) fn how(ended: &Ended) -> String {
    match &ended.status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => signal.map_or("no exit".to_owned(), |signal| format!("signal {signal}{}", named(signal))),
        },
        Err(_) => "unknown how".to_owned(),
    }
}

/// The ends of an app's triggers, as far as its exit code is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exits {
    of_who_ended_it: Option<Exit>,
    first_failure: Option<Exit>,
}

impl Exits {
    /// A trigger has ended, and the app ends because of it.
    pub(super) fn ends_app(&mut self, exit: Exit) {
        self.of_who_ended_it.get_or_insert(exit);
    }

    /// A trigger has ended, and that is not why the app does.
    pub(super) fn follows(&mut self, exit: Exit) {
        if exit != Exit::OK {
            self.first_failure.get_or_insert(exit);
        }
    }

    /// The exit code of the app.
    pub(super) fn of_app(self) -> Exit {
        self.of_who_ended_it.or(self.first_failure).unwrap_or(Exit::OK)
    }
}

fn named(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::process::ExitStatus;

    use spin_app_model::launch::ControlAddress;

    use super::*;

    const ZERO: i32 = 0;
    const THREE: i32 = 3 << 8;
    const KILLED: i32 = 9;
    const TERMINATED: i32 = 15;

    fn ended(raw: i32) -> Ended {
        Ended {
            name: "trigger-zzz".to_owned(),
            pid: rustix::process::getpid(),
            control: ControlAddress::unix("/zzz").unwrap(),
            promise: Promise::Nothing,
            task: Task::Serve,
            status: Ok(ExitStatus::from_raw(raw)),
            stage: Stage::Started,
            asked: false,
            failed: false,
            fault: false,
        }
    }

    fn judge(ended: &Ended) -> (u8, Option<String>) {
        let (exit, report) = verdict(ended);
        (exit.code(), report.map(|report| report.message().to_owned()))
    }

    #[test]
    fn a_protocol_0_trigger_decides_alone() {
        assert_eq!(judge(&ended(ZERO)), (0, None));
        assert_eq!(judge(&ended(THREE)), (3, None));
        assert_eq!(judge(&ended(KILLED)), (137, Some("trigger-zzz was killed by signal 9 (SIGKILL)".to_owned())));
    }

    #[test]
    fn an_end_on_request_needs_no_words() {
        for (raw, code) in [(ZERO, 0), (THREE, 3), (KILLED, 137), (TERMINATED, 143)] {
            for stage in [Stage::Started, Stage::Greeted, Stage::Ready] {
                assert_eq!(judge(&Ended { asked: true, stage, promise: Promise::Hello, ..ended(raw) }), (code, None));
            }
        }
    }

    #[test]
    fn an_early_end_is_an_error_even_with_code_zero() {
        let early = |raw, stage| judge(&Ended { promise: Promise::Hello, stage, ..ended(raw) });
        let says = |code, what| format!("trigger-zzz ended before {what} (exit code {code})");
        assert_eq!(early(ZERO, Stage::Started), (1, Some(says(0, "it said hello"))));
        assert_eq!(early(THREE, Stage::Started), (3, None), "it has printed why");
        assert_eq!(early(ZERO, Stage::Greeted), (1, Some(says(0, "it was ready"))));
        assert_eq!(early(THREE, Stage::Greeted), (3, Some(says(3, "it was ready"))));
        assert_eq!(early(ZERO, Stage::Ready), (0, None));
        assert_eq!(early(THREE, Stage::Ready), (3, None));
    }

    #[test]
    fn one_that_was_to_compile_is_done_when_it_ends() {
        let compiled = |raw, stage| judge(&Ended { task: Task::Compile, promise: Promise::Hello, stage, ..ended(raw) });
        assert_eq!((compiled(ZERO, Stage::Started), compiled(ZERO, Stage::Greeted)), ((0, None), (0, None)));
        assert_eq!(compiled(THREE, Stage::Started), (3, None), "it has printed why");
        let unfinished = "trigger-zzz ended before it was ready (exit code 3)".to_owned();
        assert_eq!(compiled(THREE, Stage::Greeted), (3, Some(unfinished)));
    }

    #[test]
    fn what_was_told_already_is_not_told_again() {
        assert_eq!(judge(&Ended { failed: true, stage: Stage::Greeted, ..ended(ZERO) }), (1, None));
        assert_eq!(judge(&Ended { failed: true, stage: Stage::Greeted, ..ended(THREE) }), (3, None));
        assert_eq!(judge(&Ended { fault: true, ..ended(KILLED) }), (1, None));
    }

    #[test]
    fn the_exit_code_is_of_who_ended_the_app_else_of_the_first_that_failed() {
        let mut exits = Exits::default();
        assert_eq!(exits.of_app(), Exit::OK);
        for (code, expected) in [(0, 0), (4, 4), (5, 4)] {
            exits.follows(Exit::new(code));
            assert_eq!(exits.of_app().code(), expected);
        }
        exits.ends_app(Exit::OK);
        exits.ends_app(Exit::new(6));
        assert_eq!(exits.of_app(), Exit::OK);
    }

    #[test]
    fn an_end_is_described_in_a_few_words() {
        assert_eq!(how(&ended(THREE)), "exit code 3");
        assert_eq!(how(&ended(KILLED)), "signal 9 (SIGKILL)");
    }
}
