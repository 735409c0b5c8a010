//! MySQL and MariaDB databases, in the interfaces that SDKs have used for them.
//!
//! A component names the address of a server; the manifest says which it may reach. Each `open` borrows a connection until
//! the guest lets it go or ends: it behaves as a new one, and is one if none was left by somebody who named the same
//! address. Statements, values and errors are those of `spin:mysql@3.0.0`; the older generations are a short file over them.

mod convert;
mod older;
mod server;
mod session;
mod statement;
mod versioned;

use std::sync::Arc;

use tokio::sync::Mutex;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use self::bindings::fermyon::spin::mysql as v1;
use self::bindings::fermyon::spin2_0_0::mysql as v2;
use self::bindings::fermyon::spin2_0_0::rdbms_types as v2_types;
use self::bindings::spin::mysql::mysql as v3;
use self::server::Server;
use self::session::Borrowed;
use self::v3::Error;
use crate::host::egress::{Egress, Gate};
use crate::host::pools::{self, Pools};
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["wit/fermyon-spin", "wit/fermyon-spin-2.0.0", "wit/spin-mysql-3.0.0"],
        inline: "
            package host:mysql;
            world imports {
                import fermyon:spin/mysql;
                import fermyon:spin/mysql@2.0.0;
                import spin:mysql/mysql@3.0.0;
            }
        ",
        world: "host:mysql/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/mysql@2.0.0.connection": super::Connection,
            "spin:mysql/mysql@3.0.0.connection": super::Connection,
        },
    });
}

/// The connections of all components.
pub(crate) struct Databases {
    /// By address. What a connection offers of its own will be part of the key.
    pools: Pools<String, Server>,
    egress: Arc<Egress>,
}

/// The databases that one component may reach.
pub(crate) struct ComponentDatabases {
    databases: Arc<Databases>,
    gate: Arc<Gate>,
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Connection(Arc<Mutex<Borrowed>>);

/// Borrows a connection, or makes one.
async fn open(databases: Arc<Databases>, gate: Arc<Gate>, address: String) -> Result<Connection, Error> {
    let server = Server::new(&address, &gate, &databases.egress);
    let server = server.map_err(|error| Error::ConnectionFailed(error.to_string()))?;
    let pool = databases.pools.get(address, || server);
    let session = pool.get().await.map_err(|error| Error::ConnectionFailed(pools::explain(&error)))?;
    // Where the number of connections is bounded, an idle one would keep others from getting theirs.
    let kept = !databases.egress.is_bounded();
    Ok(Connection(Arc::new(Mutex::new(Borrowed::new(session, kept)))))
}

/// What the interfaces work on.
pub(crate) struct View<'a> {
    component: &'a ComponentDatabases,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    /// Opens a connection; nothing is kept of it here, so that others can do something meanwhile.
    fn opening(&self, address: String) -> impl Future<Output = Result<Connection, Error>> + use<> {
        open(Arc::clone(&self.component.databases), Arc::clone(&self.component.gate), address)
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
    View { component: &state.component.mysql, table: &mut state.table }
}

/// The capability.
pub(crate) struct MySql;

impl Capability for MySql {
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
        v3::add_to_linker::<_, Host>(linker, view)
    }
}
