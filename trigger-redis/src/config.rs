//! What the manifest and the command line say: `[application.trigger.redis]`, the `[[trigger.redis]]` entries and the flags.
//!
//! What they come to is in [`plan`](crate::plan).

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::Deserialize;
use spin_trigger_kit::{ComponentId, Error};

/// `[application.trigger.redis]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// The address of entries that have none of their own. May have templates.
    #[serde(default)]
    pub address: String,
}

/// One `[[trigger.redis]]` entry: where its messages come from is one of `channel` and `pattern`.
///
/// ```
/// use trigger_redis::config::RedisTriggerConfig;
///
/// let entry: RedisTriggerConfig = serde_json::from_str(r#"{"component": "resize", "channel": "uploads"}"#)?;
/// assert_eq!(entry.address, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisTriggerConfig {
    /// The component that handles the messages.
    pub component: ComponentId,
    /// The server's address, if it isn't the application's. May have templates.
    pub address: Option<String>,
    /// The name of a channel, taken literally: not a pattern. May have templates.
    pub channel: Option<String>,
    /// A pattern of channels as Redis knows it (`PSUBSCRIBE`). May have templates.
    pub pattern: Option<String>,
    /// Of a channel or a pattern: `"channel"` for one message after another instead of several at once.
    pub order: Option<Order>,
    /// Of a channel or a pattern: what happens when messages come faster than they are handled. Default `"block"`.
    pub when_full: Option<WhenFull>,
    /// Of a channel or a pattern: how many bytes of messages wait here for their turn. Default 16 MiB.
    pub queue_bytes: Option<NonZeroUsize>,
}

/// In which order the messages of an entry are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One after another, as they were published.
    Channel,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// It waits at the server, which cuts off a subscriber that stays too far behind.
    #[default]
    Block,
    /// It takes the place of those that have waited longest.
    DropOldest,
    /// It is dropped.
    DropNewest,
}

/// The flags of this trigger. Each says: default · cost · what it interacts with · since when.
#[derive(Clone, Debug, Default, clap::Args)]
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

    /// A file with certificates (PEM) of authorities that servers with rediss:// addresses may be certified by, besides those
    /// that the system trusts.
    ///
    /// Default none · read at start · SSL_CERT_FILE, which replaces the system's · since 0.1.
    #[arg(long, value_name = "FILE")]
    pub redis_ca: Option<PathBuf>,
}

/// Where the messages of an entry come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// The channel of this name.
    Channel(&'a str),
    /// The channels that this pattern matches.
    Pattern(&'a str),
}

impl Mode<'_> {
    /// The key that says it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Channel(_) => "channel",
            Self::Pattern(_) => "pattern",
        }
    }

    /// What the key says.
    pub fn template(&self) -> &str {
        match self {
            Self::Channel(text) | Self::Pattern(text) => text,
        }
    }
}

impl RedisTriggerConfig {
    /// Where the messages of this entry, whose id is `id`, come from.
    ///
    /// # Errors
    /// Names the component and the keys that don't go together.
    pub fn mode(&self, id: &str) -> Result<Mode<'_>, Error> {
        let given: Vec<Mode<'_>> =
            [self.channel.as_deref().map(Mode::Channel), self.pattern.as_deref().map(Mode::Pattern)]
                .into_iter()
                .flatten()
                .collect();
        let mode = match given.as_slice() {
            [mode] => *mode,
            [] => return Err(self.wrong(id, "it has no source of messages: write `channel` or `pattern`")),
            [first, second, ..] => {
                let (first, second) = (first.key(), second.key());
                let why = format!("`{first}` and `{second}` exclude each other: write an entry for each");
                return Err(self.wrong(id, &why));
            }
        };
        if mode.template().is_empty() {
            return Err(self.empty(id, mode.key()));
        }
        Ok(mode)
    }

    /// The error for a key that has nothing in it.
    pub fn empty(&self, id: &str, key: &str) -> Error {
        self.wrong(id, &format!("`{key}` is empty: write the name of what messages come from"))
    }

    /// An error of this entry.
    pub fn wrong(&self, id: &str, why: &str) -> Error {
        Error::new("redis::config", format!("trigger \"{id}\" of component \"{}\": {why}", self.component))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn entry(json: &str) -> RedisTriggerConfig {
        serde_json::from_str(json).unwrap()
    }

    fn refused(json: &str) -> String {
        entry(json).mode("t").unwrap_err().to_string()
    }

    #[test]
    fn an_entry_has_one_source() {
        assert_eq!(entry(r#"{"component":"a","channel":"c*"}"#).mode("t").unwrap(), Mode::Channel("c*"));
        assert_eq!(entry(r#"{"component":"a","pattern":"c*"}"#).mode("t").unwrap(), Mode::Pattern("c*"));
        let message = refused(r#"{"component":"a"}"#);
        assert!(message.starts_with("trigger \"t\" of component \"a\": it has no source"), "{message}");
        let message = refused(r#"{"component":"a","channel":"x","pattern":"y"}"#);
        assert!(message.contains("component \"a\": `channel` and `pattern` exclude each other"), "{message}");
        assert!(refused(r#"{"component":"a","pattern":""}"#).contains("`pattern` is empty"));
    }

    #[test]
    fn unknown_keys_and_values_are_refused() {
        let refused = |json: &str| serde_json::from_str::<RedisTriggerConfig>(json).unwrap_err().to_string();
        let message = refused(r#"{"component":"a","channel":"c","adress":"x"}"#);
        assert!(message.contains("adress") && message.contains("address"), "{message}");
        assert!(refused(r#"{"component":"a","channel":"c","when_full":"drop"}"#).contains("drop-oldest"));
        assert!(refused(r#"{"component":"a","channel":"c","order":"any"}"#).contains("channel"));
        assert!(refused(r#"{"component":"a","channel":"c","queue_bytes":0}"#).contains("nonzero"));
        assert!(serde_json::from_str::<RedisSettings>(r#"{"url":"x"}"#).is_err());
        assert_eq!(serde_json::from_str::<RedisSettings>("{}").unwrap().address, "");
    }
}
