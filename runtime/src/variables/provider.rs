//! Where values of variables come from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use spin_app_model::launch::env::VARIABLE_PREFIX;

use super::{VariableError, Vault, dotenv};

/// One source of values. What it holds is secret: neither messages nor `Debug` show it.
pub enum Provider {
    /// Values by the names of variables.
    Static(BTreeMap<String, String>),
    /// The environment of this process, then a file in the form of a `.env`.
    Environment(Environment),
    /// Secrets of a server.
    Vault(Arc<Vault>),
}

/// Values from the environment: `<prefix><NAME>`, the name in upper case.
pub struct Environment {
    /// With the underscore that ends it.
    prefix: String,
    /// What a file holds, by the names that an environment would have.
    file: BTreeMap<String, String>,
}

impl Environment {
    /// The environment under a prefix, which an underscore follows, and then the values of `dotenv`.
    ///
    /// Without a prefix it is the usual one, `SPIN_VARIABLE`. The file was asked for by name, so one that can't be read
    /// is warned of; its values are lacking then.
    pub fn new(prefix: Option<&str>, dotenv: Option<PathBuf>) -> Self {
        let prefix = prefix.map_or_else(|| VARIABLE_PREFIX.to_owned(), |prefix| format!("{prefix}_"));
        let file = dotenv.map(|path| {
            dotenv::read(&path).unwrap_or_else(|error| {
                tracing::warn!("the file of variables {} can't be read and is ignored: {error}", path.display());
                BTreeMap::new()
            })
        });
        Self { prefix, file: file.unwrap_or_default() }
    }

    /// What every app has at last: the usual prefix, and the `.env` in the working folder if there is one.
    pub fn usual() -> Self {
        // Nobody asked for this file: it may well be another program's, or a folder.
        let file = dotenv::read(".env".as_ref()).unwrap_or_default();
        Self { prefix: VARIABLE_PREFIX.to_owned(), file }
    }

    fn get(
        &self,
        variable: &str,
        process: impl Fn(&str) -> Result<String, std::env::VarError>,
    ) -> Result<Option<String>, VariableError> {
        let name = format!("{}{}", self.prefix, variable.to_uppercase());
        match process(&name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(self.file.get(&name).cloned()),
            Err(std::env::VarError::NotUnicode(_)) => Err(VariableError::Encoding { name }),
        }
    }
}

impl Provider {
    /// The value of a variable, if this provider has one.
    pub(super) async fn get(&self, variable: &str) -> Result<Option<String>, VariableError> {
        match self {
            Self::Static(values) => Ok(values.get(variable).cloned()),
            Self::Environment(environment) => environment.get(variable, |name| std::env::var(name)),
            Self::Vault(vault) => vault.get(variable).await,
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(values) => f.debug_tuple("Static").field(&values.keys()).finish(),
            Self::Environment(environment) => environment.fmt(f),
            Self::Vault(vault) => vault.fmt(f),
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("prefix", &self.prefix).field("file", &self.file.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::env::VarError;
    use std::ffi::OsString;

    use super::*;

    fn process(name: &str) -> Result<String, VarError> {
        match name {
            "SPIN_VARIABLE_BOTH" | "MY_BOTH" | "_BOTH" => Ok(format!("process {name}")),
            "SPIN_VARIABLE_EMPTY" => Ok(String::new()),
            "SPIN_VARIABLE_ODD" => Err(VarError::NotUnicode(OsString::new())),
            _ => Err(VarError::NotPresent),
        }
    }

    fn environment(prefix: Option<&str>, file: &[(&str, &str)]) -> Environment {
        let file = file.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Environment { file, ..Environment::new(prefix, None) }
    }

    #[test]
    fn the_process_wins_over_the_file() {
        let file = [("SPIN_VARIABLE_BOTH", "file"), ("SPIN_VARIABLE_FILE", "file"), ("SPIN_VARIABLE_EMPTY", "file")];
        let environment = environment(None, &file);
        let get = |name: &str| environment.get(name, process).expect("text");
        assert_eq!(get("both").as_deref(), Some("process SPIN_VARIABLE_BOTH"));
        assert_eq!(get("file").as_deref(), Some("file"));
        assert_eq!(get("empty").as_deref(), Some(""), "set to nothing is set");
        assert_eq!(get("none"), None);
    }

    #[test]
    fn a_prefix_may_be_any_and_empty() {
        for (prefix, name) in [("MY", "MY_BOTH"), ("", "_BOTH")] {
            let value = environment(Some(prefix), &[]).get("both", process).expect("text");
            assert_eq!(value, Some(format!("process {name}")));
        }
    }

    #[test]
    fn a_value_that_is_no_text_is_an_error_that_names_the_variable() {
        let error = environment(None, &[]).get("odd", process).expect_err("no text").to_string();
        assert_eq!(error, "the environment variable SPIN_VARIABLE_ODD is not valid UTF-8");
    }

    #[test]
    fn values_are_not_shown() {
        let environment = environment(None, &[("NAME", "s3cret")]);
        let values = Provider::Static(BTreeMap::from([("name".to_owned(), "s3cret".to_owned())]));
        let shown = format!("{:?} {values:?}", Provider::Environment(environment));
        assert!(shown.contains("NAME") && shown.contains("name") && !shown.contains("s3cret"), "{shown}");
    }
}
