//! The checks, each a small function: what the protocol demands, and how it shows.
//!
//! * `questions`: what a host asks before it starts a trigger;
//! * `refusals`: what a trigger must not run;
//! * `start`: from hello to ready;
//! * `end`: every way in which a trigger is asked to end.

mod end;
mod questions;
mod refusals;
mod start;

use crate::subject::Subject;

/// Nothing, or why a check failed.
pub(crate) type Outcome = Result<(), String>;

/// One demand of the protocol.
pub(crate) struct Check {
    /// A short name, stable.
    pub(crate) name: &'static str,
    /// What is demanded.
    pub(crate) demand: &'static str,
    /// Tries it with a process of its own.
    pub(crate) run: fn(&Subject) -> Outcome,
}

const fn check(name: &'static str, demand: &'static str, run: fn(&Subject) -> Outcome) -> Check {
    Check { name, demand, run }
}

/// Every check, in the order of a trigger's life.
pub(crate) const ALL: &[Check] = &[
    check("help", "--help-args-only prints the options on standard output and exits with 0", questions::help),
    check("launch-metadata", "--launch-metadata-only prints the flags as JSON on standard error", questions::metadata),
    check("no-environment", "without SPIN_LOCKED_URL it says so and exits with 1", refusals::no_environment),
    check("host-gone", "if the control channel refuses the connection it exits with 1", refusals::host_gone),
    check("lock-not-json", "a lock that is not JSON: failed, exit 1", refusals::not_json),
    check("lock-version", "a lock of a newer version: failed naming the version, exit 1", refusals::newer_version),
    check("lock-requirement", "an unknown host requirement: failed naming it, exit 1", refusals::requirement),
    check("lock-must-understand", "an unknown must_understand: failed naming it, exit 1", refusals::must_understand),
    check("hello", "hello is the first message, within 5 s, with its type and protocol 1", start::hello),
    check("ready", "it gets ready, and takes connections at its http endpoints", start::ready),
    check("unknown-messages", "unknown fields and messages are ignored", start::unknown_messages),
    check("drain", "drain: exit 0 within the grace", end::drain),
    check("term", "TERM drains, however often it comes: exit 0", end::term),
    check("int-and-hup", "INT and HUP are ignored", end::int_and_hup),
    check("channel-lost", "the end of the channel ends it within 500 ms", end::channel_lost),
];
