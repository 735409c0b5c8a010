//! The checks, each a small function: what the protocol demands, and how it shows.
//!
//! * `questions`: what a host asks before it starts a trigger;
//! * `start`: from hello to ready;
//! * `refusals`: what a trigger must not run;
//! * `apps`: what it must run, although it is unusual;
//! * `channel`: what a host may write on the channel, and what no host writes;
//! * `status`, `reload` and `ahead`: the optional parts;
//! * `end`: every way in which a trigger is asked to end;
//! * `death`: a host or a trigger that is gone from one moment to the next.

mod ahead;
mod apps;
mod channel;
mod death;
mod end;
mod questions;
mod refusals;
mod reload;
mod start;
mod status;

use crate::subject::Subject;

/// Nothing, or why a check did not pass.
pub(crate) type Outcome = Result<(), Trouble>;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The trigger does something else than is demanded.
    Fault(String),
    /// The check is about an optional part of the protocol, and hello does not name it.
    NotOffered(&'static str),
    /// The check is about a flag that it does not have.
    NoFlag(&'static str),
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self::Fault(why)
    }
}

/// One demand of the protocol.
pub(crate) struct Check {
    /// A short name, stable.
    pub(crate) name: &'static str,
    /// What is demanded.
    pub(crate) demand: &'static str,
    /// The checks before it without which this one says nothing.
    pub(crate) needs: &'static [&'static str],
    /// Tries it with a process of its own.
    pub(crate) run: fn(&Subject) -> Outcome,
}

type Run = fn(&Subject) -> Outcome;

const fn check(name: &'static str, needs: &'static [&'static str], run: Run, demand: &'static str) -> Check {
    Check { name, demand, needs, run }
}

/// For checks of a process that runs an app.
const HELLO: &[&str] = &["hello"];

/// For checks of a process that is at work.
const READY: &[&str] = &["hello", "ready"];

/// For checks in which a drain shows that the trigger still listens.
const DRAIN: &[&str] = &["hello", "ready", "drain"];

/// For checks of what follows a good reload.
const RELOAD: &[&str] = &["hello", "ready", "reload"];

/// Every check, in an order in which none comes before one that it needs.
#[rustfmt::skip]
pub(crate) const ALL: &[Check] = &[
    check("help", &[], questions::help, "--help-args-only prints the options on standard output and exits with 0"),
    check("launch-metadata", &[], questions::metadata, "--launch-metadata-only prints the flags as JSON on standard error"),
    check("no-environment", &[], refusals::no_environment, "without SPIN_LOCKED_URL it says so and exits with 1"),
    check("host-gone", &[], refusals::host_gone, "if the control channel refuses the connection it exits with 1"),
    check("hello", &[], start::hello, "hello is the first message, within 5 s, with its type and protocol 1"),
    check("lock-missing", HELLO, refusals::missing, "a lock that is not there: failed, exit 1"),
    check("lock-not-json", HELLO, refusals::not_json, "a lock that is not JSON: failed, exit 1"),
    check("lock-version", HELLO, refusals::newer_version, "a lock of a newer version: failed naming the version, exit 1"),
    check("lock-requirement", HELLO, refusals::requirement, "an unknown host requirement: failed naming it, exit 1"),
    check("lock-must-understand", HELLO, refusals::must_understand, "an unknown must_understand: failed naming it, exit 1"),
    check("lock-entry", HELLO, refusals::entry, "an entry of its type that nobody can understand: failed, exit 1"),
    check("ready", HELLO, start::ready, "it gets ready once, and takes connections at its endpoints"),
    check("no-welcome", READY, start::no_welcome, "it gets ready without waiting for welcome"),
    check("lock-of-others", READY, apps::of_others, "entries of other types and their components are not looked at"),
    check("lock-huge", READY, apps::huge, "a lock of 4 MiB is read like any other"),
    check("drain", READY, end::drain, "drain: exit 0 within the grace, and nothing of it is left"),
    check("early-drain", DRAIN, end::early_drain, "drain before ready: exit 0 within the grace"),
    check("term", READY, end::term, "TERM drains, however often it comes: exit 0"),
    check("int-and-hup", READY, end::int_and_hup, "INT and HUP are ignored"),
    check("unknown-messages", DRAIN, channel::unknown_messages, "unknown messages are ignored"),
    check("unknown-fields", DRAIN, channel::unknown_fields, "unknown fields and features are ignored"),
    check("halves", DRAIN, channel::halves, "a line that comes in pieces is one line"),
    check("garbage", READY, channel::garbage, "a line that is no message ends it within 500 ms, as the end of the channel does"),
    check("endless-line", READY, channel::endless_line, "a line of more than 1 MiB ends it as well"),
    check("channel-lost", READY, death::channel_lost, "the end of the channel ends it within 500 ms"),
    check("early-channel-lost", &["hello", "ready", "channel-lost"], death::early_channel_lost, "also before it is ready"),
    check("parent-killed", READY, death::parent_killed, "KILL to the host ends it within 500 ms"),
    check("crash", READY, death::crash, "KILL to the trigger leaves no process of it"),
    check("compile-only", &["launch-metadata", "hello", "ready"], ahead::compile_only, "--compile-only, if it has it: exit 0, and never ready"),
    check("status", READY, status::status, "status is answered within 1 s, with its id, readiness and metrics"),
    check("reload", READY, reload::reload, "reload: prepared; commit: committed and, without events, retired"),
    check("reload-abort", RELOAD, reload::abort, "abort: it runs on, and the next reload works"),
    check("reload-abort-early", RELOAD, reload::abort_early, "abort before it has prepared: one answer, and the next reload works"),
    check("reload-rejected", RELOAD, reload::rejected, "a generation that can't be run: rejected with code and message, and it runs on"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_needs_comes_before_it() {
        for (at, check) in ALL.iter().enumerate() {
            let earlier: Vec<&str> = ALL[..at].iter().map(|check| check.name).collect();
            assert!(check.needs.iter().all(|name| earlier.contains(name)), "{}", check.name);
            assert!(!earlier.contains(&check.name), "{} is there twice", check.name);
        }
    }
}
