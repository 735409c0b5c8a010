//! Redis servers that components name, in the three interfaces that SDKs have used for them.
//!
//! An address passes the component's gate before anything else. Connections are the process's: whatever goes to the same
//! address, with the same user, password and database in it, shares one ([`connection::Pool`]). A component that changes
//! the state of its connection gets one of its own from then on ([`command::wants_own`]).

mod command;
mod connection;
mod generation1;
mod generation2;
mod generation3;

use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{Cmd, FromRedisValue, Value, cmd};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use crate::host::egress::{Egress, Gate};
use crate::host::rows::Budget;
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;
use command::Answer;
use connection::{Address, Pool, Slot};

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["wit/fermyon-spin", "wit/fermyon-spin-2.0.0", "wit/spin-redis-3.0.0"],
        inline: "
            package host:redis;
            world imports {
                import fermyon:spin/redis;
                import fermyon:spin/redis@2.0.0;
                import spin:redis/redis@3.0.0;
            }
        ",
        world: "host:redis/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/redis@2.0.0.connection": super::OpenConnection,
            "spin:redis/redis@3.0.0.connection": super::OpenConnection,
        },
    });
}

/// Connections that one instance may have open.
const MOST_OPEN: usize = 1024;

/// The port of a server that names none.
const PORT: u16 = 6379;

/// Why something failed, in the terms of the newer interfaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Error {
    #[error("the address is none that this component may reach")]
    InvalidAddress,
    #[error("there are {MOST_OPEN} connections already")]
    TooManyConnections,
    /// The value that is there is of another type.
    #[error("the value is of another type")]
    Type,
    #[error("{0}")]
    Other(String),
}

impl Error {
    fn other(error: &impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}

/// The address that `text` names, if the component may reach it.
fn address(gate: &Gate, text: &str) -> Result<Address, Error> {
    let url = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
    let mut url = ::redis::parse_redis_url(&url).ok_or(Error::InvalidAddress)?;
    if !matches!(url.scheme(), "redis" | "rediss") {
        return Err(Error::InvalidAddress);
    }
    if url.port().is_none() {
        url.set_port(Some(PORT)).map_err(|()| Error::InvalidAddress)?;
    }
    let destination = gate.check(url.as_str(), "redis").map_err(|_| Error::InvalidAddress)?;
    if destination.is_own() {
        return Err(Error::InvalidAddress);
    }
    Address::new(url.as_str(), destination).ok_or(Error::InvalidAddress)
}

/// A connection that a component has opened: at first the one that everybody shares.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct OpenConnection(Arc<Opened>);

struct Opened {
    slot: Mutex<Arc<Slot>>,
    /// What counts among the connections of the instance, in generations that have handles for them.
    _place: Option<OwnedSemaphorePermit>,
}

impl OpenConnection {
    fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.0.slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        self.slot().send(command).await
    }

    async fn publish(&self, channel: String, payload: Vec<u8>) -> Result<(), Error> {
        self.send(cmd("PUBLISH").arg(channel).arg(payload)).await
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        let value: Option<Vec<u8>> = self.send(cmd("GET").arg(key)).await?;
        Budget::new().take(value.as_ref().map_or(0, Vec::len)).map_err(|error| Error::other(&error))?;
        Ok(value)
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.send(cmd("SET").arg(key).arg(value)).await
    }

    async fn incr(&self, key: String) -> Result<i64, Error> {
        self.send(cmd("INCR").arg(key)).await
    }

    async fn del(&self, keys: Vec<String>) -> Result<u32, Error> {
        self.send(cmd("DEL").arg(keys)).await
    }

    async fn sadd(&self, key: String, values: Vec<String>) -> Result<u32, Error> {
        self.slot().send_typed(cmd("SADD").arg(key).arg(values)).await
    }

    async fn smembers(&self, key: String) -> Result<Vec<String>, Error> {
        let members: Vec<String> = self.send(cmd("SMEMBERS").arg(key)).await?;
        let mut budget = Budget::new();
        members
            .iter()
            .try_for_each(|member| budget.take(size_of::<String>() + member.len()))
            .map_err(|error| Error::other(&error))?;
        Ok(members)
    }

    async fn srem(&self, key: String, values: Vec<String>) -> Result<u32, Error> {
        self.send(cmd("SREM").arg(key).arg(values)).await
    }

    /// Any command, whose arguments are in `command` already.
    async fn execute(&self, name: &str, command: &Cmd) -> Result<Vec<Answer>, Error> {
        let slot = if command::wants_own(name) { self.own() } else { self.slot() };
        command::flattened(slot.send::<Value>(command).await?)
    }

    /// From now on no other component's commands come between those of this one.
    fn own(&self) -> Arc<Slot> {
        let mut slot = self.0.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_shared() {
            *slot = slot.to_own();
        }
        Arc::clone(&slot)
    }
}

/// What one component may reach, and through what.
pub(crate) struct ComponentRedis {
    gate: Arc<Gate>,
    pool: Arc<Pool>,
}

impl ComponentRedis {
    fn connection(&self, address: &str, place: Option<OwnedSemaphorePermit>) -> Result<OpenConnection, Error> {
        let slot = self.pool.slot(self::address(&self.gate, address)?);
        Ok(OpenConnection(Arc::new(Opened { slot: Mutex::new(slot), _place: place })))
    }

    /// A connection that is there.
    async fn connect(&self, address: &str, place: OwnedSemaphorePermit) -> Result<OpenConnection, Error> {
        let connection = self.connection(address, Some(place))?;
        connection.slot().ready().await?;
        Ok(connection)
    }
}

/// What the interfaces work on.
pub(crate) struct View<'a> {
    component: &'a Arc<ComponentRedis>,
    places: &'a mut Option<Arc<Semaphore>>,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    /// What a connection is opened with: the component, and one of the places for connections of this instance.
    fn reserve(&mut self) -> Result<(Arc<ComponentRedis>, OwnedSemaphorePermit), Error> {
        let places = self.places.get_or_insert_with(|| Arc::new(Semaphore::new(MOST_OPEN)));
        let place = Arc::clone(places).try_acquire_owned().map_err(|_| Error::TooManyConnections)?;
        Ok((Arc::clone(self.component), place))
    }

    fn keep(&mut self, connection: OpenConnection) -> Result<Resource<OpenConnection>, Error> {
        self.table.push(connection).map_err(|_| Error::TooManyConnections)
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
    View { component: &state.component.redis, places: &mut state.instance.redis, table: &mut state.table }
}

/// The capability.
pub(crate) struct Redis;

impl Capability for Redis {
    type Options = ();
    type App = Pool;
    type Component = Arc<ComponentRedis>;
    /// Places for connections, made when the first one is opened.
    type Instance = Option<Arc<Semaphore>>;

    fn app((): &(), egress: &Arc<Egress>) -> Pool {
        Pool::new(Arc::clone(egress))
    }

    fn component(app: &Arc<Pool>, of: &ComponentContext<'_>) -> Arc<ComponentRedis> {
        Arc::new(ComponentRedis { gate: Arc::clone(of.gate), pool: Arc::clone(app) })
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::redis_types::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin::redis::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin2_0_0::redis::add_to_linker::<_, Host>(linker, view)?;
        bindings::spin::redis::redis::add_to_linker::<_, Host>(linker, view)
    }
}
