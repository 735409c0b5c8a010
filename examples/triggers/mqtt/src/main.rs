//! The MQTT trigger: gives the messages of topics to components.
//!
//! ```toml
//! [application.trigger.mqtt]
//! address = "mqtt://localhost:1883"
//! username = "{{ user }}"
//! password = "{{ password }}"
//! keep_alive_interval = "30"
//!
//! [[trigger.mqtt]]
//! component = "lights"
//! topic = "home/+/light"
//! qos = "1"
//! ```
//!
//! A reload has a gap: messages that the broker has between the end of the old subscription and the beginning of the new one
//! reach nobody, but for those that it retains.
//!
//! | Module | Responsible for |
//! |---|---|
//! | `config` | what the manifest says |
//! | `guest` | what a component exports, and calling it |
//! | `connection` | the connection to the broker: subscribing, losing it, getting it back |

mod config;
mod connection;
mod guest;

use std::process::ExitCode;
use std::sync::Arc;

use config::{Entry, MqttFlags, Settings};
use connection::{Connection, Subscription};
use guest::Guest;
use spin_trigger_kit::{App, Declared, Endpoint, Error, Stop, Trigger};

/// The MQTT trigger.
struct MqttTrigger {
    flags: MqttFlags,
    settings: Option<Settings>,
    entries: Vec<Entry>,
    source: Source,
}

/// Where messages come from; known once the app is.
enum Source {
    /// No entry wants any.
    Nowhere,
    /// The trigger itself, once for every component.
    Test(Vec<Subscription>),
    Broker {
        address: String,
        connection: Box<Connection>,
    },
}

impl Trigger for MqttTrigger {
    const TYPE: &'static str = "mqtt";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Config = Entry;
    type Settings = Option<Settings>;
    type Flags = MqttFlags;

    fn display_name() -> String {
        "MQTT".to_owned()
    }

    fn new(flags: MqttFlags, declared: Declared<Self>) -> Result<Self, Error> {
        for entry in &declared.entries {
            let named = |problem| Error::new("mqtt::config", format!("trigger \"{}\": {problem}", entry.id));
            entry.config.qos().map_err(named)?;
        }
        let entries = declared.entries.into_iter().map(|entry| entry.config).collect();
        Ok(Self { flags, settings: declared.settings, entries, source: Source::Nowhere })
    }

    async fn prepare(&mut self, app: &App) -> Result<(), Error> {
        let mut subscriptions = Vec::new();
        for entry in &self.entries {
            let guest = Guest::new(app.component(&entry.component)?, app.events(&entry.component))?;
            let topic = app.expand(&entry.topic, &format!("topic of component \"{}\"", entry.component))?;
            if !rumqttc::valid_filter(&topic) {
                let id = &entry.component;
                let message = format!(
                    "topic {topic:?} of component \"{id}\" is no topic filter: + and # stand alone between slashes, and # last"
                );
                return Err(Error::new("mqtt::config", message));
            }
            let qos = entry.qos().map_err(|problem| Error::new("mqtt::config", problem))?;
            subscriptions.push(Subscription { topic, qos, guest: Arc::new(guest) });
        }
        if self.flags.test {
            self.source = Source::Test(subscriptions);
            return Ok(());
        }
        if subscriptions.is_empty() {
            return Ok(());
        }
        let none = || {
            let message = "the manifest has no [application.trigger.mqtt]: address, username, password and \
                           keep_alive_interval say where the broker is";
            Error::new("mqtt::config", message)
        };
        let broker = self.settings.as_ref().ok_or_else(none)?.broker(app)?;
        let address = format!("mqtt://{}:{}", broker.host, broker.port);
        let places = app.instances().all();
        let connection = Box::new(Connection::open(&broker, subscriptions, places).await?);
        self.source = Source::Broker { address, connection };
        Ok(())
    }

    async fn run(self, app: App, stop: Stop) -> Result<(), Error> {
        match self.source {
            Source::Nowhere => {
                app.ready([]);
                stop.requested().await;
            }
            Source::Test(subscriptions) => {
                app.ready([]);
                for Subscription { topic, guest, .. } in subscriptions {
                    guest.handle(topic, b"test message".to_vec()).await;
                }
            }
            Source::Broker { address, connection } => {
                let ready = || app.ready([Endpoint::new("mqtt", address)]);
                return connection.serve(stop, app.readiness(), ready).await;
            }
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    spin_trigger_kit::main::<MqttTrigger>()
}
