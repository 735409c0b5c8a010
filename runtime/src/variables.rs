//! The values of application variables, and of what components make of them.
//!
//! Order of the providers (spec: the public runtime-config documentation): values given on the command
//! line, then the environment (`SPIN_VARIABLE_<NAME>`), then the manifest's default.

use std::collections::BTreeMap;

use spin_app_model::launch::env::VARIABLE_PREFIX;
use spin_app_model::lock::{LockedApp, LockedComponent};
use spin_app_model::{Template, TemplateError};

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
    /// The environment holds a value that isn't UTF-8.
    #[error("the environment variable {name} is not valid UTF-8")]
    Encoding {
        /// The environment variable.
        name: String,
    },
}

/// The variables of one app, all resolved.
///
/// The environment and the command line don't change while a trigger runs, so everything is resolved once.
#[derive(Debug)]
pub struct Variables {
    app: BTreeMap<String, String>,
}

impl Variables {
    /// Resolves every variable of `app`; `given` are the values of the command line.
    ///
    /// # Errors
    /// Names every required variable that has no value.
    pub fn resolve(app: &LockedApp, given: &BTreeMap<String, String>) -> Result<Self, VariableError> {
        Self::resolve_with(app, given, |name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(VariableError::Encoding { name: name.to_owned() }),
        })
    }

    fn resolve_with(
        app: &LockedApp,
        given: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Result<Option<String>, VariableError>,
    ) -> Result<Self, VariableError> {
        if let Some(name) = given.keys().find(|name| !app.variables.contains_key(*name)) {
            let known = app.variables.keys().cloned().collect();
            return Err(VariableError::Undeclared { name: name.clone(), known });
        }
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in &app.variables {
            let value = match given.get(name) {
                Some(value) => Some(value.clone()),
                None => environment(&format!("{VARIABLE_PREFIX}{}", name.to_uppercase()))?
                    .or_else(|| variable.default.clone()),
            };
            match value {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn app(variables: &str) -> LockedApp {
        let json = format!(r#"{{"spin_lock_version":0,"variables":{variables},"triggers":[],"components":[]}}"#);
        LockedApp::from_json(json.as_bytes()).expect("a lock")
    }

    fn environment(name: &str) -> Result<Option<String>, VariableError> {
        Ok((name == "SPIN_VARIABLE_TOKEN").then(|| "from the environment".to_owned()))
    }

    #[test]
    fn the_command_line_wins_over_the_environment_and_both_over_the_default() {
        let app = app(r#"{"token":{"default":"d"},"other":{"default":"d"}}"#);
        let values = Variables::resolve_with(&app, &BTreeMap::new(), environment).expect("resolved");
        assert_eq!(values.expand("{{ token }}/{{ other }}", "here").expect("expanded"), "from the environment/d");
        let given = BTreeMap::from([("token".to_owned(), "given".to_owned())]);
        let values = Variables::resolve_with(&app, &given, environment).expect("resolved");
        assert_eq!(values.expand("{{token}}", "here").expect("expanded"), "given");
    }

    #[test]
    fn every_required_variable_without_a_value_is_named() {
        let app = app(r#"{"one":{},"two":{},"token":{}}"#);
        let error = Variables::resolve_with(&app, &BTreeMap::new(), environment).expect_err("two are missing");
        assert_eq!(
            error.to_string(),
            "no value for the required variables one, two: give --variable NAME=VALUE or set SPIN_VARIABLE_NAME"
        );
    }

    #[test]
    fn what_is_not_declared_is_refused() {
        let app = app(r#"{"one":{"default":""}}"#);
        let given = BTreeMap::from([("oen".to_owned(), "secret".to_owned())]);
        let error = Variables::resolve_with(&app, &given, environment).expect_err("unknown").to_string();
        assert!(error.contains("oen") && error.contains("one") && !error.contains("secret"), "{error}");
        let values = Variables::resolve_with(&app, &BTreeMap::new(), environment).expect("resolved");
        assert!(matches!(values.expand("{{ two }}", "here"), Err(VariableError::Unknown { .. })));
    }
}
