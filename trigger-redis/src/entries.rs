//! From the entries of an app to a plan: templates, defaults, and what doesn't go together.

use spin_trigger_kit::Error;

use crate::address::{Address, AddressError};
use crate::config::{Mode, RedisSettings, RedisTriggerConfig};
use crate::plan::{
    Consumer, DEFAULT_QUEUE, Delivery, ListSource, QueueOptions, Recipient, Source, StreamSource, Subscription, Topic,
};

/// The field of a stream's entries that is the message unless an entry says otherwise.
const DEFAULT_FIELD: &str = "payload";

/// How often a message may fail unless an entry says otherwise.
const DEFAULT_ATTEMPTS: u32 = 5;

impl RedisSettings {
    /// What can be known of `entry` before templates have values.
    ///
    /// # Errors
    /// Names the field that can't be right.
    pub fn check(&self, id: &str, entry: &RedisTriggerConfig) -> Result<(), Error> {
        entry.mode(id)?;
        entry.claim_after(id)?;
        entry.message_timeout(id)?;
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
            let source =
                position_or_push(&mut sources, |source| source.address == address, || Source::new(address.clone()));
            let recipient = Recipient { component: entry.component.clone(), timeout: entry.message_timeout(id)? };
            match mode {
                Mode::Channel(_) => source.subscribe(Topic::Channel(name), recipient, entry),
                Mode::Pattern(_) => source.subscribe(Topic::Pattern(name), recipient, entry),
                Mode::List(_) => {
                    let delivery = delivery(id, entry, &name, &expand)?;
                    source.take_list(id, ListSource { name, recipient, delivery }, entry)?;
                }
                Mode::Stream(_) => {
                    let group = expand(entry.group.as_deref().unwrap_or(""), &format!("trigger \"{id}\": group"))?;
                    if group.is_empty() {
                        return Err(entry.empty(id, "group"));
                    }
                    let delivery = delivery(id, entry, &name, &expand)?;
                    let field = entry.field.clone().unwrap_or_else(|| DEFAULT_FIELD.to_owned());
                    source.take_stream(id, StreamSource { name, group, field, recipient, delivery }, entry)?;
                }
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

/// How the messages of a list or a stream called `name` are handed over.
fn delivery(
    id: &str,
    entry: &RedisTriggerConfig,
    name: &str,
    expand: &impl Fn(&str, &str) -> Result<String, Error>,
) -> Result<Delivery, Error> {
    let dead_letter = match &entry.dead_letter {
        Some(template) => expand(template, &format!("trigger \"{id}\": dead_letter"))?,
        None => format!("{name}:dead"),
    };
    if dead_letter.is_empty() {
        return Err(entry.empty(id, "dead_letter"));
    }
    if dead_letter == name {
        return Err(entry.wrong(id, "`dead_letter` is what messages come from: they would come again for ever"));
    }
    let attempts = entry.attempts.map_or(DEFAULT_ATTEMPTS, u32::from);
    Ok(Delivery { attempts, dead_letter, claim_after: entry.claim_after(id)? })
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
    fn new(address: Address) -> Self {
        Self { address, subscriptions: Vec::new(), lists: Vec::new(), streams: Vec::new() }
    }

    fn take_list(&mut self, id: &str, list: ListSource, entry: &RedisTriggerConfig) -> Result<(), Error> {
        if self.lists.iter().any(|other| other.name == list.name) {
            let why =
                format!("another entry takes messages from the list \"{}\", and each goes to one only", list.name);
            return Err(entry.wrong(id, &why));
        }
        self.lists.push(list);
        Ok(())
    }

    fn take_stream(&mut self, id: &str, stream: StreamSource, entry: &RedisTriggerConfig) -> Result<(), Error> {
        if self.streams.iter().any(|other| other.name == stream.name && other.group == stream.group) {
            let why = format!(
                "another entry reads the stream \"{}\" in the group \"{}\", and each message of it goes to one only: \
                 write another group",
                stream.name, stream.group
            );
            return Err(entry.wrong(id, &why));
        }
        self.streams.push(stream);
        Ok(())
    }

    fn subscribe(&mut self, topic: Topic, recipient: Recipient, entry: &RedisTriggerConfig) {
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
        subscription.consumers.push(Consumer { recipient, queue });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

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
    fn lists_and_streams_have_one_component_each() {
        let entries = [
            entry("one", r#""list":"jobs-{{ stage }}""#),
            entry("two", r#""stream":"events","group":"{{ stage }}","attempts":2,"dead_letter":"bad-{{ stage }}""#),
            entry("one", r#""stream":"events","group":"other","field":"f","claim_after":"7""#),
        ];
        let sources = self::sources(&entries).unwrap();
        assert_eq!(
            sources[0].listing(),
            "Active Lists on redis://localhost:6379:\n\
             \tredis://localhost:6379/jobs-test: [one]\n\
             Active Streams on redis://localhost:6379:\n\
             \tredis://localhost:6379/events (test): [two]\n\
             \tredis://localhost:6379/events (other): [one]\n"
        );
        let delivery = |attempts, dead_letter: &str, seconds| Delivery {
            attempts,
            dead_letter: dead_letter.to_owned(),
            claim_after: Duration::from_secs(seconds),
        };
        assert_eq!(sources[0].lists[0].delivery, delivery(5, "jobs-test:dead", 60));
        assert_eq!(sources[0].streams[0].delivery, delivery(2, "bad-test", 60));
        assert_eq!(sources[0].streams[1].delivery, delivery(5, "events:dead", 7));
        assert_eq!((&*sources[0].streams[0].field, &*sources[0].streams[1].field), ("payload", "f"));
        for (keys, expected) in [
            (r#""list":"jobs-test""#, "another entry takes messages from the list \"jobs-test\""),
            (r#""stream":"events","group":"test""#, "in the group \"test\""),
            (r#""list":"x","dead_letter":"x""#, "`dead_letter` is what messages come from"),
        ] {
            let entries = [&entries[..], &[entry("three", keys)]].concat();
            let message = self::sources(&entries).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("component \"three\""), "{message}");
        }
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
            .map(|(_, subscriptions)| {
                let names =
                    |one: &Subscription| one.consumers.iter().map(|one| one.recipient.component.to_string()).collect();
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
