//! A plugin as it is named on the command line: `NAME` or `NAME@VERSION`.

use std::str::FromStr;

use semver::{Version, VersionReq};
use spin_catalogue::{PluginName, ReleaseVersion};
use spin_plugin_manager::exactly;

/// A plugin to get, with the versions that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) name: PluginName,
    pub(crate) version: Option<VersionReq>,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = divide(text)?;
        Ok(Self { name, version: version.map(requirement).transpose()? })
    }
}

/// A plugin that is there, with the version that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) name: PluginName,
    pub(crate) version: Option<ReleaseVersion>,
}

impl FromStr for Held {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = divide(text)?;
        let version = version.map(|version| version.parse::<ReleaseVersion>().map_err(|error| error.to_string()));
        Ok(Self { name, version: version.transpose()? })
    }
}

fn divide(text: &str) -> Result<(PluginName, Option<&str>), String> {
    let (name, version) = match text.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let name = name.parse().map_err(|error: spin_catalogue::name::NameError| error.to_string())?;
    Ok((name, version))
}

/// A whole version means that one and no other; anything less is a range.
pub(crate) fn requirement(text: &str) -> Result<VersionReq, String> {
    match text.parse::<Version>() {
        Ok(version) => Ok(exactly(&version)),
        Err(_) => text.parse().map_err(|error| format!("\"{text}\" is no version: {error}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_plugin_is_named_with_or_without_a_version() {
        let wanted = |text: &str| text.parse::<Wanted>().unwrap();
        assert_eq!(wanted("trigger-http").version, None);
        assert_eq!(wanted("trigger-http@1.2.3").version, Some("=1.2.3".parse().unwrap()));
        assert_eq!(wanted("trigger-http@1.2").version, Some("1.2".parse().unwrap()));
        for bad in ["../x", "", "x@", "x@one", "X"] {
            assert!(bad.parse::<Wanted>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_installed_version_is_named_as_it_is_even_if_it_is_no_semantic_one() {
        let held = |text: &str| text.parse::<Held>().unwrap();
        assert_eq!(held("trigger-kinesis@0.1").version.unwrap(), "0.1");
        assert_eq!(held("trigger-kinesis").version, None);
        for bad in ["x@", "x@../y", "x@^1", "../x"] {
            assert!(bad.parse::<Held>().is_err(), "{bad}");
        }
    }
}
