//! What the entries of an app come to: which server has which channels, lists and streams, and which
//! components get their messages. [`entries`](crate::entries) makes it.

use std::time::Duration;

use spin_trigger_kit::ComponentId;

use crate::address::Address;
use crate::config::{Order, WhenFull};

/// How many bytes of messages wait for their turn unless an entry says otherwise.
pub(crate) const DEFAULT_QUEUE: usize = 16 * 1024 * 1024;

/// One server and what is taken from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The server.
    pub address: Address,
    /// Channels and patterns, in the order of the manifest, each once.
    pub subscriptions: Vec<Subscription>,
    /// Lists, each once.
    pub lists: Vec<ListSource>,
    /// Streams, each once for a group.
    pub streams: Vec<StreamSource>,
}

/// A list and who gets its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSource {
    /// Its key.
    pub name: String,
    /// Who gets them.
    pub recipient: Recipient,
    /// How messages are handed over.
    pub delivery: Delivery,
}

/// A stream and who gets its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSource {
    /// Its key.
    pub name: String,
    /// The consumer group.
    pub group: String,
    /// The field that is the message.
    pub field: String,
    /// Who gets them.
    pub recipient: Recipient,
    /// How messages are handed over.
    pub delivery: Delivery,
}

/// A component that gets messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The component.
    pub component: ComponentId,
    /// How long it may take for a message, if the entry says so.
    pub timeout: Option<Duration>,
}

/// How messages are handed over that the server keeps until they are handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How often one may fail.
    pub attempts: u32,
    /// Where it goes then.
    pub dead_letter: String,
    /// After which time messages of the dead are taken over.
    pub claim_after: Duration,
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
    pub recipient: Recipient,
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

/// Whether the reader of a connection waits when there is no room for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It may.
    Waits,
    /// It never does: messages are dropped.
    Drops,
}

impl Patience {
    fn of(when_full: WhenFull) -> Self {
        match when_full {
            WhenFull::Block => Self::Waits,
            WhenFull::DropOldest | WhenFull::DropNewest => Self::Drops,
        }
    }
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

impl Source {
    /// The subscriptions by what happens when there is no room, each with the components that want it so. They need connections
    /// of their own.
    pub fn by_patience(&self) -> impl Iterator<Item = (Patience, Vec<Subscription>)> + '_ {
        [Patience::Waits, Patience::Drops].into_iter().filter_map(|patience| {
            let is_of_these = |consumer: &&Consumer| Patience::of(consumer.queue.when_full) == patience;
            let of_these = |subscription: &Subscription| Subscription {
                topic: subscription.topic.clone(),
                consumers: subscription.consumers.iter().filter(is_of_these).cloned().collect(),
            };
            let mut subscriptions: Vec<_> = self.subscriptions.iter().map(of_these).collect();
            subscriptions.retain(|subscription| !subscription.consumers.is_empty());
            (!subscriptions.is_empty()).then_some((patience, subscriptions))
        })
    }

    /// What a person is told when everything is subscribed to.
    pub fn listing(&self) -> String {
        let mut text = String::new();
        let lines = self.subscriptions.iter().map(|subscription| {
            let ids: Vec<&str> =
                subscription.consumers.iter().map(|consumer| consumer.recipient.component.as_str()).collect();
            (subscription.topic.name().to_owned(), ids.join(","))
        });
        self.list(&mut text, "Active Channels", lines);
        let lines = self.lists.iter().map(|list| (list.name.clone(), list.recipient.component.to_string()));
        self.list(&mut text, "Active Lists", lines);
        let of_group = |stream: &StreamSource| format!("{} ({})", stream.name, stream.group);
        let lines = self.streams.iter().map(|stream| (of_group(stream), stream.recipient.component.to_string()));
        self.list(&mut text, "Active Streams", lines);
        text
    }

    fn list(&self, text: &mut String, title: &str, lines: impl Iterator<Item = (String, String)>) {
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
