//! PostgreSQL databases, in the interfaces that SDKs have used for them.
//!
//! A component names the address of a server; the manifest says which it may reach. Each `open` borrows a connection until
//! the guest lets it go or ends: it behaves as a new one, and is one if none was left by somebody who named the same
//! address. Statements, values and errors are those of `spin:postgres@4`; the older generations are short files over them.

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

use std::sync::Arc;

use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use self::bindings::fermyon::spin::postgres as v1;
use self::bindings::fermyon::spin2_0_0::postgres as v2;
use self::bindings::fermyon::spin2_0_0::rdbms_types as v2_types;
use self::bindings::spin::postgres3_0_0::postgres as v3;
use self::bindings::spin::postgres4_2_0::postgres as v4;
use self::server::Server;
use self::session::Borrowed;
use self::tls::Identity;
use self::v4::Error;
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

/// The connections of all components.
pub(crate) struct Databases {
    pools: Pools<Key, Server>,
    egress: Arc<Egress>,
}

/// What connections have in common that may be given to the same borrowers.
#[derive(PartialEq, Eq)]
struct Key {
    address: String,
    identity: Identity,
}

/// The databases that one component may reach.
pub(crate) struct ComponentDatabases {
    databases: Arc<Databases>,
    gate: Arc<Gate>,
}

/// How a connection is to be made.
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Builder {
    address: String,
    identity: Identity,
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Connection(Arc<Borrowed>);

impl ComponentDatabases {
    /// Borrows a connection, or makes one.
    async fn open(
        databases: Arc<Databases>,
        gate: Arc<Gate>,
        address: String,
        identity: Identity,
    ) -> Result<Connection, Error> {
        let server = Server::new(&address, identity.clone(), &gate, &databases.egress);
        let server = server.map_err(|error| Error::ConnectionFailed(error.to_string()))?;
        let pool = databases.pools.get(Key { address, identity }, || server);
        let session = pool.get().await.map_err(|error| error::connection(&error))?;
        // Where the number of connections is bounded, an idle one would keep others from getting theirs.
        Ok(Connection(Arc::new(Borrowed::new(session, !databases.egress.is_bounded()))))
    }
}

/// What the interfaces work on.
pub(crate) struct View<'a> {
    component: &'a ComponentDatabases,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    /// Opens a connection; nothing is kept of it here, so that others can do something meanwhile.
    fn opening(&self, address: String, identity: Identity) -> impl Future<Output = Result<Connection, Error>> + use<> {
        let component = self.component;
        ComponentDatabases::open(Arc::clone(&component.databases), Arc::clone(&component.gate), address, identity)
    }

    async fn open(&mut self, address: String, identity: Identity) -> Result<Resource<Connection>, Error> {
        let connection = self.opening(address, identity).await?;
        self.keep(connection)
    }

    fn keep(&mut self, connection: Connection) -> Result<Resource<Connection>, Error> {
        let too_many = |_| Error::ConnectionFailed("too many connections".to_owned());
        self.table.push(connection).map_err(too_many)
    }

    fn connection(&self, connection: &Resource<Connection>) -> Result<Connection, Error> {
        let unknown = |_| Error::ConnectionFailed("no connection found".to_owned());
        self.table.get(connection).cloned().map_err(unknown)
    }
}

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { component: &state.component.postgres, table: &mut state.table }
}

/// The capability.
pub(crate) struct Postgres;

impl Capability for Postgres {
    type Options = ();
    type App = Databases;
    type Component = ComponentDatabases;
    type Instance = ();

    fn app((): &(), egress: &Arc<Egress>) -> Databases {
        Databases { pools: Pools::new(), egress: Arc::clone(egress) }
    }

    fn component(app: &Arc<Databases>, of: &ComponentContext<'_>) -> ComponentDatabases {
        ComponentDatabases { databases: Arc::clone(app), gate: Arc::clone(of.gate) }
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        v1::add_to_linker::<_, Host>(linker, view)?;
        v2::add_to_linker::<_, Host>(linker, view)?;
        v3::add_to_linker::<_, Host>(linker, view)?;
        v4::add_to_linker::<_, Host>(linker, view)
    }
}
