//! The values of application variables, and of what components make of them.
//!
//! Order (spec: the public runtime-config documentation): values given on the command line, then the providers of the
//! runtime configuration in its order, then the environment (`SPIN_VARIABLE_<NAME>`), then the manifest's default.

mod dotenv;
mod provider;
mod vault;

use std::collections::BTreeMap;
use std::fmt;

use spin_app_model::launch::env::VARIABLE_PREFIX;
use spin_app_model::lock::{LockedApp, LockedComponent};
use spin_app_model::{Template, TemplateError};

pub use provider::{Environment, Provider};
pub use vault::{Vault, VaultError};

/// Why a variable has no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// Required, and nobody gave a value.
    #[error("no value for the required variable{} {}: give --variable NAME=VALUE or set {VARIABLE_PREFIX}NAME", if names.len() > 1 { "s" } else { "" }, names.join(", "))]
    Required {
        /// All that lack a value.
        names: Vec<String>,
    },
    /// A template names a variable that the app doesn't declare.
    #[error("unknown variable \"{name}\" in {place}: declare it under [variables]")]
    Unknown {
        /// The name in the template.
        name: String,
        /// Whose template.
        place: String,
    },
    /// A template that can't be read.
    #[error("{place}: {source}")]
    Template {
        /// Whose template.
        place: String,
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A value that was given for nothing.
    #[error("--variable {name}: the application has no such variable; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    Undeclared {
        /// The name that was given.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// A vault doesn't answer as it should.
    #[error("the variable {variable} can't be read from the vault: {url}: {reason}")]
    Vault {
        /// The variable.
        variable: String,
        /// What was asked for.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The environment holds a value that isn't UTF-8.
    #[error("the environment variable {name} is not valid UTF-8")]
    Encoding {
        /// The environment variable.
        name: String,
    },
}

/// The variables of one app, all resolved.
///
/// None of the providers changes while a trigger runs, so everything is resolved once.
pub struct Variables {
    app: BTreeMap<String, String>,
}

impl Variables {
    /// Resolves every variable of `app`; `given` are the values of the command line, and `providers` are asked in their
    /// order for what is not given.
    ///
    /// # Errors
    /// Names every required variable that has no value. What a provider says against a variable ends the search.
    pub async fn resolve(
        app: &LockedApp,
        given: &BTreeMap<String, String>,
        providers: &[Provider],
    ) -> Result<Self, VariableError> {
        if let Some(name) = given.keys().find(|name| !app.variables.contains_key(*name)) {
            let known = app.variables.keys().cloned().collect();
            return Err(VariableError::Undeclared { name: name.clone(), known });
        }
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in &app.variables {
            let mut value = given.get(name).cloned();
            for provider in providers {
                if value.is_some() {
                    break;
                }
                value = provider.get(name).await?;
            }
            match value.or_else(|| variable.default.clone()) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None => missing.push(name.clone()),
            }
        }
        if missing.is_empty() { Ok(Self { app: values }) } else { Err(VariableError::Required { names: missing }) }
    }

    /// The text of a template with the app's variables put in; `place` names it in errors.
    ///
    /// # Errors
    /// For a malformed template and for a variable that the app doesn't declare.
    pub fn expand(&self, template: &str, place: &str) -> Result<String, VariableError> {
        let template =
            Template::parse(template).map_err(|source| VariableError::Template { place: place.to_owned(), source })?;
        template.resolve(|name| {
            let unknown = || VariableError::Unknown { name: name.to_owned(), place: place.to_owned() };
            self.app.get(name).cloned().ok_or_else(unknown)
        })
    }

    /// What `component` sees: its own variables, as its manifest entry makes them from those of the app.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub fn of_component(&self, component: &LockedComponent) -> Result<BTreeMap<String, String>, VariableError> {
        component
            .config
            .iter()
            .map(|(name, template)| {
                let place = format!("variable \"{name}\" of component \"{}\"", component.id);
                Ok((name.clone(), self.expand(template, &place)?))
            })
            .collect()
    }
}

impl fmt::Debug for Variables {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.app.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(variables: &str) -> LockedApp {
        let json = format!(r#"{{"spin_lock_version":0,"variables":{variables},"triggers":[],"components":[]}}"#);
        LockedApp::from_json(json.as_bytes()).expect("a lock")
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn the_command_line_wins_over_providers_in_their_order_and_all_over_the_default() {
        let app = app(r#"{"a":{"default":"d"},"b":{"default":"d"},"c":{"default":"d"},"e":{"default":"d"}}"#);
        let providers = [
            Provider::Static(values(&[("a", "first"), ("b", "first"), ("undeclared", "harmless")])),
            Provider::Static(values(&[("a", "second"), ("b", "second"), ("c", "second")])),
        ];
        let resolved = Variables::resolve(&app, &values(&[("a", "given")]), &providers).await.expect("resolved");
        assert_eq!(resolved.expand("{{ a }}/{{b}}/{{ c }}/{{ e }}", "here").expect("expanded"), "given/first/second/d");
        assert!(!format!("{resolved:?}").contains("first"), "values are not shown");
    }

    #[tokio::test]
    async fn every_required_variable_without_a_value_is_named() {
        let app = app(r#"{"one":{},"two":{},"token":{}}"#);
        let providers = [Provider::Static(values(&[("token", "t")]))];
        let error = Variables::resolve(&app, &BTreeMap::new(), &providers).await.expect_err("two are missing");
        assert_eq!(
            error.to_string(),
            "no value for the required variables one, two: give --variable NAME=VALUE or set SPIN_VARIABLE_NAME"
        );
    }

    #[tokio::test]
    async fn what_is_not_declared_is_refused() {
        let app = app(r#"{"one":{"default":""}}"#);
        let error =
            Variables::resolve(&app, &values(&[("oen", "secret")]), &[]).await.expect_err("unknown").to_string();
        assert!(error.contains("oen") && error.contains("one") && !error.contains("secret"), "{error}");
        let values = Variables::resolve(&app, &BTreeMap::new(), &[]).await.expect("resolved");
        assert!(matches!(values.expand("{{ two }}", "here"), Err(VariableError::Unknown { .. })));
    }
}
