//! What the entries of an app come to: which server has which channels, and which components get their messages.

use spin_trigger_kit::{ComponentId, Error};

use crate::address::{Address, AddressError};
use crate::config::{Mode, Order, RedisSettings, RedisTriggerConfig, WhenFull};

/// How many bytes of messages wait for their turn unless an entry says otherwise.
const DEFAULT_QUEUE: usize = 16 * 1024 * 1024;

/// One server and what is taken from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The server.
    pub address: Address,
    /// Channels and patterns, in the order of the manifest, each once.
    pub subscriptions: Vec<Subscription>,
}

/// A channel or a pattern, and the components that get its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The name, as the server knows it.
    pub topic: Topic,
    /// The components, in the order of the manifest; one that is there twice is called twice.
    pub consumers: Vec<Consumer>,
}

/// What can be subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The channel of this name.
    Channel(String),
    /// The channels that match this.
    Pattern(String),
}

/// A component that gets the messages of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// The component.
    pub component: ComponentId,
    /// How messages wait for it.
    pub queue: QueueOptions,
}

/// How messages wait for a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// One after another, or several at once.
    pub order: Option<Order>,
    /// What happens if there is no room.
    pub when_full: WhenFull,
    /// How many bytes there is room for.
    pub bytes: usize,
}

impl Topic {
    /// The name or the pattern.
    pub fn name(&self) -> &str {
        match self {
            Self::Channel(name) | Self::Pattern(name) => name,
        }
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { order: None, when_full: WhenFull::default(), bytes: DEFAULT_QUEUE }
    }
}

impl RedisSettings {
    /// What can be known of `entry` before templates have values.
    ///
    /// # Errors
    /// Names the field that can't be right.
    pub fn check(&self, id: &str, entry: &RedisTriggerConfig) -> Result<(), Error> {
        entry.mode(id)?;
        let (address, place) = self.address_of(id, entry);
        match address.contains("{{") {
            true => Ok(()),
            false => parse(address, &place).map(drop),
        }
    }

    /// What is taken from where for all entries, given as id and configuration. `expand` puts values into a template; the
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
            let mode = entry.mode(id)?;
            let (address, place) = self.address_of(id, entry);
            let address = parse(&expand(address, &place)?, &place)?;
            let name = expand(mode.template(), &format!("trigger \"{id}\": {}", mode.key()))?;
            if name.is_empty() {
                return Err(entry.empty(id, mode.key()));
            }
            let source = position_or_push(
                &mut sources,
                |source| source.address == address,
                || Source { address: address.clone(), subscriptions: Vec::new() },
            );
            match mode {
                Mode::Channel(_) => source.subscribe(Topic::Channel(name), entry),
                Mode::Pattern(_) => source.subscribe(Topic::Pattern(name), entry),
            }
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

fn position_or_push<T>(items: &mut Vec<T>, is_it: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> &mut T {
    let index = items.iter().position(is_it).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    });
    &mut items[index]
}

impl Source {
    fn subscribe(&mut self, topic: Topic, entry: &RedisTriggerConfig) {
        let subscription = position_or_push(
            &mut self.subscriptions,
            |subscription| subscription.topic == topic,
            || Subscription { topic: topic.clone(), consumers: Vec::new() },
        );
        let queue = QueueOptions {
            order: entry.order,
            when_full: entry.when_full.unwrap_or_default(),
            bytes: entry.queue_bytes.map_or(DEFAULT_QUEUE, usize::from),
        };
        subscription.consumers.push(Consumer { component: entry.component.clone(), queue });
    }

    /// The subscriptions by what happens when there is no room, each with the components that want it so: those whose reader
    /// may wait, and those whose reader never does. They need connections of their own.
    pub fn by_patience(&self) -> impl Iterator<Item = Vec<Subscription>> + '_ {
        [true, false].into_iter().filter_map(|waits| {
            let is_of_these = |consumer: &&Consumer| (consumer.queue.when_full == WhenFull::Block) == waits;
            let of_these = |subscription: &Subscription| Subscription {
                topic: subscription.topic.clone(),
                consumers: subscription.consumers.iter().filter(is_of_these).cloned().collect(),
            };
            let mut subscriptions: Vec<_> = self.subscriptions.iter().map(of_these).collect();
            subscriptions.retain(|subscription| !subscription.consumers.is_empty());
            (!subscriptions.is_empty()).then_some(subscriptions)
        })
    }

    /// What a person is told when everything is subscribed to.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        let lines = self.subscriptions.iter().map(|subscription| {
            let ids: Vec<&str> = subscription.consumers.iter().map(|consumer| consumer.component.as_str()).collect();
            (subscription.topic.name(), ids.join(","))
        });
        self.list(&mut text, "Active Channels", lines);
        text
    }

    fn list<'a>(&self, text: &mut String, title: &str, lines: impl Iterator<Item = (&'a str, String)>) {
        let mut lines = lines.peekable();
        if lines.peek().is_some() {
            text.push_str(&format!("{title} on {}:\n", self.address));
        }
        for (name, ids) in lines {
            // A name is free text, and this goes to a terminal.
            text.push_str(&format!("\t{}/{}: [{ids}]\n", self.address, name.escape_debug()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn entry(component: &str, keys: &str) -> RedisTriggerConfig {
        serde_json::from_str(&format!(r#"{{"component":"{component}",{keys}}}"#)).unwrap()
    }

    fn settings(address: &str) -> RedisSettings {
        RedisSettings { address: address.to_owned() }
    }

    fn expand(template: &str, _place: &str) -> Result<String, Error> {
        Ok(template.replace("{{ host }}", "localhost").replace("{{ stage }}", "test"))
    }

    fn sources(entries: &[RedisTriggerConfig]) -> Result<Vec<Source>, Error> {
        settings("redis://localhost").sources(entries.iter().map(|entry| ("id", entry)), expand)
    }

    #[test]
    fn entries_are_grouped_by_address_and_channel() {
        let entries = [
            entry("one", r#""channel":"orders-{{ stage }}""#),
            entry("two", r#""channel":"orders-test""#),
            entry("three", r#""channel":"orders-test","address":"redis://other:7000""#),
            entry("one", r#""channel":"returns","address":"redis://{{ host }}""#),
            entry("one", r#""channel":"orders-test""#),
            entry("four", r#""pattern":"orders-{{ stage }}""#),
        ];
        let listing: String = sources(&entries).unwrap().iter().map(Source::listing).collect();
        assert_eq!(
            listing,
            "Active Channels on redis://localhost:6379:\n\
             \tredis://localhost:6379/orders-test: [one,two,one]\n\
             \tredis://localhost:6379/returns: [one]\n\
             \tredis://localhost:6379/orders-test: [four]\n\
             Active Channels on redis://other:7000:\n\
             \tredis://other:7000/orders-test: [three]\n"
        );
    }

    #[test]
    fn who_waits_and_who_drops_have_connections_of_their_own() {
        let entries = [
            entry("one", r#""channel":"c""#),
            entry("two", r#""channel":"c","when_full":"drop-oldest""#),
            entry("three", r#""pattern":"*","when_full":"drop-newest","queue_bytes":7"#),
        ];
        let sources = sources(&entries).unwrap();
        let all: Vec<Vec<(String, Vec<String>)>> = sources[0]
            .by_patience()
            .map(|subscriptions| {
                let names = |one: &Subscription| one.consumers.iter().map(|one| one.component.to_string()).collect();
                subscriptions.iter().map(|one| (one.topic.name().to_owned(), names(one))).collect()
            })
            .collect();
        let pair = |name: &str, id: &str| (name.to_owned(), vec![id.to_owned()]);
        assert_eq!(all, [vec![pair("c", "one")], vec![pair("c", "two"), pair("*", "three")]]);
        assert_eq!(sources[0].subscriptions[1].consumers[0].queue.bytes, 7);
    }

    #[test]
    fn without_entries_there_is_nothing_to_connect_to() {
        assert_eq!(sources(&[]).unwrap(), []);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let table = [
            ("", entry("a", r#""channel":"c""#), "trigger \"t\": no address"),
            (
                "redis://{{ host }}",
                entry("a", r#""channel":"""#),
                "trigger \"t\" of component \"a\": `channel` is empty",
            ),
            ("rediss://x/#insecure", entry("a", r#""channel":"c""#), "[application.trigger.redis] address: #insecure"),
            (
                "redis://x",
                entry("a", r#""channel":"c","address":"nowhere""#),
                "trigger \"t\": address: not the address",
            ),
            ("redis://x", entry("a", r#""channel":"c","address":"""#), "trigger \"t\": address: no address"),
        ];
        for (address, entry, expected) in table {
            let early = settings(address).check("t", &entry).unwrap_err().to_string();
            assert!(early.starts_with(expected), "{early}");
            let late = settings(address).sources([("t", &entry)], expand).unwrap_err().to_string();
            assert_eq!(early, late);
        }
        settings("redis://{{ host }}").check("t", &entry("a", r#""channel":"c""#)).unwrap();
    }
}
