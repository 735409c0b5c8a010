//! How the instances behind one entry live: what the entry says, and where it says nothing, what the command line says.

use std::sync::Arc;
use std::time::Duration;

use spin_trigger_kit::durations;
use spin_trigger_kit::http::{HandlerOptions, InstancePolicy};
use spin_trigger_kit::permits::Permits;

use crate::config::HttpTriggerConfig;
use crate::flags::HttpFlags;
use crate::range::{Range, RangeError};

/// The policy of one entry. Entries of one component that differ in it have instances of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    reuse_count: Range<u32>,
    concurrent: Range<u32>,
    idle: Range<Duration>,
    request_timeout: Range<Duration>,
    reuse_p2: bool,
}

impl Policy {
    /// The entry's keys win over the flags.
    pub fn new(entry: &HttpTriggerConfig, flags: &HttpFlags) -> Self {
        Self {
            reuse_count: entry.max_instance_reuse_count.unwrap_or(flags.max_instance_reuse_count),
            concurrent: entry.max_instance_concurrent_reuse_count.unwrap_or(flags.max_instance_concurrent_reuse_count),
            idle: entry.idle_instance_timeout.unwrap_or(flags.idle_instance_timeout),
            request_timeout: entry.request_timeout.unwrap_or(flags.request_timeout),
            reuse_p2: entry.reuse_p2_instances.unwrap_or(flags.reuse_p2_instances),
        }
    }

    /// The options of a handler; `events` are those of the whole trigger.
    pub fn options(self, flags: &HttpFlags, events: &Arc<Permits>) -> HandlerOptions {
        let instances = move || InstancePolicy {
            requests: self.reuse_count.draw(),
            concurrent: self.concurrent.draw(),
            idle: self.idle.draw(),
        };
        HandlerOptions {
            policy: Arc::new(instances),
            reuse_p2: self.reuse_p2,
            head_timeout: Arc::new(move || self.request_timeout.draw()),
            whole_body: flags.max_whole_body,
            events: Arc::clone(events),
        }
    }
}

/// Reads a count or a range of counts, from 1 on.
///
/// # Errors
/// For anything else.
pub fn count(text: &str) -> Result<Range<u32>, RangeError> {
    let read = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u32>().map_err(|_invalid| format!("`{text}` is not a number up to {}", u32::MAX)),
        false => Err(format!("`{text}` is not a whole number")),
    };
    Range::parse(text, read, 1, "1")
}

/// Reads a duration or a range of durations.
///
/// # Errors
/// For anything else.
pub fn duration(text: &str) -> Result<Range<Duration>, RangeError> {
    Range::parse(text, durations::parse, Duration::ZERO, "0")
}

/// The same, for time that must be there.
///
/// # Errors
/// For anything else.
pub fn positive_duration(text: &str) -> Result<Range<Duration>, RangeError> {
    Range::parse(text, durations::parse, Duration::from_nanos(1), "1ns")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        flags: HttpFlags,
    }

    #[test]
    fn what_an_entry_says_wins_over_the_flags() {
        let flags = Cli::parse_from(["trigger-http", "--max-instance-reuse-count=5", "--request-timeout=9s"]).flags;
        let entry = |keys: &str| -> HttpTriggerConfig {
            serde_json::from_str(&format!(r#"{{"component":"c","route":"/"{keys}}}"#)).unwrap()
        };
        let silent = Policy::new(&entry(""), &flags);
        let spoken = Policy::new(&entry(r#","max_instance_reuse_count":7,"reuse_p2_instances":true"#), &flags);
        assert_eq!(silent.reuse_count, Range::Fixed(5));
        assert_eq!(spoken, Policy { reuse_count: Range::Fixed(7), reuse_p2: true, ..silent });
        assert_eq!(spoken.request_timeout, Range::Fixed(Duration::from_secs(9)));
    }
}
