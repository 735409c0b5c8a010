//! What the manifest and the command line say: `[application.trigger.redis]`, the `[[trigger.redis]]` entries and the flags;
//! and what they come to: which address has which channels, and which components each channel has.

use serde::Deserialize;
use spin_trigger_kit::{ComponentId, Error};

use crate::address::{Address, AddressError};

/// `[application.trigger.redis]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// The address of entries that have none of their own. May have templates.
    #[serde(default)]
    pub address: String,
}

/// One `[[trigger.redis]]` entry.
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
    /// The name of the channel, taken literally: not a pattern. May have templates.
    pub channel: String,
    /// The server's address, if it isn't the application's. May have templates.
    pub address: Option<String>,
}

/// The flags of this trigger. Each says: default · cost · what it interacts with · since when.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RedisFlags {
    /// End with an error when a server can't be reached or a connection is lost, instead of trying again.
    ///
    /// Default off · events of every server end with the first connection · whatever starts the app again · since 0.1.
    #[arg(long)]
    pub exit_on_disconnect: bool,
}

/// One server and what is subscribed to there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The server.
    pub address: Address,
    /// The channels, in the order of the manifest, each once.
    pub channels: Vec<Channel>,
}

/// A channel and the components that get its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// The name, as the server knows it.
    pub name: String,
    /// The components, in the order of the manifest; one that is there twice is called twice.
    pub components: Vec<ComponentId>,
}

impl RedisSettings {
    /// What can be known of `entry` before templates have values.
    ///
    /// # Errors
    /// Names the field that can't be right.
    pub fn check(&self, id: &str, entry: &RedisTriggerConfig) -> Result<(), Error> {
        if entry.channel.is_empty() {
            return Err(no_channel(id));
        }
        let (address, place) = self.address_of(id, entry);
        match address.contains("{{") {
            true => Ok(()),
            false => parse(address, &place).map(drop),
        }
    }

    /// The servers and channels of all entries, given as id and configuration. `expand` puts values into a template; the
    /// place that it gets as well is for messages.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub fn sources<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a str, &'a RedisTriggerConfig)>,
        expand: impl Fn(&str, &str) -> Result<String, Error>,
    ) -> Result<Vec<Source>, Error> {
        let mut sources: Vec<Source> = Vec::new();
        for (id, entry) in entries {
            let (address, place) = self.address_of(id, entry);
            let address = parse(&expand(address, &place)?, &place)?;
            let name = expand(&entry.channel, &format!("trigger \"{id}\": channel"))?;
            if name.is_empty() {
                return Err(no_channel(id));
            }
            let source = position_or_push(
                &mut sources,
                |source| source.address == address,
                || Source { address: address.clone(), channels: Vec::new() },
            );
            let channel = position_or_push(
                &mut source.channels,
                |channel| channel.name == name,
                || Channel { name: name.clone(), components: Vec::new() },
            );
            channel.components.push(entry.component.clone());
        }
        Ok(sources)
    }

    /// The text of an entry's address and where it is from.
    fn address_of<'a>(&'a self, id: &str, entry: &'a RedisTriggerConfig) -> (&'a str, String) {
        match &entry.address {
            Some(address) => (address, format!("trigger \"{id}\": address")),
            None if self.address.is_empty() => ("", format!("trigger \"{id}\"")),
            None => (&self.address, "[application.trigger.redis] address".to_owned()),
        }
    }
}

fn parse(address: &str, place: &str) -> Result<Address, Error> {
    address.parse().map_err(|error: AddressError| Error::new("redis::address", format!("{place}: {error}")))
}

fn no_channel(id: &str) -> Error {
    Error::new("redis::config", format!("trigger \"{id}\": `channel` is empty: write the name of a channel"))
}

fn position_or_push<T>(items: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> &mut T {
    let index = items.iter().position(is_it).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    });
    &mut items[index]
}

impl Source {
    /// What a person is told when the channels are subscribed to.
    pub fn listing(&self) -> String {
        let mut text = format!("Active Channels on {}:\n", self.address);
        for Channel { name, components } in &self.channels {
            let ids = components.iter().map(ComponentId::as_str).collect::<Vec<_>>().join(",");
            // A name is free text, and this goes to a terminal.
            text.push_str(&format!("\t{}/{}: [{ids}]\n", self.address, name.escape_debug()));
        }
        text
    }

    /// The names of the channels.
    pub fn channel_names(&self) -> Vec<&str> {
        self.channels.iter().map(|channel| channel.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn entry(component: &str, channel: &str, address: Option<&str>) -> RedisTriggerConfig {
        let component = component.parse().unwrap();
        RedisTriggerConfig { component, channel: channel.to_owned(), address: address.map(str::to_owned) }
    }

    fn settings(address: &str) -> RedisSettings {
        RedisSettings { address: address.to_owned() }
    }

    fn expand(template: &str, _place: &str) -> Result<String, Error> {
        Ok(template.replace("{{ host }}", "localhost").replace("{{ stage }}", "test"))
    }

    #[test]
    fn entries_are_grouped_by_address_and_channel() {
        let entries = [
            entry("one", "orders-{{ stage }}", None),
            entry("two", "orders-test", None),
            entry("three", "orders-test", Some("redis://other:7000")),
            entry("one", "returns", Some("redis://{{ host }}")),
            entry("one", "orders-test", None),
        ];
        let sources = settings("redis://localhost").sources(entries.iter().map(|entry| ("id", entry)), expand).unwrap();
        let listing: String = sources.iter().map(Source::listing).collect();
        assert_eq!(
            listing,
            "Active Channels on redis://localhost:6379:\n\
             \tredis://localhost:6379/orders-test: [one,two,one]\n\
             \tredis://localhost:6379/returns: [one]\n\
             Active Channels on redis://other:7000:\n\
             \tredis://other:7000/orders-test: [three]\n"
        );
    }

    #[test]
    fn without_entries_there_is_nothing_to_connect_to() {
        assert_eq!(settings("").sources([], expand).unwrap(), []);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let table = [
            ("", entry("a", "c", None), "trigger \"t\": no address"),
            ("redis://{{ host }}", entry("a", "", None), "trigger \"t\": `channel` is empty"),
            ("rediss://x", entry("a", "c", None), "[application.trigger.redis] address: rediss:// (TLS) is not"),
            ("redis://x", entry("a", "c", Some("nowhere")), "trigger \"t\": address: not the address"),
            ("redis://x", entry("a", "c", Some("")), "trigger \"t\": address: no address"),
        ];
        for (address, entry, expected) in table {
            let early = settings(address).check("t", &entry).unwrap_err().to_string();
            assert!(early.starts_with(expected), "{early}");
            let late = settings(address).sources([("t", &entry)], expand).unwrap_err().to_string();
            assert_eq!(early, late);
        }
        settings("redis://{{ host }}").check("t", &entry("a", "c", None)).unwrap();
    }

    #[test]
    fn unknown_keys_are_refused() {
        let message = serde_json::from_str::<RedisTriggerConfig>(r#"{"component":"a","channel":"c","adress":"x"}"#)
            .unwrap_err()
            .to_string();
        assert!(message.contains("adress") && message.contains("address"), "{message}");
        assert!(serde_json::from_str::<RedisSettings>(r#"{"url":"x"}"#).is_err());
        assert_eq!(serde_json::from_str::<RedisSettings>("{}").unwrap().address, "");
    }
}
