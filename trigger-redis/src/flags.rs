//! What the command line says.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use spin_trigger_kit::durations;
use spin_trigger_kit::http::InstancePolicy;

/// The flags of this trigger. Each says: default · cost · what it interacts with · since when.
#[derive(Clone, Debug, clap::Args)]
pub struct RedisFlags {
    /// End with an error when a server can't be reached or a connection is lost, instead of trying again.
    ///
    /// Default off · events of every server end with the first connection · whatever starts the app again · since 0.1.
    #[arg(long)]
    pub exit_on_disconnect: bool,

    /// How many messages are handled at once, of all channels and components together.
    ///
    /// Default 32 for each processor · an instance's memory for each · at most as many as instances may live; `order` in
    /// an entry allows one at a time · since 0.1.
    #[arg(long, value_name = "COUNT")]
    pub max_concurrency: Option<NonZeroUsize>,

    /// How long a component may take for a message, for example 30s or 500ms; what takes longer has failed.
    ///
    /// Default 300s · longer: one that never returns keeps its place for so long · CPU time has a limit of its own; a
    /// trigger's key message_timeout wins · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "300s", value_parser = positive_duration)]
    pub message_timeout: Duration,

    /// How many messages an instance handles before it is replaced.
    ///
    /// Default 128 · fewer: more instances are made · only components that allow reuse · since 0.1.
    #[arg(long, value_name = "COUNT", default_value = "128")]
    pub max_instance_reuse_count: NonZeroU32,

    /// How many messages an instance handles at once.
    ///
    /// Default 16 · more: one trapping message touches more others · only components that allow reuse · since 0.1.
    #[arg(long, value_name = "COUNT", default_value = "16")]
    pub max_instance_concurrent_reuse_count: NonZeroU32,

    /// How long an instance without a message is kept; 0 keeps none.
    ///
    /// Default 1s · longer: memory of idle instances · only components that allow reuse · since 0.1.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = durations::parse)]
    pub idle_instance_timeout: Duration,

    /// A file with certificates (PEM) of authorities that servers with rediss:// addresses may be certified by, besides those
    /// that the system trusts.
    ///
    /// Default none · read at start · SSL_CERT_FILE, which replaces the system's · since 0.1.
    #[arg(long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
}

impl RedisFlags {
    /// How long reused instances live.
    pub fn policy(&self) -> InstancePolicy {
        InstancePolicy {
            requests: self.max_instance_reuse_count.get(),
            concurrent: self.max_instance_concurrent_reuse_count.get(),
            idle: self.idle_instance_timeout,
        }
    }
}

/// Reads a duration that is more than nothing.
///
/// # Errors
/// For anything else.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match durations::parse(text) {
        Ok(Duration::ZERO) => Err(format!("`{text}` is no time at all: write a longer one, such as `30s`")),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: RedisFlags,
    }

    #[test]
    fn defaults_are_those_of_the_instance_policy() {
        let flags = Line::try_parse_from(["trigger"]).unwrap().flags;
        assert_eq!(flags.policy(), InstancePolicy::default());
        assert_eq!(flags.message_timeout, Duration::from_secs(300));
    }

    #[test]
    fn no_time_and_no_count_are_refused() {
        let set = ["trigger", "--message-timeout=20ms", "--idle-instance-timeout=0", "--max-instance-reuse-count=1"];
        let flags = Line::try_parse_from(set).unwrap().flags;
        assert_eq!((flags.message_timeout, flags.policy().idle), (Duration::from_millis(20), Duration::ZERO));
        for wrong in ["--message-timeout=0", "--max-instance-reuse-count=0", "--max-instance-concurrent-reuse-count=0"]
        {
            assert!(Line::try_parse_from(["trigger", wrong]).is_err(), "{wrong}");
        }
    }
}
