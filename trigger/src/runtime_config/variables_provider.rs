//! `[[variables_provider]]`: where values of variables come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spin_app_model::document::{Table, did_you_mean, quoted};
use spin_component_runtime::variables::{Environment, Provider};

const TYPES: &[&str] = &["static", "env"];

/// Types of the public ecosystem that have no effect here yet.
const LATER: &[&str] = &["vault", "azure_key_vault"];

/// One provider, as the file describes it.
pub(super) enum VariablesProvider {
    Static { values: BTreeMap<String, String> },
    Env { prefix: Option<String>, dotenv_path: Option<PathBuf> },
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
        }
    }

    /// The provider itself.
    pub(super) fn open(&self) -> Provider {
        match self {
            Self::Static { values } => Provider::Static(values.clone()),
            Self::Env { prefix, dotenv_path } => {
                Provider::Environment(Environment::new(prefix.as_deref(), dotenv_path.clone()))
            }
        }
    }
}
