//! Values by key, in the four interfaces that SDKs have used for them.
//!
//! The operator says which stores there are ([`KeyValueOptions`]), the manifest which of them a component may open: a
//! label that it doesn't list is denied whether there is such a store or not. What a component opens is an
//! [`OpenStore`] in the instance's table, the same for every generation of the interface.
//!
//! Stores belong to the process: generations of an app share them, so that what is in memory outlives a reload.

mod generation1;
mod generation2;
mod generation3;
mod keyvalue;
mod redis;
mod sqlite;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use spin_app_model::lock::LockedComponent;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable, ResourceTableError};

use crate::host::egress::Egress;
use crate::host::labels::Labels;
use crate::host::rows::{Budget, Failure, Writer, stream};
use crate::host::{Capability, ComponentContext};
use crate::instance::HostState;

#[allow(missing_docs, reason = "generated; the WIT files carry the documentation")]
mod bindings {
    wasmtime::component::bindgen!({
        path: [
            "wit/fermyon-spin",
            "wit/fermyon-spin-2.0.0",
            "wit/spin-key-value-3.0.0",
            "wit/wasi-keyvalue-0.2.0-draft2",
        ],
        inline: "
            package host:key-value;
            world imports {
                import fermyon:spin/key-value;
                import fermyon:spin/key-value@2.0.0;
                import spin:key-value/key-value@3.0.0;
                import wasi:keyvalue/store@0.2.0-draft2;
                import wasi:keyvalue/atomics@0.2.0-draft2;
                import wasi:keyvalue/batch@0.2.0-draft2;
            }
        ",
        world: "host:key-value/imports",
        imports: { default: async | trappable },
        with: {
            "fermyon:spin/key-value@2.0.0.store": super::OpenStore,
            "spin:key-value/key-value@3.0.0.store": super::OpenStore,
            "wasi:keyvalue/store@0.2.0-draft2.bucket": super::OpenStore,
            "wasi:keyvalue/atomics@0.2.0-draft2.cas": super::keyvalue::Cas,
        },
    });
}

/// The label of the store that every app has.
pub(crate) const DEFAULT_LABEL: &str = "default";

/// The stores of an app, by label.
#[derive(Clone, Debug, Default)]
pub struct KeyValueOptions {
    /// What is kept where. Default: nothing.
    pub stores: BTreeMap<String, KeyValueStore>,
}

/// What keeps the values of a store.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyValueStore {
    /// A SQLite database, which several labels and several processes may share.
    Sqlite {
        /// Its file, made when it is first used. Without one the values are in memory and end with the process.
        path: Option<PathBuf>,
    },
    /// A Redis server. Keys are as components write them: whoever shares a database of the server shares the values.
    Redis {
        /// `redis://` or `rediss://`.
        url: String,
    },
}

// An address may hold a password.
impl std::fmt::Debug for KeyValueStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => f.debug_struct("Sqlite").field("path", path).finish(),
            Self::Redis { .. } => f.debug_struct("Redis").finish_non_exhaustive(),
        }
    }
}

/// Keys with their values.
pub(crate) type Values = Vec<(String, Vec<u8>)>;

/// What a value must be for a swap to replace it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever it is.
    Anything,
    /// There must be none.
    Nothing,
    /// Exactly this.
    Value(Vec<u8>),
}

/// The values of one label, wherever they are. What an answer holds is limited as [`Budget`] says.
pub(crate) trait Store: Send + Sync {
    fn get(&self, key: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, Failure>>;

    fn set(&self, key: String, value: Vec<u8>) -> BoxFuture<'_, Result<(), Failure>>;

    fn delete(&self, key: String) -> BoxFuture<'_, Result<(), Failure>>;

    fn exists(&self, key: String) -> BoxFuture<'_, Result<bool, Failure>>;

    /// Writes all keys in batches; stops early when nobody reads them.
    fn keys<'a>(&'a self, to: &'a Writer<String>) -> BoxFuture<'a, Result<(), Failure>>;

    /// The values that there are; keys without one are left out.
    fn get_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<Values, Failure>>;

    /// All or none.
    fn set_many(&self, values: Values) -> BoxFuture<'_, Result<(), Failure>>;

    fn delete_many(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), Failure>>;

    /// Adds to a number, 0 if there is none, and gives the sum.
    fn increment(&self, key: String, delta: i64) -> BoxFuture<'_, Result<i64, Failure>>;

    /// Whether the value was as expected, and therefore is the new one now.
    fn swap(&self, key: String, expected: Expected, value: Vec<u8>) -> BoxFuture<'_, Result<bool, Failure>>;
}

/// All stores of an app.
#[derive(Default)]
pub(crate) struct KeyValueStores(BTreeMap<String, Arc<dyn Store>>);

impl KeyValueStores {
    /// Opens nothing yet: files are made and servers are connected to when something is first asked of them.
    pub(crate) fn new(options: &KeyValueOptions) -> Self {
        let mut files = BTreeMap::new();
        let stores = options.stores.iter().map(|(label, store)| {
            let store: Arc<dyn Store> = match store {
                KeyValueStore::Sqlite { path: None } => {
                    Arc::new(sqlite::SqliteStore::new(label, Arc::new(sqlite::Database::new(None))))
                }
                KeyValueStore::Sqlite { path: Some(path) } => {
                    let file = files
                        .entry(path.clone())
                        .or_insert_with(|| Arc::new(sqlite::Database::new(Some(path.clone()))));
                    Arc::new(sqlite::SqliteStore::new(label, Arc::clone(file)))
                }
                KeyValueStore::Redis { url } => Arc::new(redis::RedisStore::new(url)),
            };
            (label.clone(), store)
        });
        Self(stores.collect())
    }

    /// Sets a value in the default store.
    ///
    /// # Errors
    /// When there is no such store, or it fails.
    pub(crate) async fn seed(&self, key: &str, value: &str) -> Result<(), Failure> {
        let store = self.0.get(DEFAULT_LABEL);
        let store = store.ok_or_else(|| Failure(format!("there is no store \"{DEFAULT_LABEL}\"")))?;
        store.set(key.to_owned(), value.as_bytes().to_vec()).await
    }
}

/// The stores that one component may open.
pub(crate) struct ComponentStores {
    labels: Labels,
    stores: Arc<KeyValueStores>,
}

impl ComponentStores {
    fn new(component: &LockedComponent, stores: Arc<KeyValueStores>) -> Self {
        Self { labels: Labels::new(component, "key_value_stores", "key_value_stores"), stores }
    }

    fn open(&self, label: &str) -> Result<OpenStore, Refused> {
        if !self.labels.allow(label) {
            return Err(Refused::AccessDenied);
        }
        let store = self.stores.0.get(label).ok_or(Refused::NoSuchStore)?;
        Ok(OpenStore { label: label.to_owned(), store: Arc::clone(store) })
    }
}

/// Why a store can't be opened.
enum Refused {
    AccessDenied,
    NoSuchStore,
    /// Too many resources of the instance are there already.
    TableFull,
}

/// A store that a component has opened. Failures of the back end are noted here, once for all generations.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "generated modules export it")]
pub struct OpenStore {
    label: String,
    store: Arc<dyn Store>,
}

impl OpenStore {
    fn noted<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.inspect_err(|failure| tracing::warn!("key-value store \"{}\": {failure}", self.label))
    }

    async fn get(&self, key: String) -> Result<Option<Vec<u8>>, Failure> {
        self.noted(self.store.get(key).await)
    }

    async fn set(&self, key: String, value: Vec<u8>) -> Result<(), Failure> {
        self.noted(self.store.set(key, value).await)
    }

    async fn delete(&self, key: String) -> Result<(), Failure> {
        self.noted(self.store.delete(key).await)
    }

    async fn exists(&self, key: String) -> Result<bool, Failure> {
        self.noted(self.store.exists(key).await)
    }

    async fn write_keys(&self, to: &Writer<String>) -> Result<(), Failure> {
        self.noted(self.store.keys(to).await)
    }

    /// All keys at once.
    async fn keys(&self) -> Result<Vec<String>, Failure> {
        let (writer, _, mut rows) = stream::<String, Failure>();
        let collect = async {
            let (mut all, mut budget) = (Vec::new(), Budget::new());
            while let Some(batch) = rows.next().await {
                batch.iter().try_for_each(|key| budget.take(size_of::<String>() + key.len()))?;
                all.extend(batch);
            }
            rows.close();
            Ok::<_, Failure>(all)
        };
        let write = async {
            let written = self.write_keys(&writer).await;
            drop(writer);
            written
        };
        let (written, all) = futures_util::future::join(write, collect).await;
        written.and(all)
    }
}

/// What the interfaces work on.
pub(crate) struct View<'a> {
    stores: &'a ComponentStores,
    table: &'a mut ResourceTable,
}

impl View<'_> {
    fn open(&mut self, label: &str) -> Result<Resource<OpenStore>, Refused> {
        let store = self.stores.open(label)?;
        self.table.push(store).map_err(|_| Refused::TableFull)
    }

    fn store(&self, store: &Resource<OpenStore>) -> Result<OpenStore, ResourceTableError> {
        self.table.get(store).cloned()
    }

    fn close(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

/// What the generations of Spin's own interface have under the same names, but for the case of a failure.
macro_rules! same_errors {
    ($error:path, $failed:ident) => {
        impl From<super::Failure> for $error {
            fn from(failure: super::Failure) -> Self {
                Self::$failed(failure.0)
            }
        }

        impl From<super::Refused> for $error {
            fn from(refused: super::Refused) -> Self {
                match refused {
                    super::Refused::AccessDenied => Self::AccessDenied,
                    super::Refused::NoSuchStore => Self::NoSuchStore,
                    super::Refused::TableFull => Self::StoreTableFull,
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
    View { stores: &state.component.key_value, table: &mut state.table }
}

/// The capability.
pub(crate) struct KeyValue;

impl Capability for KeyValue {
    type Options = KeyValueOptions;
    type App = KeyValueStores;
    type Component = ComponentStores;
    type Instance = ();

    fn app(options: &KeyValueOptions, _: &Arc<Egress>) -> KeyValueStores {
        KeyValueStores::new(options)
    }

    fn component(app: &Arc<KeyValueStores>, of: &ComponentContext<'_>) -> ComponentStores {
        ComponentStores::new(of.locked, Arc::clone(app))
    }

    fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::fermyon::spin::key_value::add_to_linker::<_, Host>(linker, view)?;
        bindings::fermyon::spin2_0_0::key_value::add_to_linker::<_, Host>(linker, view)?;
        bindings::wasi::keyvalue::store::add_to_linker::<_, Host>(linker, view)?;
        bindings::wasi::keyvalue::atomics::add_to_linker::<_, Host>(linker, view)?;
        bindings::wasi::keyvalue::batch::add_to_linker::<_, Host>(linker, view)
    }

    fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        bindings::spin::key_value::key_value::add_to_linker::<_, Host>(linker, view)
    }
}

#[cfg(test)]
mod tests;
