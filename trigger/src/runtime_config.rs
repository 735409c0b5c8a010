//! The runtime configuration file (`--runtime-config-file`): what the operator of an app decides, not its author.
//!
//! A module for each table; this one has the keys that are none. Everything wrong is found in one pass. A key that the
//! public ecosystem has and we don't is refused by name: ignoring it would run the app without what it was meant to have.
//!
//! The public rule for relative paths differs from key to key. Here all are seen from the file's own folder, so that what
//! a file means depends on nothing but the file.

mod client_tls;
mod key_value_store;
mod labelled;
mod llm_compute;
mod outbound_http;
mod outbound_networking;
mod sqlite_database;
mod variables_provider;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use spin_app_model::document::{self, Invalid, Report, Table, did_you_mean, quoted};
use spin_component_runtime::variables::Provider;
use spin_component_runtime::{
    EgressOptions, HttpOptions, KeyValueStore, LlmCompute, MqttOptions, ServerOptions, SqliteDatabase,
};

use self::variables_provider::VariablesProvider;
use crate::error::Error;
use crate::flags::Folder;

const PROVIDERS: &str = "variables_provider";
/// What the key was called before; it still counts.
const PROVIDERS_BEFORE: &str = "config_provider";

const KEY_VALUE_STORE: &str = "key_value_store";
const SQLITE_DATABASE: &str = "sqlite_database";
const LLM_COMPUTE: &str = "llm_compute";
const CLIENT_TLS: &str = "client_tls";
const OUTBOUND_NETWORKING: &str = "outbound_networking";
const OUTBOUND_HTTP: &str = "outbound_http";
const OUTBOUND_REDIS: &str = "outbound_redis";
const OUTBOUND_PG: &str = "outbound_pg";
const OUTBOUND_MYSQL: &str = "outbound_mysql";
const OUTBOUND_MQTT: &str = "outbound_mqtt";

const KEYS: &[&str] = &[
    "state_dir",
    "log_dir",
    "max_instance_memory",
    PROVIDERS,
    PROVIDERS_BEFORE,
    KEY_VALUE_STORE,
    SQLITE_DATABASE,
    LLM_COMPUTE,
    CLIENT_TLS,
    OUTBOUND_NETWORKING,
    OUTBOUND_HTTP,
    OUTBOUND_REDIS,
    OUTBOUND_PG,
    OUTBOUND_MYSQL,
    OUTBOUND_MQTT,
];

/// What the file says; nothing, if there is none.
#[derive(Default)]
pub(crate) struct RuntimeConfig {
    pub(crate) state_dir: Option<Folder>,
    pub(crate) log_dir: Option<Folder>,
    /// Bytes.
    pub(crate) max_instance_memory: Option<usize>,
    pub(crate) egress: EgressOptions,
    pub(crate) outbound_http: HttpOptions,
    pub(crate) outbound_redis: ServerOptions,
    pub(crate) outbound_pg: ServerOptions,
    pub(crate) outbound_mysql: ServerOptions,
    pub(crate) outbound_mqtt: MqttOptions,
    /// By label; without the default ones, unless the file says something of them.
    pub(crate) key_value_stores: BTreeMap<String, KeyValueStore>,
    /// As the stores.
    pub(crate) sqlite_databases: BTreeMap<String, SqliteDatabase>,
    pub(crate) llm_compute: Option<LlmCompute>,
    variables_providers: Vec<VariablesProvider>,
}

impl RuntimeConfig {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it can't be read, with everything that is wrong in it.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|error| {
            Error::new("runtime-config::read", format!("--runtime-config-file {}: {error}", path.display()))
        })?;
        String::from_utf8(bytes)
            .map_err(|error| Invalid::not_utf8(path, &error))
            .and_then(|text| Self::parse(&text, path))
            .map_err(|invalid| Error::new("runtime-config::invalid", invalid))
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Invalid> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let report = Report::new(text);
        let config = document::parse(text, &report)
            .map(|fields| Self::of(&Table::document(&fields, &report, "the runtime configuration"), folder));
        match report.into_error(path) {
            Some(invalid) => Err(invalid),
            None => Ok(config.expect("a document that cannot be read has a problem")),
        }
    }

    fn of(document: &Table<'_, '_>, folder: &Path) -> Self {
        refuse_other_keys(document);
        let named = |key| document.plain_text(key).map(|name| Folder::named(&name, folder));
        let table = |key| document.table(key, || format!("[{key}]"));
        let server = |key| table(key).map(|table| outbound_networking::server(&table)).unwrap_or_default();
        Self {
            state_dir: named("state_dir"),
            log_dir: named("log_dir"),
            // More than can be addressed is no limit.
            max_instance_memory: document.count("max_instance_memory").map(|n| n.try_into().unwrap_or(usize::MAX)),
            egress: table(OUTBOUND_NETWORKING).map(|table| outbound_networking::read(&table)).unwrap_or_default(),
            outbound_http: HttpOptions {
                client_tls: document
                    .tables(CLIENT_TLS, &format!("[[{CLIENT_TLS}]]"))
                    .iter()
                    .filter_map(|table| client_tls::read(table, folder))
                    .collect(),
                ..table(OUTBOUND_HTTP).map(|table| outbound_http::read(&table)).unwrap_or_default()
            },
            outbound_redis: server(OUTBOUND_REDIS),
            outbound_pg: server(OUTBOUND_PG),
            outbound_mysql: server(OUTBOUND_MYSQL),
            outbound_mqtt: table(OUTBOUND_MQTT).map(|table| outbound_networking::mqtt(&table)).unwrap_or_default(),
            key_value_stores: key_value_store::read(document, KEY_VALUE_STORE, folder),
            sqlite_databases: sqlite_database::read(document, SQLITE_DATABASE, folder),
            llm_compute: table(LLM_COMPUTE).and_then(|table| llm_compute::read(&table)),
            variables_providers: variables_providers(document, folder),
        }
    }

    /// The providers of variables, in their order. Reads the files that they name.
    pub(crate) fn variables_providers(&self) -> Vec<Provider> {
        self.variables_providers.iter().map(VariablesProvider::open).collect()
    }

    /// A line for the person who starts the app: which tables with a `type` are in effect, and from where.
    pub(crate) fn summary(&self, path: &Path) -> String {
        let stores = self.key_value_stores.iter().map(|(label, store)| {
            let kind = key_value_store::kind(store);
            format!("[{KEY_VALUE_STORE}.{label}: {kind}]")
        });
        let databases = self.sqlite_databases.iter().map(|(label, database)| {
            let kind = sqlite_database::kind(database);
            format!("[{SQLITE_DATABASE}.{label}: {kind}]")
        });
        let providers = self.variables_providers.iter().map(|provider| format!("[{PROVIDERS}: {}]", provider.kind()));
        let llm = self.llm_compute.iter().map(|compute| format!("[{LLM_COMPUTE}: {}]", llm_compute::kind(compute)));
        let tables = stores.chain(databases).chain(providers).chain(llm).collect::<Vec<_>>().join(", ");
        let separator = if tables.is_empty() { "" } else { " " };
        format!("Using runtime config {tables}{separator}from \"{}\"", path.display())
    }
}

fn variables_providers(document: &Table<'_, '_>, folder: &Path) -> Vec<VariablesProvider> {
    if let (Some(_), Some(before)) = (document.key_span(PROVIDERS), document.key_span(PROVIDERS_BEFORE)) {
        let message = format!("{} is the old name of {}", quoted(PROVIDERS_BEFORE), quoted(PROVIDERS));
        document.report.problem_with_help(&before, message, "use one name for all providers".to_owned());
    }
    let tables = [PROVIDERS, PROVIDERS_BEFORE].map(|key| document.tables(key, &format!("[[{key}]]")));
    tables.iter().flatten().filter_map(|table| VariablesProvider::read(table, folder)).collect()
}

fn refuse_other_keys(document: &Table<'_, '_>) {
    for (key, span, _) in document.entries().filter(|(key, ..)| !KEYS.contains(key)) {
        let near = did_you_mean(key, KEYS.iter().copied()).map(|near| near + " ").unwrap_or_default();
        let (message, help) =
            (format!("unknown key {}", document.field_name(key)), format!("{near}known keys are {}", KEYS.join(", ")));
        document.report.problem_with_help(&span, message, help);
    }
}
