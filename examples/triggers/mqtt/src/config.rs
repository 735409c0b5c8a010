//! What the manifest says: where the broker is, and which component gets the messages of which topics.

use std::time::Duration;

use rumqttc::QoS;
use spin_trigger_kit::serde::Deserialize;
use spin_trigger_kit::{App, ComponentId, Error, clap};

/// The port of MQTT without TLS.
const PORT: u16 = 1883;

/// `[application.trigger.mqtt]`. The first three are templates.
#[derive(Clone, Deserialize)]
#[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
pub(crate) struct Settings {
    address: String,
    username: String,
    password: String,
    keep_alive_interval: String,
}

/// A `[[trigger.mqtt]]` entry.
#[derive(Clone, Deserialize)]
#[serde(crate = "spin_trigger_kit::serde", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) component: ComponentId,
    /// A template of a topic, which may hold `+` and `#`.
    pub(crate) topic: String,
    qos: String,
}

/// The flags of this trigger.
#[derive(Clone, clap::Args)]
pub(crate) struct MqttFlags {
    /// Call every component once with a message of the test's own, without a broker, and end; a reload before the end calls
    /// the new ones too
    #[arg(long)]
    pub(crate) test: bool,
}

/// The broker, with all templates filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User and password, if a user is named.
    pub(crate) credentials: Option<(String, String)>,
    pub(crate) keep_alive: Duration,
}

impl Settings {
    /// # Errors
    /// For a template that can't be filled in, an address that is none and an interval that is no number.
    pub(crate) fn broker(&self, app: &App) -> Result<Broker, Error> {
        let place = |key: &str| format!("{key} in [application.trigger.mqtt]");
        let expand = |template: &str, key: &str| app.expand(template, &place(key));
        let address = expand(&self.address, "address")?;
        let (host, port) = host_and_port(&address)
            .map_err(|problem| Error::new("mqtt::address", format!("{} {address:?} {problem}", place("address"))))?;
        let user = expand(&self.username, "username")?;
        let password = expand(&self.password, "password")?;
        let seconds: u16 = self.keep_alive_interval.parse().map_err(|_| {
            let place = place("keep_alive_interval");
            Error::new("mqtt::config", format!("{place} {:?} is not a number of seconds", self.keep_alive_interval))
        })?;
        let keep_alive = Duration::from_secs(u64::from(seconds));
        let credentials = (!user.is_empty()).then_some((user, password));
        Ok(Broker { host, port, credentials, keep_alive })
    }
}

impl Entry {
    /// # Errors
    /// For anything but 0, 1 and 2.
    pub(crate) fn qos(&self) -> Result<QoS, String> {
        match self.qos.as_str() {
            "0" => Ok(QoS::AtMostOnce),
            "1" => Ok(QoS::AtLeastOnce),
            "2" => Ok(QoS::ExactlyOnce),
            other => Err(format!("qos {other:?} is not \"0\", \"1\" or \"2\"")),
        }
    }
}

fn host_and_port(address: &str) -> Result<(String, u16), &'static str> {
    let authority = match address.split_once("://") {
        Some(("mqtt" | "tcp", authority)) => authority,
        Some(_) => return Err("has a scheme that this trigger doesn't know; write mqtt://HOST:PORT"),
        None => address,
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    // A colon within brackets is one of an IPv6 address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| "has a port that is no number")?),
        _ => (authority, PORT),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err("names no host; write mqtt://HOST:PORT, and user and password in keys of their own");
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_broker_is() {
        let found = |address| host_and_port(address).expect("an address");
        assert_eq!(found("mqtt://localhost:1884"), ("localhost".to_owned(), 1884));
        assert_eq!(found("broker/"), ("broker".to_owned(), 1883));
        assert_eq!(found("mqtt://[::1]"), ("::1".to_owned(), 1883));
        assert_eq!(found("mqtt://[::1]:1"), ("::1".to_owned(), 1));
        for wrong in ["mqtts://host", "mqtt://", "mqtt://host:x", "mqtt://user@host", ""] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }
}
