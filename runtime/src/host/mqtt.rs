//! Publishing to MQTT brokers that components name, in the two interfaces that SDKs have used for it.
//!
//! An address passes the component's gate when a connection is opened, and the connection is made through the egress when
//! something is published first, as SDKs expect. It is the guest's own: a broker knows its clients by name.

mod connection;
mod generation2;
mod generation3;

use std::sync::Arc;

use rumqttc::mqttbytes::{QoS, valid_topic};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

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

/// Connections that one instance may have open.
const MOST_OPEN: usize = 1024;

/// The port of a broker that names none, with TLS; without, [`spin_app_model::hosts::usual_port`] knows it.
const TLS_PORT: u16 = 8883;

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
}

/// What one component may reach, and through what.
pub(crate) struct ComponentMqtt {
    gate: Arc<Gate>,
    network: Arc<Network>,
}

impl ComponentMqtt {
    /// The broker at `address`, if the component may reach it.
    fn client(&self, address: &str, username: String, password: String, keep_alive: u64) -> Result<Client, Error> {
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
    _place: OwnedSemaphorePermit,
}

impl OpenConnection {
    /// Publishes a message, and waits for what `qos` promises.
    async fn publish(&self, topic: &str, payload: Vec<u8>, qos: QoS) -> Result<(), Error> {
        if topic.is_empty() || !valid_topic(topic) {
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
pub(crate) struct View<'a> {
    component: &'a Arc<ComponentMqtt>,
    places: &'a mut Option<Arc<Semaphore>>,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    fn open(
        &mut self,
        address: &str,
        username: String,
        password: String,
        keep_alive: u64,
    ) -> Result<Resource<OpenConnection>, Error> {
        let places = self.places.get_or_insert_with(|| Arc::new(Semaphore::new(MOST_OPEN)));
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| Error::TooManyConnections)?;
        let client = self.component.client(address, username, password, keep_alive)?;
        let opened = Opened { client, session: tokio::sync::Mutex::default(), _place: place };
        self.table.push(OpenConnection(Arc::new(opened))).map_err(|_| Error::TooManyConnections)
    }

    fn connection(&self, connection: &Resource<OpenConnection>) -> Result<OpenConnection, ResourceTableError> {
        self.table.get(connection).cloned()
    }

    fn close(&mut self, connection: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { component: &state.component.mqtt, places: &mut state.instance.mqtt, table: &mut state.table }
}

/// The capability.
pub(crate) struct Mqtt;

impl Capability for Mqtt {
    type Options = ();
    type App = Network;
    type Component = Arc<ComponentMqtt>;
    /// Places for connections, made when the first one is opened.
    type Instance = Option<Arc<Semaphore>>;

    fn app((): &(), egress: &Arc<Egress>) -> Network {
        Network { egress: Arc::clone(egress), tls: Tls::new(&[]) }
    }

    fn component(app: &Arc<Network>, of: &ComponentContext<'_>) -> Arc<ComponentMqtt> {
        Arc::new(ComponentMqtt { gate: Arc::clone(of.gate), network: Arc::clone(app) })
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::mqtt::add_to_linker::<_, Host>(linker, view)?;
        bindings::spin::mqtt::mqtt::add_to_linker::<_, Host>(linker, view)
    }
}
