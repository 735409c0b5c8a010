//! Names of metrics and labels: parsed once, so that whatever carries one can be written without a look.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest name of either kind, in bytes.
const MAX_LENGTH: usize = 128;

/// The name of a metric, such as `spin_events_total`.
///
/// Letters, digits and `_`, not starting with a digit, at most 128 of them. Colons, which Prometheus sets aside for the
/// person who writes its rules, are not allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength" = MAX_LENGTH))]
pub struct MetricName(String);

/// The name of a label, such as `component`.
///
/// Spelled like a [`MetricName`]. `le` and `quantile`, which Prometheus gives a meaning, and names that begin with `__`,
/// which it keeps to itself, are not allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline, extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength" = MAX_LENGTH))]
pub struct LabelName(String);

/// A text that can't be the name of a metric or of a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not the name of a {kind}: {reason}")]
#[non_exhaustive]
pub struct InvalidMetricName {
    /// What it should have named: `metric` or `label`.
    pub kind: &'static str,
    /// The name as given, shortened when it is absurdly long.
    pub name: String,
    /// Which rule it breaks.
    pub reason: &'static str,
}

impl InvalidMetricName {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "metric::name"
    }
}

fn check(kind: &'static str, name: &str) -> Result<(), InvalidMetricName> {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let reason = match name.as_bytes() {
        [] => "it is empty",
        bytes if bytes.len() > MAX_LENGTH => "it has more than 128 characters",
        [first, ..] if !is_letter(*first) => "it must start with a letter or an underscore",
        [_, rest @ ..] if !rest.iter().all(|byte| is_letter(*byte) || byte.is_ascii_digit()) => {
            "it may have letters, digits and underscores only"
        }
        _ if kind == "label" && (matches!(name, "le" | "quantile") || name.starts_with("__")) => {
            "Prometheus has a meaning of its own for it"
        }
        _ => return Ok(()),
    };
    Err(InvalidMetricName { kind, name: name.chars().take(MAX_LENGTH).collect(), reason })
}

macro_rules! name {
    ($type:ident, $kind:literal) => {
        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidMetricName;

            fn from_str(name: &str) -> Result<Self, InvalidMetricName> {
                check($kind, name).map(|()| Self(name.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidMetricName;

            fn try_from(name: String) -> Result<Self, InvalidMetricName> {
                check($kind, &name).map(|()| Self(name))
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(MetricName, "metric");
name!(LabelName, "label");
