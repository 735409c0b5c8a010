//! Abilities of a host that an application needs, and whether a trigger has them.

use std::collections::BTreeSet;

use super::model::LockedApp;

/// Requests to `*.spin.internal` reach components of the same application without the network.
pub const LOCAL_SERVICE_CHAINING: &str = "local_service_chaining";

/// The name in `must_understand` of the application's own requirements.
pub const HOST_REQUIREMENTS: &str = "host_requirements";

/// The name in `must_understand` of the requirements of components.
pub const COMPONENT_HOST_REQUIREMENTS: &str = "component_host_requirements";

/// Every requirement that this version can read. Which of them a *trigger* meets is for the trigger to say.
pub(super) const KNOWN: &[&str] = &[LOCAL_SERVICE_CHAINING];

/// The application needs abilities that the trigger does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this application requires the following features that are not available in this version of the \
     '{trigger_type}' trigger: {}",
    .names.join(", ")
)]
#[non_exhaustive]
pub struct UnavailableRequirements {
    /// The type of the trigger that was asked to run the application.
    pub trigger_type: String,
    /// The requirements it does not meet, sorted.
    pub names: Vec<String>,
}

impl UnavailableRequirements {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "lock::unavailable-requirements"
    }
}

impl LockedApp {
    /// Checks that a trigger can run its part of the application.
    ///
    /// What counts are the requirements of the application and of the components that triggers of this type use.
    /// Components used only by other triggers may require whatever they like.
    ///
    /// # Errors
    ///
    /// [`UnavailableRequirements`], naming all that are missing.
    pub fn require_only(&self, trigger_type: &str, supported: &[&str]) -> Result<(), UnavailableRequirements> {
        let of_components = self.components_of(trigger_type).flat_map(|component| component.host_requirements.keys());
        let missing: BTreeSet<&str> = self
            .host_requirements
            .keys()
            .chain(of_components)
            .map(String::as_str)
            .filter(|name| !supported.contains(name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let names = missing.into_iter().map(str::to_owned).collect();
        Err(UnavailableRequirements { trigger_type: trigger_type.to_owned(), names })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use serde_json::json;

    use super::*;
    use crate::lock::{LockedComponent, LockedSource, LockedTrigger};

    fn app() -> LockedApp {
        let mut chained = LockedComponent::new("chained".parse().unwrap(), LockedSource::wasm_at("file:///a.wasm"));
        chained.host_requirements.insert(LOCAL_SERVICE_CHAINING.into(), "required".into());
        let plain = LockedComponent::new("plain".parse().unwrap(), LockedSource::wasm_at("file:///b.wasm"));
        let trigger = |kind: &str, component: &str| {
            LockedTrigger::new(kind, kind.parse().unwrap(), json!({ "component": component }))
        };
        LockedApp {
            triggers: vec![trigger("http", "chained"), trigger("redis", "plain"), trigger("cron", "chained")],
            components: vec![chained, plain],
            ..LockedApp::default()
        }
    }

    #[test]
    fn a_trigger_answers_only_for_its_own_components() {
        let app = app();
        assert_eq!(app.require_only("http", &[LOCAL_SERVICE_CHAINING]), Ok(()));
        assert_eq!(app.require_only("redis", &[]), Ok(()));
        assert_eq!(
            app.require_only("cron", &[]).unwrap_err().to_string(),
            "this application requires the following features that are not available in this version of the 'cron' \
             trigger: local_service_chaining"
        );
    }

    #[test]
    fn requirements_of_the_application_bind_every_trigger() {
        let mut app = app();
        app.host_requirements.insert(LOCAL_SERVICE_CHAINING.into(), "required".into());
        assert!(app.require_only("redis", &[]).is_err());
    }
}
