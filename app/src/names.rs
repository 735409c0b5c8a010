//! Names that come from outside and become part of paths, commands or plugin names.
//!
//! A [`ComponentId`] or [`TriggerType`] can only be made by parsing, so a value of one of these types is always safe
//! to use as a file name. The rules here are those of *reading*: they accept every id that a lock file of any age may
//! hold. The stricter rules for what a person may write in a manifest live with the manifest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The trigger type of a bare `.wasm` file, which has no manifest to say so.
///
/// Nothing else in the host may depend on the name of a trigger type.
pub const HTTP: &str = "http";

/// The longest component id.
pub(crate) const MAX_COMPONENT_ID: usize = 128;

/// The longest trigger type: `trigger-` and the type together must fit a plugin name.
pub(crate) const MAX_TRIGGER_TYPE: usize = 64 - "trigger-".len();

/// A name that breaks the rules of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a {kind}: {reason}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What the name should have been, for example `component id`.
    pub kind: &'static str,
    /// The name as given, shortened when it is absurdly long.
    pub name: String,
    /// Which rule it breaks.
    pub reason: String,
}

impl InvalidName {
    fn new(kind: &'static str, name: &str, reason: impl Into<String>) -> Self {
        let mut shown: String = name.chars().take(MAX_COMPONENT_ID).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        Self { kind, name: shown, reason: reason.into() }
    }

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "name::invalid"
    }
}

/// The id of a component.
///
/// One to 128 characters: first a letter or digit, then letters, digits, `.`, `_` and `-`; no `..`, no `.` at the end.
///
/// ```
/// use spin_app_model::ComponentId;
///
/// let id: ComponentId = "hello-world".parse()?;
/// assert_eq!(id.as_str(), "hello-world");
/// assert!("../hello".parse::<ComponentId>().is_err());
/// # Ok::<(), spin_app_model::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ComponentId(String);

/// The type of a trigger: the `http` of `[[trigger.http]]`.
///
/// Lower-case letters, digits, `_` and `-`, starting with a letter or digit, at most 56 characters.
///
/// ```
/// use spin_app_model::TriggerType;
///
/// let http: TriggerType = "http".parse()?;
/// assert_eq!(http.plugin_name(), "trigger-http");
/// # Ok::<(), spin_app_model::InvalidName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TriggerType(String);

impl ComponentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(name: &str) -> Result<(), String> {
        check_shape(name, MAX_COMPONENT_ID, |c| c.is_ascii_alphanumeric(), "._-")?;
        if name.contains("..") {
            return Err("it has two dots in a row".into());
        }
        if name.ends_with('.') {
            return Err("it ends with a dot".into());
        }
        Ok(())
    }
}

impl TriggerType {
    /// The type as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the plugin that runs triggers of this type.
    #[must_use]
    pub fn plugin_name(&self) -> String {
        format!("trigger-{}", self.0)
    }

    /// The type `http`; see [`HTTP`].
    #[must_use]
    pub fn http() -> Self {
        Self(HTTP.to_owned())
    }

    fn check(name: &str) -> Result<(), String> {
        if name.chars().any(|c| c.is_ascii_uppercase()) {
            return Err("it must be written in lower case".into());
        }
        check_shape(name, MAX_TRIGGER_TYPE, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), "_-")
    }
}

/// What both kinds of names share: a length, a first character, and a set of further characters.
fn check_shape(name: &str, longest: usize, word: impl Fn(char) -> bool, marks: &str) -> Result<(), String> {
    let Some(first) = name.chars().next() else {
        return Err("it is empty".into());
    };
    if name.len() > longest {
        return Err(format!("it is longer than {longest} characters"));
    }
    if !word(first) {
        return Err(format!("it must start with a letter or digit, not {first:?}"));
    }
    match name.chars().find(|&c| !word(c) && !marks.contains(c)) {
        Some(odd) => Err(format!("{odd:?} is not allowed in it")),
        None => Ok(()),
    }
}

/// The conversions that every parsed name has.
macro_rules! parsed_name {
    ($type:ident, $kind:literal) => {
        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(name: &str) -> Result<Self, InvalidName> {
                match Self::check(name) {
                    Ok(()) => Ok(Self(name.to_owned())),
                    Err(reason) => Err(InvalidName::new($kind, name, reason)),
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(name: String) -> Result<Self, InvalidName> {
                name.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

parsed_name!(ComponentId, "component id");
parsed_name!(TriggerType, "trigger type");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn component_ids_of_every_age_are_read() {
        for name in ["hello", "Hello_World", "hello-world", "a.b", "9lives", "x", &"a".repeat(128)] {
            assert_eq!(name.parse::<ComponentId>().unwrap(), name);
        }
    }

    #[test]
    fn names_that_could_leave_a_folder_are_refused() {
        let long = "a".repeat(300);
        for name in ["", ".", "..", "/abs", "a/b", "a\\b", "a\0", "a..b", "a.", "-a", "_a", "а", "a b", "a\n", &long] {
            assert!(name.parse::<ComponentId>().is_err(), "{name:?}");
            assert!(name.parse::<TriggerType>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn messages_name_the_rule() {
        let message = |name: &str| name.parse::<ComponentId>().unwrap_err().to_string();
        assert_eq!(message(""), r#""" is not a component id: it is empty"#);
        assert_eq!(message("a/b"), r#""a/b" is not a component id: '/' is not allowed in it"#);
        assert_eq!(message("a."), r#""a." is not a component id: it ends with a dot"#);
        let upper = "HTTP".parse::<TriggerType>().unwrap_err().to_string();
        assert_eq!(upper, r#""HTTP" is not a trigger type: it must be written in lower case"#);
    }

    #[test]
    fn an_absurd_name_is_shown_shortened() {
        let message = "x".repeat(10_000).parse::<ComponentId>().unwrap_err().to_string();
        assert!(message.len() < 300, "{message}");
    }

    #[test]
    fn serde_checks_too() {
        assert!(serde_json::from_str::<ComponentId>(r#""a/b""#).is_err());
        let kind: TriggerType = serde_json::from_str(r#""aws-sqs""#).unwrap();
        assert_eq!(serde_json::to_string(&kind).unwrap(), r#""aws-sqs""#);
    }

    proptest! {
        #[test]
        fn a_parsed_id_is_one_ordinary_path_component(name in ".{0,40}") {
            if let Ok(id) = name.parse::<ComponentId>() {
                let parts: Vec<_> = Path::new(id.as_str()).components().collect();
                prop_assert_eq!(parts.len(), 1);
                prop_assert!(matches!(parts[0], Component::Normal(part) if part == name.as_str()));
            }
        }

        #[test]
        fn well_formed_ids_survive_a_round_trip(name in "[A-Za-z0-9][A-Za-z0-9_-]{0,60}") {
            let id: ComponentId = name.parse().unwrap();
            prop_assert_eq!(id.to_string(), name);
        }

        #[test]
        fn well_formed_types_survive_a_round_trip(name in "[a-z0-9][a-z0-9_-]{0,55}") {
            let kind: TriggerType = name.parse().unwrap();
            prop_assert_eq!(kind.plugin_name(), format!("trigger-{name}"));
        }
    }
}
