//! Publishing to MQTT brokers that components name, in the two interfaces that SDKs have used for it.
//!
//! An address passes the component's gate when a connection is opened, and the connection is made through the egress when
//! something is published first, as SDKs expect. It is the guest's own: a broker knows its clients by name.

mod connection;
mod generation2;
mod generation3;

use std::sync::Arc;

use rumqttc::mqttbytes::{QoS, valid_topic};
use url::Url;
use wasmtime::component::{HasData, Linker, Resource};

use crate::host::connections::{self, LONGEST_ADDRESS, MOST_OPEN, OpenPlace, TooMany};
use crate::host::egress::{Egress, Gate};
use crate::host::http::tls::Tls;
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;
use connection::{Client, Session};

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["wit/fermyon-spin-2.0.0", "wit/spin-mqtt-3.0.0"],
        inline: "
            package host:mqtt;
            world imports {
                import fermyon:spin/mqtt@2.0.0;
                import spin:mqtt/mqtt@3.0.0;
            }
        ",
        world: "host:mqtt/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/mqtt@2.0.0.connection": super::OpenConnection,
            "spin:mqtt/mqtt@3.0.0.connection": super::OpenConnection,
        },
    });
}

/// The port of a broker that names none, with TLS; without, [`spin_app_model::hosts::usual_port`] knows it.
const TLS_PORT: u16 = 8883;

/// The longest text of the protocol, in bytes. The encoder would write a part of the length of a longer one, and what is left
/// of the text would be read as something else.
const LONGEST_TEXT: usize = 65_535;

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("the address can't be read")]
    InvalidAddress,
    #[error("there are {MOST_OPEN} connections already")]
    TooManyConnections,
    #[error("{0}")]
    ConnectionFailed(String),
    #[error("{0}")]
    Other(String),
}

/// What connections are made with.
pub(crate) struct Network {
    egress: Arc<Egress>,
    tls: Tls,
    /// Bytes.
    max_payload: Option<usize>,
}

/// What can be chosen about MQTT.
#[derive(Clone, Debug, Default)]
pub struct MqttOptions {
    /// How many connections all components have open at once; whoever wants one more waits. Default: no limit but that of
    /// [`EgressOptions`](crate::EgressOptions).
    pub max_connections: Option<usize>,
    /// The most bytes of a message. Default: no limit but that of the protocol.
    pub max_payload: Option<usize>,
}

/// What one component may reach, and through what.
pub(crate) struct ComponentMqtt {
    gate: Arc<Gate>,
    network: Arc<Network>,
}

impl From<TooMany> for Error {
    fn from(_: TooMany) -> Self {
        Self::TooManyConnections
    }
}

impl ComponentMqtt {
    /// The broker at `address`, if the component may reach it.
    fn client(&self, address: &str, username: String, password: String, keep_alive: u64) -> Result<Client, Error> {
        if address.len() > LONGEST_ADDRESS {
            return Err(Error::InvalidAddress);
        }
        if [&username, &password].iter().any(|text| text.len() > LONGEST_TEXT) {
            return Err(Error::Other(format!("user name and password have at most {LONGEST_TEXT} bytes")));
        }
        let text = if address.contains("://") { address.to_owned() } else { format!("mqtt://{address}") };
        let mut url = Url::parse(&text).map_err(|_| Error::InvalidAddress)?;
        if !matches!(url.scheme(), "mqtt" | "mqtts") || url.host_str().is_none_or(str::is_empty) {
            return Err(Error::InvalidAddress);
        }
        if url.scheme() == "mqtts" && url.port().is_none() {
            url.set_port(Some(TLS_PORT)).map_err(|()| Error::InvalidAddress)?;
        }
        let refused = || Error::ConnectionFailed(format!("address {address} is not permitted"));
        let destination = self.gate.check(url.as_str(), "mqtt").map_err(|_| refused())?;
        if destination.is_own() {
            return Err(refused());
        }
        let name = url.query_pairs().find(|(key, _)| key == "client_id").map(|(_, name)| name.into_owned());
        Ok(Client {
            network: Arc::clone(&self.network),
            destination,
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(connection::new_name),
            credentials: (!username.is_empty()).then_some((username, password)),
            // What doesn't fit into the protocol is as long as it can say.
            keep_alive: u16::try_from(keep_alive).unwrap_or(u16::MAX),
        })
    }
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct OpenConnection(Arc<Opened>);

struct Opened {
    client: Client,
    /// Taken out while something is published: of one that was given up in the middle nothing is known any more.
    session: tokio::sync::Mutex<Option<Session>>,
    _place: OpenPlace,
}

impl OpenConnection {
    /// Publishes a message, and waits for what `qos` promises.
    async fn publish(&self, topic: &str, payload: Vec<u8>, qos: QoS) -> Result<(), Error> {
        if topic.len() > LONGEST_TEXT {
            return Err(Error::Other(format!("a topic has at most {LONGEST_TEXT} bytes")));
        }
        if let Some(most) = self.0.client.network.max_payload.filter(|most| payload.len() > *most) {
            return Err(Error::Other(format!("a message has at most {most} bytes here")));
        }
        if topic.is_empty() || topic.contains('\0') || !valid_topic(topic) {
            return Err(Error::Other(format!("{topic:?} is no topic to publish to")));
        }
        let mut kept = self.0.session.lock().await;
        let alive = kept.take().and_then(|mut session| session.is_alive().then_some(session));
        let mut session = match alive {
            Some(session) => session,
            None => self.0.client.connect().await?,
        };
        session.publish(topic, payload, qos).await?;
        *kept = Some(session);
        Ok(())
    }
}

/// What the interfaces work on.
type View<'a> = connections::View<'a, ComponentMqtt>;

impl View<'_> {
    fn open(
        &mut self,
        address: &str,
        username: String,
        password: String,
        keep_alive: u64,
    ) -> Result<Resource<OpenConnection>, Error> {
        let (component, place) = self.reserve()?;
        let client = component.client(address, username, password, keep_alive)?;
        let opened = Opened { client, session: tokio::sync::Mutex::default(), _place: place };
        Ok(self.keep(OpenConnection(Arc::new(opened)))?)
    }
}

/// What both generations have under the same names.
macro_rules! same_cases {
    ($($generation:tt)*) => {
        impl From<super::Error> for $($generation)*::Error {
            fn from(error: super::Error) -> Self {
                match error {
                    super::Error::InvalidAddress => Self::InvalidAddress,
                    super::Error::TooManyConnections => Self::TooManyConnections,
                    super::Error::ConnectionFailed(reason) => Self::ConnectionFailed(reason),
                    super::Error::Other(reason) => Self::Other(reason),
                }
            }
        }

        impl From<$($generation)*::Qos> for rumqttc::mqttbytes::QoS {
            fn from(qos: $($generation)*::Qos) -> Self {
                match qos {
                    $($generation)*::Qos::AtMostOnce => Self::AtMostOnce,
                    $($generation)*::Qos::AtLeastOnce => Self::AtLeastOnce,
                    $($generation)*::Qos::ExactlyOnce => Self::ExactlyOnce,
                }
            }
        }
    };
}
use same_cases;

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { component: &state.component.mqtt, opened: &mut state.instance.mqtt, table: &mut state.table }
}

/// The capability.
pub(crate) struct Mqtt;

impl Capability for Mqtt {
    type Options = MqttOptions;
    type App = Network;
    type Component = Arc<ComponentMqtt>;
    type Instance = connections::Opened;

    fn app(options: &MqttOptions, egress: &Arc<Egress>) -> Network {
        let MqttOptions { max_connections, max_payload } = *options;
        Network { egress: egress.limited(max_connections), tls: Tls::new(&[]), max_payload }
    }

    fn component(app: &Arc<Network>, of: &ComponentContext<'_>) -> Arc<ComponentMqtt> {
        Arc::new(ComponentMqtt { gate: Arc::clone(of.gate), network: Arc::clone(app) })
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::mqtt::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::spin::mqtt::mqtt::add_to_linker::<_, Host>(linker, view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::egress::tests::{Rebinding, gate};

    fn component(egress: &Arc<Egress>) -> ComponentMqtt {
        let network = Arc::new(Network { egress: Arc::clone(egress), tls: Tls::new(&[]), max_payload: None });
        ComponentMqtt { gate: Arc::new(gate(r#"["*://*:*"]"#)), network }
    }

    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_looked_at() {
        let rebinding = Rebinding::new().await;
        let address = format!("mqtt://{}", rebinding.host());
        let client =
            component(&rebinding.egress).client(&address, String::new(), String::new(), 0).expect("let through");
        rebinding.check(async || client.connect().await.map(drop).map_err(|error| error.to_string())).await;
    }

    #[tokio::test]
    async fn what_does_not_fit_into_the_protocol_is_refused() {
        let component = component(&Rebinding::new().await.egress);
        let long = "x".repeat(LONGEST_TEXT + 1);
        for (user, password) in [(&long[..], ""), ("", &long[..])] {
            let refused = component.client("mqtt://broker.test", user.to_owned(), password.to_owned(), 0).err();
            assert!(matches!(refused, Some(Error::Other(_))), "{refused:?}");
        }
        assert!(component.client("mqtt://broker.test", long[1..].to_owned(), String::new(), 0).is_ok());
    }
}
