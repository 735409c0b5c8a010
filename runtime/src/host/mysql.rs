//! MySQL and MariaDB databases, in the interfaces that SDKs have used for them.
//!
//! A component names the address of a server; the manifest says which it may reach. Each `open` borrows a connection until
//! the guest lets it go or ends: it behaves as a new one, and is one if none was left by an instance of the same component
//! that named the same address. Statements, values and errors are those of `spin:mysql@3.0.0`; the older generations are a
//! short file over them.

mod convert;
mod older;
mod server;
mod session;
mod statement;
mod versioned;

use std::sync::Arc;

use tokio::sync::Mutex;
use wasmtime::component::{HasData, Linker, Resource};

use self::bindings::fermyon::spin::mysql as v1;
use self::bindings::fermyon::spin2_0_0::mysql as v2;
use self::bindings::fermyon::spin2_0_0::rdbms_types as v2_types;
use self::bindings::spin::mysql::mysql as v3;
use self::server::Server;
use self::session::Borrowed;
use self::v3::Error;
use crate::host::connections::{self, OpenPlace, Opened, ServerOptions, TooMany};
use crate::host::egress::{Egress, Gate};
use crate::host::pools::Pools;
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

/// The databases that one component may reach, and its connections to them.
pub(crate) struct ComponentDatabases {
    /// By address. What a connection offers of its own will be part of the key.
    pools: Pools<String, Server>,
    egress: Arc<Egress>,
    gate: Arc<Gate>,
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct Connection(Arc<Mutex<Borrowed>>);

impl ComponentDatabases {
    /// Borrows a connection, or makes one.
    async fn open(&self, address: String, place: OpenPlace) -> Result<Connection, Error> {
        let server = Server::new(&address, &self.gate, &self.egress);
        let server = server.map_err(|error| Error::ConnectionFailed(error.to_string()))?;
        let borrowed = self.pools.borrow(address, || server, place.others()).await;
        let session = borrowed.map_err(Error::ConnectionFailed)?;
        // Where the number of connections is bounded, an idle one would keep others from getting theirs.
        Ok(Connection(Arc::new(Mutex::new(Borrowed::new(session, !self.egress.is_bounded(), place)))))
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
    fn opening(&mut self, address: String) -> impl Future<Output = Result<Connection, Error>> + use<> {
        let reserved = self.reserve();
        async move {
            let (component, place) = reserved?;
            component.open(address, place).await
        }
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
    View { component: &state.component.mysql, opened: &mut state.instance.mysql, table: &mut state.table }
}

/// The capability.
pub(crate) struct MySql;

impl Capability for MySql {
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
        v2::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        v3::add_to_linker::<_, Host>(linker, view)
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
        let address = format!("mysql://user@{}/db", rebinding.host());
        let open = async || {
            let place = <Opened>::default().take().expect("a place");
            component.open(address.clone(), place).await.map(drop).map_err(|error| format!("{error:?}"))
        };
        rebinding.check(open).await;
    }
}
