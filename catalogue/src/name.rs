//! Plugin names. A [`PluginName`] can only be made by its parser, and paths are only joined from it.
//!
//! Must not know where plugins are kept: it answers "is this a safe name", nothing else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
pub const MAX_LEN: usize = 64;

/// Names of `spin`'s own commands, present and planned. A plugin of such a name could never be reached, so it is not
/// installed.
const RESERVED: &[&str] = &[
    "a",
    "add",
    "b",
    "build",
    "cache",
    "check",
    "completions",
    "d",
    "deploy",
    "doctor",
    "external",
    "help",
    "login",
    "maintenance",
    "n",
    "new",
    "oci",
    "plugin",
    "plugins",
    "registry",
    "template",
    "templates",
    "trigger",
    "u",
    "up",
    "version",
    "w",
    "watch",
];

/// Names that open a device instead of a file on Windows, whatever their extension.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The name of a plugin: `[a-z0-9][a-z0-9._-]{0,63}`, without `..`, not ending in a dot, not a device name.
///
/// Such a name is safe as a file name on every platform we support and needs no case folding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(String);

impl PluginName {
    /// The plugin that serves triggers of type `trigger_type`: `trigger-<type>`.
    pub fn for_trigger(trigger_type: &str) -> Result<Self, NameError> {
        format!("trigger-{trigger_type}").parse()
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trigger type that this plugin serves, if it is a trigger plugin.
    pub fn trigger_type(&self) -> Option<&str> {
        self.0.strip_prefix("trigger-").filter(|rest| !rest.is_empty())
    }

    /// Whether one of `spin`'s own commands has this name.
    pub fn is_reserved(&self) -> bool {
        RESERVED.contains(&self.as_str())
    }
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refuse = |problem| Err(NameError { name: shown(text), problem });
        if text.is_empty() {
            return refuse(NameProblem::Empty);
        }
        if text.len() > MAX_LEN {
            return refuse(NameProblem::TooLong);
        }
        if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-')) {
            // Only the case may be wrong: say so then, since the fix is obvious.
            let lower = text.to_ascii_lowercase();
            return match (lower != text).then(|| lower.parse::<Self>()) {
                Some(Ok(fixed)) => refuse(NameProblem::UpperCase(fixed.0)),
                _ => refuse(NameProblem::Character(bad)),
            };
        }
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return refuse(NameProblem::Start);
        }
        if text.contains("..") || text.ends_with('.') {
            return refuse(NameProblem::Dots);
        }
        let stem = text.split('.').next().unwrap_or(text);
        let numbered = |prefix: &str| {
            stem.strip_prefix(prefix).is_some_and(|n| n.len() == 1 && n.starts_with(|c: char| c.is_ascii_digit()))
        };
        if DEVICES.contains(&stem) || numbered("com") || numbered("lpt") {
            return refuse(NameProblem::Device);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Text from outside, made fit for a message: escaped and cut.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 80;
    let escaped = text.escape_debug().to_string();
    match escaped.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &escaped[..at]),
        None => escaped,
    }
}

impl TryFrom<String> for PluginName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PluginName> for String {
    fn from(name: PluginName) -> Self {
        name.0
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not a plugin name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not a plugin name: {problem}")]
pub struct NameError {
    /// The text, escaped and cut for display.
    pub name: String,
    /// What is wrong with it.
    pub problem: NameProblem,
}

impl NameError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "plugin::bad-name"
    }
}

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameProblem {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// Longer than [`MAX_LEN`].
    #[error("it is longer than {MAX_LEN} characters")]
    TooLong,
    /// Right but for its case.
    #[error("plugin names are lower case; did you mean '{0}'?")]
    UpperCase(String),
    /// A character that names cannot hold.
    #[error("{0:?} is not allowed; use a-z, 0-9, '.', '_' and '-'")]
    Character(char),
    /// Starts with punctuation.
    #[error("it must start with a letter or a digit")]
    Start,
    /// `..`, or a dot at the end.
    #[error("it must not contain '..' or end with a dot")]
    Dots,
    /// A device name of Windows.
    #[error("it is the name of a device on Windows")]
    Device,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts_the_names_of_the_public_catalogue() {
        for name in
            ["aka", "check-for-update", "cloud-gpu", "js2wasm", "py2wasm", "trigger-sqs", "a.b_c-d", "com", "com10"]
        {
            assert_eq!(name.parse::<PluginName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_names_that_are_not_safe_as_file_names() {
        let long = "a".repeat(65);
        for name in [
            "",
            ".",
            "..",
            "/abs",
            "a/b",
            "a\\b",
            "a\0",
            &long,
            "tr\u{456}gger",
            "ends.",
            "a..b",
            "-a",
            ".a",
            "_a",
            "con",
            "nul.txt",
            "com1",
            "lpt9.x",
            "a b",
            "a:b",
            "a\n",
        ] {
            assert!(name.parse::<PluginName>().is_err(), "{name:?} was accepted");
        }
        assert!("a".repeat(64).parse::<PluginName>().is_ok());
    }

    #[test]
    fn upper_case_is_refused_with_the_right_spelling() {
        let error = "Trigger-HTTP".parse::<PluginName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "'Trigger-HTTP' is not a plugin name: plugin names are lower case; did you mean 'trigger-http'?"
        );
    }

    #[test]
    fn messages_escape_what_came_from_outside() {
        let error = "a\x1b]52;c;eA==\x07".parse::<PluginName>().unwrap_err().to_string();
        assert!(!error.contains('\x1b') && !error.contains('\x07'), "{error:?}");
        assert!("x/".repeat(5000).parse::<PluginName>().unwrap_err().to_string().len() < 300);
    }

    #[test]
    fn reserved_names_and_trigger_types() {
        assert!("up".parse::<PluginName>().unwrap().is_reserved());
        assert!(!"kube".parse::<PluginName>().unwrap().is_reserved());
        assert_eq!(PluginName::for_trigger("http").unwrap().trigger_type(), Some("http"));
        assert_eq!("kube".parse::<PluginName>().unwrap().trigger_type(), None);
        assert!(PluginName::for_trigger("../x").is_err());
    }

    proptest! {
        #[test]
        fn an_accepted_name_is_one_safe_path_component(text in "\\PC{0,80}|[a-z0-9._-]{0,70}|[.]{0,3}[a-z/]{0,4}") {
            if let Ok(name) = text.parse::<PluginName>() {
                let path = std::path::Path::new(name.as_str());
                prop_assert_eq!(path.components().count(), 1);
                prop_assert!(matches!(path.components().next(), Some(std::path::Component::Normal(_))));
                prop_assert_eq!(name.to_string(), text.clone());
                prop_assert_eq!(text.to_lowercase(), text);
            }
        }

        #[test]
        fn well_formed_names_are_accepted(text in "[a-z0-9]([a-z0-9_-]{0,30}[.])?[a-z0-9_-]{4,30}") {
            prop_assume!(!DEVICES.contains(&text.split('.').next().unwrap()));
            prop_assume!(!text.starts_with("com") && !text.starts_with("lpt"));
            prop_assert!(text.parse::<PluginName>().is_ok());
        }

        #[test]
        fn json_accepts_exactly_what_the_parser_accepts(text in "[a-zA-Z0-9._/-]{0,12}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<PluginName>(&json).ok(), text.parse().ok());
        }
    }
}
