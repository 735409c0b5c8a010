//! What the manifest says: `[application.trigger.redis]`, the `[[trigger.redis]]` entries.
//!
//! What they come to is for [`entries`](crate::entries).

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use spin_trigger_kit::{ComponentId, Error, durations};

use crate::flags::positive_duration;

/// After which time somebody is taken for dead unless an entry says otherwise.
const DEFAULT_CLAIM_AFTER: Duration = Duration::from_secs(60);

/// `[application.trigger.redis]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// The address of entries that have none of their own. May have templates.
    #[serde(default)]
    pub address: String,
}

/// One `[[trigger.redis]]` entry: where its messages come from is one of `channel`, `pattern`, `list` and `stream`.
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
    /// The key of a list, from whose right end messages are taken. May have templates.
    pub list: Option<String>,
    /// The key of a stream, whose entries are messages. May have templates.
    pub stream: Option<String>,
    /// Of a stream: the consumer group, which is made if there is none. May have templates.
    pub group: Option<String>,
    /// Of a stream: the field of its entries that is the message. Default `payload`.
    pub field: Option<String>,
    /// Of a list or a stream: how often a message may fail. Default 5.
    pub attempts: Option<NonZeroU32>,
    /// Of a list or a stream: where messages go that failed as often as they may, which is a list or a stream too. Default: its
    /// name with `:dead`. May have templates.
    pub dead_letter: Option<String>,
    /// Of a list or a stream: after which time the messages of somebody who isn't heard of are taken over, for example `90s`.
    /// Default `60s`.
    pub claim_after: Option<String>,
    /// How long the component may take for a message, for example `30s`. Default: that of the flag `--message-timeout`.
    pub message_timeout: Option<String>,
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

/// Where the messages of an entry come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode<'a> {
    /// The channel of this name.
    Channel(&'a str),
    /// The channels that this pattern matches.
    Pattern(&'a str),
    /// The list of this key.
    List(&'a str),
    /// The stream of this key.
    Stream(&'a str),
}

impl Mode<'_> {
    /// The key that says it.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Channel(_) => "channel",
            Self::Pattern(_) => "pattern",
            Self::List(_) => "list",
            Self::Stream(_) => "stream",
        }
    }

    /// What the key says.
    pub fn template(&self) -> &str {
        match self {
            Self::Channel(text) | Self::Pattern(text) | Self::List(text) | Self::Stream(text) => text,
        }
    }
}

impl RedisTriggerConfig {
    /// Where the messages of this entry, whose id is `id`, come from.
    ///
    /// # Errors
    /// Names the component and the keys that don't go together.
    pub fn mode(&self, id: &str) -> Result<Mode<'_>, Error> {
        let given: Vec<Mode<'_>> = [
            self.channel.as_deref().map(Mode::Channel),
            self.pattern.as_deref().map(Mode::Pattern),
            self.list.as_deref().map(Mode::List),
            self.stream.as_deref().map(Mode::Stream),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mode = match given.as_slice() {
            [mode] => *mode,
            [] => {
                return Err(
                    self.wrong(id, "it has no source of messages: write `channel`, `pattern`, `list` or `stream`")
                );
            }
            [first, second, ..] => {
                let (first, second) = (first.key(), second.key());
                let why = format!("`{first}` and `{second}` exclude each other: write an entry for each");
                return Err(self.wrong(id, &why));
            }
        };
        if mode.template().is_empty() {
            return Err(self.empty(id, mode.key()));
        }
        let published: &[&str] = &["channel", "pattern"];
        let kept: &[&str] = &["list", "stream"];
        let keys = [
            ("order", self.order.is_some(), published),
            ("when_full", self.when_full.is_some(), published),
            ("queue_bytes", self.queue_bytes.is_some(), published),
            ("attempts", self.attempts.is_some(), kept),
            ("dead_letter", self.dead_letter.is_some(), kept),
            ("claim_after", self.claim_after.is_some(), kept),
            ("group", self.group.is_some(), &["stream"]),
            ("field", self.field.is_some(), &["stream"]),
        ];
        if let Some((key, _, modes)) =
            keys.into_iter().find(|(_, is_given, modes)| *is_given && !modes.contains(&mode.key()))
        {
            let modes = modes.join("` or `");
            let why = format!("`{key}` goes with `{modes}`, and this entry has `{}`: remove `{key}`", mode.key());
            return Err(self.wrong(id, &why));
        }
        if let (Mode::Stream(_), None) = (mode, &self.group) {
            return Err(self.wrong(id, "`stream` needs `group`: write the name of a consumer group"));
        }
        Ok(mode)
    }

    /// The time after which messages are taken over.
    ///
    /// # Errors
    /// For what is no time, or less than a second.
    pub fn claim_after(&self, id: &str) -> Result<Duration, Error> {
        let Some(text) = &self.claim_after else { return Ok(DEFAULT_CLAIM_AFTER) };
        match durations::parse(text) {
            Ok(time) if time >= Duration::from_secs(1) => Ok(time),
            Ok(_) => {
                Err(self.wrong(id, "`claim_after` is less than a second, which would take messages from the living"))
            }
            Err(error) => Err(self.wrong(id, &format!("`claim_after`: {error}"))),
        }
    }

    /// How long the component may take for a message, if the entry says so.
    ///
    /// # Errors
    /// For what is no time, or none at all.
    pub fn message_timeout(&self, id: &str) -> Result<Option<Duration>, Error> {
        let read = |text: &String| {
            positive_duration(text).map_err(|error| self.wrong(id, &format!("`message_timeout`: {error}")))
        };
        self.message_timeout.as_ref().map(read).transpose()
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
    fn keys_of_other_sources_are_refused() {
        let entry = |keys: &str| entry(&format!(r#"{{"component":"a",{keys}}}"#));
        for keys in [
            r#""channel":"c","order":"channel","when_full":"block","queue_bytes":1"#,
            r#""list":"l","attempts":1,"dead_letter":"d","claim_after":"2s""#,
            r#""stream":"s","group":"g","field":"f","attempts":1,"dead_letter":"d","claim_after":"2s""#,
        ] {
            assert!(entry(keys).mode("t").is_ok(), "{keys}");
        }
        for (keys, expected) in [
            (r#""channel":"c","group":"g""#, "`group` goes with `stream`, and this entry has `channel`"),
            (r#""list":"l","order":"channel""#, "`order` goes with `channel` or `pattern`, and this entry has `list`"),
            (r#""pattern":"l","attempts":2"#, "`attempts` goes with `list` or `stream`, and this entry has `pattern`"),
            (r#""stream":"s""#, "`stream` needs `group`"),
            (r#""list":"l","stream":"s","group":"g""#, "`list` and `stream` exclude each other"),
        ] {
            let message = entry(keys).mode("t").unwrap_err().to_string();
            assert!(
                message.starts_with("trigger \"t\" of component \"a\": ") && message.contains(expected),
                "{message}"
            );
        }
        let claim_after = |text: &str| entry(&format!(r#""list":"l","claim_after":"{text}""#)).claim_after("t");
        assert_eq!(claim_after("90s").unwrap(), Duration::from_secs(90));
        assert!(claim_after("999ms").unwrap_err().to_string().contains("less than a second"));
        let timeout = |text: &str| entry(&format!(r#""list":"l","message_timeout":"{text}""#)).message_timeout("t");
        assert_eq!(timeout("90s").unwrap(), Some(Duration::from_secs(90)));
        assert!(timeout("0").unwrap_err().to_string().contains("`message_timeout`: `0`"));
        assert!(claim_after("soon").unwrap_err().to_string().contains("`claim_after`: `soon`"));
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
