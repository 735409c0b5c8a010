//! The layout of a catalogue: which file lies where below its root. Pure; reading is [`Directory`](crate::Directory)'s.
//!
//! ```text
//! index.json                          every release (may be absent in a folder)
//! index.json.minisig                  its signature, if the catalogue's keeper signs
//! manifests/NAME/NAME@VERSION.json    one release
//! manifests/NAME/NAME.json            the latest release, for readers that know no index
//! manifests/NAME/NAME-VERSION-OS-ARCH.tar.gz           its packages, if the catalogue carries them
//! manifests/NAME/NAME-VERSION-OS-ARCH.tar.gz.minisig   their signatures
//! ```

use crate::{Platform, PluginName, RelativePath, ReleaseVersion};

/// The folder of manifests.
pub const MANIFESTS: &str = "manifests";

/// Where the index lies.
pub fn index() -> RelativePath {
    path("index.json".to_owned())
}

/// Where the signature of the index lies.
pub fn index_signature() -> RelativePath {
    path("index.json.minisig".to_owned())
}

/// The folder of one plugin.
pub fn plugin_folder(name: &PluginName) -> RelativePath {
    path(format!("{MANIFESTS}/{name}"))
}

/// The manifest of the latest release of a plugin.
pub fn latest_manifest(name: &PluginName) -> RelativePath {
    path(format!("{MANIFESTS}/{name}/{name}.json"))
}

/// The manifest of one release of a plugin.
pub fn release_manifest(name: &PluginName, version: &ReleaseVersion) -> RelativePath {
    path(format!("{MANIFESTS}/{name}/{name}@{version}.json"))
}

/// The name of an archive; it lies beside the manifest, so this is also the package's `url`.
pub fn archive_name(name: &PluginName, version: &ReleaseVersion, platform: Platform) -> RelativePath {
    path(format!("{name}-{version}-{platform}.tar.gz"))
}

fn path(text: String) -> RelativePath {
    text.parse().expect("names, versions and platforms are made of characters that paths may hold")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_and_version_has_a_place(name in "[a-z0-9][a-z0-9._-]{0,63}", version in "[A-Za-z0-9][A-Za-z0-9.+_-]{0,127}") {
            let (Ok(name), Ok(version)) = (name.parse::<PluginName>(), version.parse::<ReleaseVersion>()) else { return Ok(()) };
            let platform = "linux-amd64".parse().unwrap();
            let manifest = release_manifest(&name, &version);
            let archive = manifest.beside(&archive_name(&name, &version, platform));
            prop_assert!(archive.as_str().starts_with(plugin_folder(&name).as_str()));
            prop_assert!(latest_manifest(&name).as_str().ends_with(".json"));
        }
    }
}
