//! PostgreSQL databases, in the interfaces that SDKs have used for them.
//!
//! A component names the address of a server; the manifest says which it may reach. Each `open` borrows a connection until
//! the guest lets it go or ends: it behaves as a new one, and is one if none was left by an instance of the same component
//! that named the same address. Statements, values and errors are those of `spin:postgres@4`; the older generations are
//! short files over them.

#![allow(clippy::result_large_err, reason = "the interface's own error, of which a statement has one")]

mod decode;
mod encode;
mod error;
mod moment;
mod numeric;
mod older;
mod server;
mod session;
mod statement;
mod tls;
mod versioned3;
mod versioned4;
mod wire;

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource};

use self::bindings::fermyon::spin::postgres as v1;
use self::bindings::fermyon::spin2_0_0::postgres as v2;
use self::bindings::fermyon::spin2_0_0::rdbms_types as v2_types;
use self::bindings::spin::postgres3_0_0::postgres as v3;
use self::bindings::spin::postgres4_2_0::postgres as v4;
use self::server::{AddressError, Server};
use self::session::Borrowed;
use self::tls::Identity;
use self::v4::Error;
use crate::host::connections::{self, LONGEST_ADDRESS, OpenPlace, Opened, ServerOptions, TooMany};
use crate::host::egress::{Egress, Gate};
use crate::host::pools::Pools;
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["wit/fermyon-spin", "wit/fermyon-spin-2.0.0", "wit/spin-postgres-3.0.0", "wit/spin-postgres-4.2.0"],
        inline: "
            package host:postgres;
            world imports {
                import fermyon:spin/postgres;
                import fermyon:spin/postgres@2.0.0;
                import spin:postgres/postgres@3.0.0;
                import spin:postgres/postgres@4.2.0;
            }
        ",
        world: "host:postgres/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/postgres@2.0.0.connection": super::Connection,
            "spin:postgres/postgres@3.0.0.connection": super::Connection,
            "spin:postgres/postgres@4.2.0.connection": super::Connection,
            "spin:postgres/postgres@4.2.0.connection-builder": super::Builder,
        },
    });
}

/// What connections have in common that may be given to the same borrowers.
#[derive(PartialEq, Eq)]
struct Key {
    address: String,
    identity: Identity,
}

/// The databases that one component may reach, and its connections to them.
pub(crate) struct ComponentDatabases {
    pools: Pools<Key, Server>,
    egress: Arc<Egress>,
    gate: Arc<Gate>,
}

/// How a connection is to be made.
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Builder {
    /// Why not, if the address is none to be kept.
    address: Result<String, AddressError>,
    identity: Identity,
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Connection(Arc<Borrowed>);

impl ComponentDatabases {
    /// Borrows a connection, or makes one.
    async fn open(&self, address: String, identity: Identity, place: OpenPlace) -> Result<Connection, Error> {
        let server = Server::new(&address, identity.clone(), &self.gate, &self.egress);
        let server = server.map_err(|error| Error::ConnectionFailed(error.to_string()))?;
        let borrowed = self.pools.borrow(Key { address, identity }, || server, place.others()).await;
        let session = borrowed.map_err(Error::ConnectionFailed)?;
        // Where the number of connections is bounded, an idle one would keep others from getting theirs.
        Ok(Connection(Arc::new(Borrowed::new(session, !self.egress.is_bounded(), place))))
    }
}

impl Builder {
    fn new(address: String) -> Self {
        let address = if address.len() > LONGEST_ADDRESS { Err(AddressError::TooLong) } else { Ok(address) };
        Self { address, identity: Identity::default() }
    }

    /// What a connection is opened with.
    fn parts(&self) -> Result<(String, Identity), Error> {
        match &self.address {
            Ok(address) => Ok((address.clone(), self.identity.clone())),
            Err(error) => Err(Error::ConnectionFailed(error.to_string())),
        }
    }
}

impl From<TooMany> for Error {
    fn from(error: TooMany) -> Self {
        Self::ConnectionFailed(error.to_string())
    }
}

/// What the interfaces work on.
type View<'a> = connections::View<'a, ComponentDatabases>;

impl View<'_> {
    /// Opens a connection; nothing is kept of it here, so that others can do something meanwhile.
    fn opening(
        &mut self,
        address: String,
        identity: Identity,
    ) -> impl Future<Output = Result<Connection, Error>> + use<> {
        let reserved = self.reserve();
        async move {
            let (component, place) = reserved?;
            component.open(address, identity, place).await
        }
    }

    async fn open(&mut self, address: String, identity: Identity) -> Result<Resource<Connection>, Error> {
        let connection = self.opening(address, identity).await?;
        Ok(self.keep(connection)?)
    }

    fn connection(&self, connection: &Resource<Connection>) -> Result<Connection, Error> {
        self.find(connection).map_err(|_| Error::ConnectionFailed("no connection found".to_owned()))
    }
}

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { component: &state.component.postgres, opened: &mut state.instance.postgres, table: &mut state.table }
}

/// The capability.
pub(crate) struct Postgres;

impl Capability for Postgres {
    type Options = ServerOptions;
    type App = Arc<Egress>;
    type Component = Arc<ComponentDatabases>;
    type Instance = Opened;

    fn app(options: &ServerOptions, egress: &Arc<Egress>) -> Arc<Egress> {
        egress.limited(options.max_connections)
    }

    fn component(egress: &Arc<Arc<Egress>>, of: &ComponentContext<'_>) -> Arc<ComponentDatabases> {
        let (egress, gate) = (Arc::clone(egress.as_ref()), Arc::clone(of.gate));
        Arc::new(ComponentDatabases { pools: Pools::new(), egress, gate })
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        v1::add_to_linker::<_, Host>(linker, view)?;
        v2::add_to_linker::<_, Host>(linker, view)?;
        v3::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        v4::add_to_linker::<_, Host>(linker, view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::egress::tests::{Rebinding, gate};

    #[tokio::test]
    async fn a_connection_goes_to_the_address_that_was_looked_at() {
        let rebinding = Rebinding::new().await;
        let (egress, gate) = (Arc::clone(&rebinding.egress), Arc::new(gate(r#"["*://*:*"]"#)));
        let component = ComponentDatabases { pools: Pools::new(), egress, gate };
        let address = format!("postgres://user@{}/db", rebinding.host());
        let open = async || {
            let place = <Opened>::default().take().expect("a place");
            let opened = component.open(address.clone(), Identity::default(), place).await;
            opened.map(drop).map_err(|error| format!("{error:?}"))
        };
        rebinding.check(open).await;
    }
}
