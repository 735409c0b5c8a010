//! What the manifest says about this trigger: one `[[trigger.http]]` entry, and `[application.trigger.http]`.
//!
//! Reading is strict and every message names the key. What an entry means for the app as a whole (which routes there are,
//! what serves them) is decided elsewhere.
//!
//! ```
//! use trigger_http::config::{HttpTriggerConfig, RouteConfig, Target};
//!
//! let entry: HttpTriggerConfig = serde_json::from_str(r#"{"component": "front", "route": "/..."}"#)?;
//! assert_eq!(entry.route, RouteConfig::Path("/...".to_owned()));
//! assert!(matches!(entry.target("front-http-trigger")?, Target::Component(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod read;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;
use spin_trigger_kit::ComponentId;

use crate::range::Range;
use crate::static_response::{StaticResponse, StaticResponseError};

/// One `[[trigger.http]]` entry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTriggerConfig {
    /// The component that answers. Exactly one of this and `static_response`.
    pub component: Option<ComponentId>,
    /// The answer itself, sent without running anything.
    pub static_response: Option<StaticResponse>,
    /// Which paths it serves.
    pub route: RouteConfig,
    /// How the component is called.
    #[serde(default)]
    pub executor: ExecutorConfig,
    /// As the flag `--max-instance-reuse-count`, for this entry.
    #[serde(default, deserialize_with = "read::max_instance_reuse_count")]
    pub max_instance_reuse_count: Option<Range<u32>>,
    /// As the flag `--max-instance-concurrent-reuse-count`, for this entry.
    #[serde(default, deserialize_with = "read::max_instance_concurrent_reuse_count")]
    pub max_instance_concurrent_reuse_count: Option<Range<u32>>,
    /// As the flag `--idle-instance-timeout`, for this entry.
    #[serde(default, deserialize_with = "read::idle_instance_timeout")]
    pub idle_instance_timeout: Option<Range<Duration>>,
    /// As the flag `--request-timeout`, for this entry.
    #[serde(default, deserialize_with = "read::request_timeout")]
    pub request_timeout: Option<Range<Duration>>,
    /// As the flag `--reuse-p2-instances`, for this entry.
    pub reuse_p2_instances: Option<bool>,
}

/// `route`: a pattern, or `{ private = true }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteConfig {
    /// As written in the manifest.
    Path(String),
    /// Reachable from other components of the app only.
    Private,
}

/// `executor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ExecutorConfig {
    /// `{ type = "http" }` or `{ type = "spin" }`: by what the component exports.
    #[default]
    Http,
    /// `{ type = "wagi" }`: a command, called as a CGI script.
    Wagi(WagiConfig),
}

/// The settings of the `wagi` executor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WagiConfig {
    /// The template of the arguments.
    pub argv: String,
}

/// What answers a request that an entry's route matched.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A component.
    Component(&'a ComponentId),
    /// A response from the manifest.
    Static(&'a StaticResponse),
}

/// `[application.trigger.http]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Once the common beginning of all routes; only `/`, which means nothing, is accepted.
    pub base: Option<String>,
}

/// A setting that has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseIsIgnored;

/// What is wrong with an entry or the settings, beyond their form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither or both of component and static response.
    #[error("triggers must specify either component or static_response - {id} has {has}")]
    Target {
        /// The trigger.
        id: String,
        /// `neither` or `both`.
        has: &'static str,
    },
    /// A static response that could not be sent.
    #[error("static_response of trigger {id}: {problem}")]
    StaticResponse {
        /// The trigger.
        id: String,
        /// Why.
        #[source]
        problem: StaticResponseError,
    },
    /// A base other than `/`.
    #[error(
        "`base = \"{base}\"` in [application.trigger.http] is not supported; put it in front of every route instead"
    )]
    Base {
        /// Its value.
        base: String,
    },
}

impl HttpTriggerConfig {
    /// What answers: the component, or the static response. `id` is the trigger's, for the message.
    pub fn target(&self, id: &str) -> Result<Target<'_>, ConfigError> {
        let error = |has| ConfigError::Target { id: id.to_owned(), has };
        match (&self.component, &self.static_response) {
            (Some(component), None) => Ok(Target::Component(component)),
            (None, Some(response)) => Ok(Target::Static(response)),
            (None, None) => Err(error("neither")),
            (Some(_), Some(_)) => Err(error("both")),
        }
    }

    /// The name of the entry in messages and listings: its component, or the trigger's own.
    pub fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.component.as_ref().map_or(id, ComponentId::as_str)
    }
}

impl HttpSettings {
    /// Refuses what cannot be honoured; tells what has no effect.
    pub fn check(&self) -> Result<Option<BaseIsIgnored>, ConfigError> {
        match self.base.as_deref() {
            None => Ok(None),
            Some("/") => Ok(Some(BaseIsIgnored)),
            Some(base) => Err(ConfigError::Base { base: base.to_owned() }),
        }
    }
}

impl std::fmt::Display for BaseIsIgnored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`base = \"/\"` in [application.trigger.http] has no effect and can be removed")
    }
}
