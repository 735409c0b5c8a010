//! `[[variables_provider]]`: where values of variables come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spin_app_model::document::{Table, did_you_mean, quoted};
use spin_component_runtime::variables::{Environment, Provider, Vault, VaultError};

const TYPES: &[&str] = &["static", "env", "vault"];

/// Types of the public ecosystem that have no effect here yet.
const LATER: &[&str] = &["azure_key_vault"];

/// One provider, as the file describes it.
pub(super) enum VariablesProvider {
    Static { values: BTreeMap<String, String> },
    Env { prefix: Option<String>, dotenv_path: Option<PathBuf> },
    Vault(Arc<Vault>),
}

impl VariablesProvider {
    /// Reads one table; `folder` is where its paths are seen from.
    pub(super) fn read(table: &Table<'_, '_>, folder: &Path) -> Option<Self> {
        if table.get("type").is_none() {
            table.missing("type", &format!("the types are {}", TYPES.join(", ")));
        }
        let kind = table.text("type")?;
        match kind.value.as_str() {
            "static" => {
                table.expect_only(&["type", "values"], &[]);
                if table.get("values").is_none() {
                    table.missing("values", "write `values = { name = \"…\" }`");
                }
                let values = table.text_map("values", |_, _| ());
                Some(Self::Static { values: values.into_iter().map(|(name, value)| (name, value.value)).collect() })
            }
            "env" => {
                table.expect_only(&["type", "prefix", "dotenv_path"], &[]);
                let dotenv_path = table.plain_text("dotenv_path").map(|path| folder.join(path));
                Some(Self::Env { prefix: table.plain_text("prefix"), dotenv_path })
            }
            "vault" => {
                table.expect_only(&["type", "url", "token", "mount", "prefix"], &[]);
                for key in ["url", "token", "mount"].into_iter().filter(|key| table.get(key).is_none()) {
                    table.missing(key, "a vault is named by `url`, `token` and `mount`");
                }
                let (url, token, mount) = (table.text("url"), table.text("token"), table.plain_text("mount"));
                let (prefix, url, token) = (table.plain_text("prefix"), url?, token?);
                let vault = Vault::new(&url.value, &token.value, &mount?, prefix.as_deref());
                // Neither is quoted: whoever mixes them up would see the token.
                let wrong = |error: VaultError| match error {
                    VaultError::Token => (token.at, table.field_name("token")),
                    _ => (url.at, table.field_name("url")),
                };
                match vault {
                    Ok(vault) => Some(Self::Vault(Arc::new(vault))),
                    Err(error) => {
                        let (at, key) = wrong(error);
                        table.report.add(at, format!("{key} {error}"), None);
                        None
                    }
                }
            }
            other => {
                let (message, help) = if LATER.contains(&other) {
                    let message = format!("the type {} is not in this version of the trigger", quoted(other));
                    (message, format!("the types are {}", TYPES.join(", ")))
                } else {
                    let near = did_you_mean(other, TYPES.iter().copied()).map(|near| near + " ").unwrap_or_default();
                    let message = format!("{} is not a type of {}", quoted(other), table.name());
                    (message, format!("{near}the types are {}", TYPES.join(", ")))
                };
                table.report.add(kind.at, message, Some(help));
                None
            }
        }
    }

    /// The type, as the file names it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Static { .. } => "static",
            Self::Env { .. } => "env",
            Self::Vault(_) => "vault",
        }
    }

    /// The provider itself.
    pub(super) fn open(&self) -> Provider {
        match self {
            Self::Static { values } => Provider::Static(values.clone()),
            Self::Env { prefix, dotenv_path } => {
                Provider::Environment(Environment::new(prefix.as_deref(), dotenv_path.clone()))
            }
            Self::Vault(vault) => Provider::Vault(Arc::clone(vault)),
        }
    }
}
