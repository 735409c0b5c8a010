//! Redis servers that components name, in the three interfaces that SDKs have used for them.
//!
//! An address passes the component's gate before anything else. All instances of a component that go to the same address,
//! with the same user, password and database in it, share a connection ([`connection::Pool`]). Who sends a command that is
//! not known to leave it as it is gets one of its own from then on ([`command::may_share`]).

mod command;
pub(crate) mod connection;
mod generation1;
mod generation2;
mod generation3;
mod replies;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ::redis::{Cmd, FromRedisValue, RedisError, Value, cmd};
use wasmtime::component::{HasData, Linker};

use crate::host::connections::{self, LONGEST_ADDRESS, MOST_OPEN, OpenPlace, ServerOptions, TooMany};
use crate::host::egress::{Egress, Gate};
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;
use command::Answer;
use connection::{Address, Maker, Pool, Slot};

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

/// Why something failed, in the terms of the newer interfaces.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the address is none that this component may reach")]
    InvalidAddress,
    #[error("there are {MOST_OPEN} connections already")]
    TooManyConnections,
    /// The value that is there is of another type.
    #[error("the value is of another type")]
    Type,
    /// What the server says, and the code in front of it: the text may hold what the guest has sent.
    #[error("{text}")]
    Server { code: String, text: String },
    #[error("{0}")]
    Other(String),
}

impl Error {
    fn other(error: &impl ToString) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        match error.code() {
            Some(code) => Self::Server { code: code.to_owned(), text: error.to_string() },
            None => Self::other(&error),
        }
    }
}

impl From<TooMany> for Error {
    fn from(_: TooMany) -> Self {
        Self::TooManyConnections
    }
}

/// The address that `text` names, if the component may reach it.
fn address(gate: &Gate, text: &str) -> Result<Address, Error> {
    if text.len() > LONGEST_ADDRESS {
        return Err(Error::InvalidAddress);
    }
    let allowed = |url: &str| gate.check(url, "redis").ok().filter(|destination| !destination.is_own());
    Address::parse(text, allowed).ok_or(Error::InvalidAddress)
}

/// A connection that a component has opened: at first the one that its instances share.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct OpenConnection(Arc<Opened>);

struct Opened {
    slot: Mutex<Arc<Slot>>,
    /// What counts among the connections of the instance, in generations that have handles for them.
    _place: Option<OpenPlace>,
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
        self.send(cmd("GET").arg(key)).await
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
        self.send(cmd("SMEMBERS").arg(key)).await
    }

    async fn srem(&self, key: String, values: Vec<String>) -> Result<u32, Error> {
        self.send(cmd("SREM").arg(key).arg(values)).await
    }

    /// Any command, whose arguments are in `command` already.
    async fn execute(&self, name: &str, command: &Cmd) -> Result<Vec<Answer>, Error> {
        let slot = if command::may_share(name) { self.slot() } else { self.own() };
        command::flattened(slot.send::<Value>(command).await?)
    }

    /// From now on no other instance's commands come between those of this one.
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
    pool: Pool,
    /// Whether the operator has been told of what guests aren't told.
    told: AtomicBool,
}

impl ComponentRedis {
    fn connection(&self, address: &str, place: Option<OpenPlace>) -> Result<OpenConnection, Error> {
        let slot = self.pool.slot(self::address(&self.gate, address)?);
        Ok(OpenConnection(Arc::new(Opened { slot: Mutex::new(slot), _place: place })))
    }

    /// A connection that is there.
    async fn connect(&self, address: &str, place: OpenPlace) -> Result<OpenConnection, Error> {
        let connection = self.connection(address, Some(place))?;
        connection.slot().ready().await?;
        Ok(connection)
    }

    /// Tells the operator why something failed, once, where the guest isn't told.
    fn tell(&self, error: &Error) {
        if self.told.swap(true, Ordering::Relaxed) {
            return;
        }
        let component = self.gate.component();
        match error {
            Error::Server { code, .. } => tracing::warn!(%component, "redis: the server refuses a command: {code}"),
            error => tracing::warn!(%component, "redis: {error}"),
        }
    }
}

/// What the interfaces work on.
type View<'a> = connections::View<'a, ComponentRedis>;

/// What all generations have under the same names.
macro_rules! same_values {
    ($($generation:tt)*) => {
        fn command(name: &str, arguments: &[$($generation)*::RedisParameter]) -> ::redis::Cmd {
            let mut command = ::redis::cmd(name);
            for argument in arguments {
                match argument {
                    $($generation)*::RedisParameter::Int64(number) => command.arg(number),
                    $($generation)*::RedisParameter::Binary(bytes) => command.arg(bytes),
                };
            }
            command
        }

        impl From<super::Answer> for $($generation)*::RedisResult {
            fn from(answer: super::Answer) -> Self {
                match answer {
                    super::Answer::Nil => Self::Nil,
                    super::Answer::Status(text) => Self::Status(text),
                    super::Answer::Int(number) => Self::Int64(number),
                    super::Answer::Binary(bytes) => Self::Binary(bytes),
                }
            }
        }

        /// Answers as this generation has them.
        fn given(answers: Vec<super::Answer>) -> Vec<$($generation)*::RedisResult> {
            answers.into_iter().map(Into::into).collect()
        }
    };
}
use same_values;

/// What the generations have under the same names whose connections are resources.
macro_rules! same_errors {
    ($error:path) => {
        impl From<super::Error> for $error {
            fn from(error: super::Error) -> Self {
                match error {
                    super::Error::InvalidAddress => Self::InvalidAddress,
                    super::Error::TooManyConnections => Self::TooManyConnections,
                    super::Error::Type => Self::TypeError,
                    super::Error::Server { text, .. } | super::Error::Other(text) => Self::Other(text),
                }
            }
        }
    };
}
use same_errors;

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { component: &state.component.redis, opened: &mut state.instance.redis, table: &mut state.table }
}

/// The capability.
pub(crate) struct Redis;

impl Capability for Redis {
    type Options = ServerOptions;
    type App = Maker;
    type Component = Arc<ComponentRedis>;
    type Instance = connections::Opened;

    fn app(options: &ServerOptions, egress: &Arc<Egress>) -> Maker {
        Maker::new(egress.limited(options.max_connections))
    }

    fn component(app: &Arc<Maker>, of: &ComponentContext<'_>) -> Arc<ComponentRedis> {
        let pool = Pool::new(Arc::clone(app));
        Arc::new(ComponentRedis { gate: Arc::clone(of.gate), pool, told: AtomicBool::new(false) })
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::redis_types::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin::redis::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin2_0_0::redis::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::spin::redis::redis::add_to_linker::<_, Host>(linker, view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::egress::tests::{Rebinding, gate};

    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_looked_at() {
        let rebinding = Rebinding::new().await;
        let pool = Pool::new(Arc::new(Maker::new(Arc::clone(&rebinding.egress))));
        let component = ComponentRedis { gate: Arc::new(gate(r#"["*://*:*"]"#)), pool, told: AtomicBool::new(false) };
        let address = format!("redis://{}", rebinding.host());
        let open = async || {
            let place = <connections::Opened>::default().take().expect("a place");
            component.connect(&address, place).await.map(drop).map_err(|error| error.to_string())
        };
        rebinding.check(open).await;
    }
}
