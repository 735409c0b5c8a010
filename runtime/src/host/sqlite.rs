//! SQLite databases, in the interfaces that SDKs have used for them.
//!
//! The operator says which databases there are ([`SqliteOptions`]), the manifest which of them a component may open.
//! Each `open` gives a connection that behaves as a new one: it knows nothing of what another did, and whatever it has
//! not committed is undone when the guest lets it go or ends.

mod convert;
mod guard;
mod libsql;
mod local;
mod older;
mod versioned;
mod waiting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use spin_app_model::lock::LockedComponent;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

use self::bindings::spin::sqlite::sqlite::{RowResult, Value};
use crate::host::egress::Egress;
use crate::host::http::operator::{self, OperatorClient};
use crate::host::labels::Labels;
use crate::host::rows::{self, Failure, Rows, Unread};
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: ["wit/fermyon-spin", "wit/fermyon-spin-2.0.0", "wit/spin-sqlite-3.1.0"],
        inline: "
            package host:sqlite;
            world imports {
                import fermyon:spin/sqlite;
                import fermyon:spin/sqlite@2.0.0;
                import spin:sqlite/sqlite@3.1.0;
            }
        ",
        world: "host:sqlite/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/sqlite@2.0.0.connection": super::Connection,
            "spin:sqlite/sqlite@3.1.0.connection": super::Connection,
        },
    });
}

/// Connections that one instance has open at most.
const MOST_CONNECTIONS: usize = 256;

/// The databases of an app, by label.
#[derive(Clone, Debug, Default)]
pub struct SqliteOptions {
    /// Where each is. Default: none.
    pub databases: BTreeMap<String, SqliteDatabase>,
}

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SqliteDatabase {
    /// On this machine.
    Local {
        /// Its file, made when it is first used. Without one every `open` gives an empty database in memory.
        path: Option<PathBuf>,
        /// Whether a component may attach any file that the process may open.
        allow_attach_file: bool,
    },
    /// On a libsql server.
    Libsql {
        /// `http://` or `https://`.
        url: String,
        /// What the server knows us by; empty if it doesn't ask.
        token: String,
    },
}

// The token is a secret, and so may be what stands in the address.
impl std::fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { path, allow_attach_file } => {
                f.debug_struct("Local").field("path", path).field("allow_attach_file", allow_attach_file).finish()
            }
            Self::Libsql { url, .. } => {
                f.debug_struct("Libsql").field("url", &operator::origin(url)).finish_non_exhaustive()
            }
        }
    }
}

type Answer = rows::Answer<String, RowResult>;

/// An answer of which the rows are still being found, until nobody reads them.
struct Streamed {
    columns: Vec<String>,
    rows: Rows<RowResult, Failure>,
    /// Kept with the rows: a statement that finds none for long stops when nobody waits for any.
    wanted: Option<local::Wanted>,
}

/// All databases of an app.
#[derive(Default)]
pub(crate) struct Databases(BTreeMap<String, Database>);

enum Database {
    Local(Arc<local::Local>),
    Libsql(Arc<libsql::Server>),
}

impl Databases {
    /// Opens nothing yet.
    pub(crate) fn new(options: &SqliteOptions) -> Self {
        let client = Arc::<OperatorClient>::default();
        let databases = options.databases.iter().map(|(label, database)| {
            let database = match database.clone() {
                SqliteDatabase::Local { path, allow_attach_file } => {
                    Database::Local(Arc::new(local::Local::new(path, allow_attach_file)))
                }
                SqliteDatabase::Libsql { url, token } => {
                    Database::Libsql(Arc::new(libsql::Server::new(&url, &token, Arc::clone(&client))))
                }
            };
            (label.clone(), database)
        });
        Self(databases.collect())
    }

    async fn open(&self, label: &str, unread: Unread) -> Result<Connection, Refused> {
        match self.0.get(label) {
            None => Err(Refused::NoSuchDatabase),
            Some(Database::Local(local)) => {
                let connection = local.open(unread).await.map_err(Refused::Failed)?;
                Ok(Connection::Local(Arc::new(connection)))
            }
            Some(Database::Libsql(server)) => Ok(Connection::Libsql(Arc::new(server.open(unread)))),
        }
    }

    /// Runs all statements of a text.
    ///
    /// # Errors
    /// When there is no such database, or a statement fails.
    pub(crate) async fn seed(&self, label: &str, statements: &str) -> Result<(), Failure> {
        match self.open(label, Unread::default()).await {
            Ok(Connection::Local(connection)) => connection.run_all(statements.to_owned()).await,
            Ok(Connection::Libsql(connection)) => connection.run_all(statements).await,
            Err(Refused::Failed(failure)) => Err(failure),
            Err(_) => Err(Failure(format!("there is no database \"{label}\""))),
        }
    }
}

/// The databases that one component may open.
pub(crate) struct ComponentDatabases {
    labels: Labels,
    databases: Arc<Databases>,
}

impl ComponentDatabases {
    fn new(component: &LockedComponent, databases: Arc<Databases>) -> Self {
        Self { labels: Labels::new(component, "databases", "sqlite_databases"), databases }
    }
}

/// What one instance has of them.
#[derive(Default)]
pub(crate) struct InstanceDatabases {
    /// How many connections are open.
    open: usize,
    /// Rows of all its streams that the guest has not read.
    unread: Unread,
}

/// Why there is no connection.
enum Refused {
    AccessDenied,
    NoSuchDatabase,
    Failed(Failure),
}

/// A connection that a component has opened.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub enum Connection {
    /// To a database on this machine.
    Local(Arc<local::Connection>),
    /// To a server.
    Libsql(Arc<libsql::Connection>),
}

impl Connection {
    /// The whole answer.
    async fn execute(&self, statement: String, parameters: Vec<Value>) -> Result<Answer, Failure> {
        match self {
            Self::Local(connection) => connection.execute(statement, parameters).await,
            Self::Libsql(connection) => connection.execute(statement, parameters).await,
        }
    }

    /// The answer while it is found. An error is the end of its rows.
    async fn stream(&self, statement: String, parameters: Vec<Value>) -> Streamed {
        match self {
            Self::Local(connection) => connection.stream(statement, parameters).await,
            Self::Libsql(connection) => connection.stream(statement, parameters).await,
        }
    }

    async fn last_insert_rowid(&self) -> i64 {
        match self {
            Self::Local(connection) => connection.last_insert_rowid().await,
            Self::Libsql(connection) => connection.last_insert_rowid().await,
        }
    }

    async fn changes(&self) -> u64 {
        match self {
            Self::Local(connection) => connection.changes().await,
            Self::Libsql(connection) => connection.changes().await,
        }
    }
}

/// What the interfaces work on.
pub(crate) struct View<'a> {
    databases: &'a ComponentDatabases,
    instance: &'a mut InstanceDatabases,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    async fn open(&mut self, label: &str) -> Result<Resource<Connection>, Refused> {
        let (databases, unread) = self.may_open(label)?;
        let opened = databases.open(label, unread).await;
        self.opened(opened)
    }

    /// What opens a database, and where its unread rows count, if the component may; the connection counts from now on.
    fn may_open(&mut self, label: &str) -> Result<(Arc<Databases>, Unread), Refused> {
        if !self.databases.labels.allow(label) {
            return Err(Refused::AccessDenied);
        }
        if self.instance.open >= MOST_CONNECTIONS {
            return Err(Refused::Failed(Failure("too many connections opened".to_owned())));
        }
        self.instance.open += 1;
        Ok((Arc::clone(&self.databases.databases), self.instance.unread.clone()))
    }

    /// Keeps a connection that [`View::may_open`] has counted.
    fn opened(&mut self, opened: Result<Connection, Refused>) -> Result<Resource<Connection>, Refused> {
        let too_many = |_| Refused::Failed(Failure("too many resources are open".to_owned()));
        let kept = opened.and_then(|connection| self.table.push(connection).map_err(too_many));
        if kept.is_err() {
            self.instance.open -= 1;
        }
        kept
    }

    fn connection(&self, connection: &Resource<Connection>) -> Option<Connection> {
        self.table.get(connection).ok().cloned()
    }

    fn close(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.instance.open = self.instance.open.saturating_sub(1);
        Ok(())
    }
}

struct Host;

impl HasData for Host {
    type Data<'a> = View<'a>;
}

fn view(state: &mut HostState) -> View<'_> {
    View { databases: &state.component.sqlite, instance: &mut state.instance.sqlite, table: &mut state.table }
}

/// The capability.
pub(crate) struct Sqlite;

impl Capability for Sqlite {
    type Options = SqliteOptions;
    type App = Databases;
    type Component = ComponentDatabases;
    type Instance = InstanceDatabases;

    fn app(options: &SqliteOptions, _: &Arc<Egress>) -> Databases {
        Databases::new(options)
    }

    fn component(app: &Arc<Databases>, of: &ComponentContext<'_>) -> ComponentDatabases {
        ComponentDatabases::new(of.locked, Arc::clone(app))
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::sqlite::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin2_0_0::sqlite::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::spin::sqlite::sqlite::add_to_linker::<_, Host>(linker, view)
    }
}

/// The end of a stream of which nobody says how it ended.
fn given_up() -> Failure {
    Failure("the statement was given up".to_owned())
}

#[cfg(test)]
mod tests;
