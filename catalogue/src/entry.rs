//! [`PluginManifest`]: one release as its author describes it, in the public JSON format.
//!
//! Unknown fields are ignored. A package for an operating system or architecture we do not know is left out and
//! does not hide the others.

use serde::{Deserialize, Serialize};

use crate::{Arch, Os, Platform, PluginName, ReleaseVersion, Sha256};

/// The largest manifest that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// What the author of a plugin says about one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginManifest {
    /// The name, which is also that of the executable.
    pub name: PluginName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where to read more. Any text: check it before showing it as a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// The version.
    pub version: ReleaseVersion,
    /// Versions of Spin that it works with, a semver requirement.
    pub spin_compatibility: String,
    /// The licence, free text.
    pub license: String,
    /// The packages, one for each platform.
    #[serde(deserialize_with = "known_packages")]
    pub packages: Vec<Package>,
    /// What only plugins that are triggers have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerTable>,
}

/// The `trigger` table of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerTable {
    /// The trigger protocols that the plugin speaks.
    #[serde(default)]
    pub protocols: Vec<u32>,
}

/// An archive for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "RawPackage")]
pub struct Package {
    /// The platform it runs on.
    pub platform: Platform,
    /// Where it lies, as written; see [`PackageLocation`](crate::PackageLocation). It is parsed when it is needed,
    /// so that an odd URL for one platform is no obstacle on another.
    pub url: String,
    /// The digest of the archive.
    pub sha256: Sha256,
}

/// A package as it stands in the file.
#[derive(Clone, Serialize, Deserialize)]
struct RawPackage {
    os: String,
    arch: String,
    url: String,
    sha256: String,
}

impl From<Package> for RawPackage {
    fn from(package: Package) -> Self {
        Self {
            os: package.platform.os.as_str().to_owned(),
            arch: package.platform.arch.as_str().to_owned(),
            url: package.url,
            sha256: package.sha256.to_string(),
        }
    }
}

fn known_packages<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Vec<Package>, D::Error> {
    let mut packages = Vec::new();
    for raw in Vec::<RawPackage>::deserialize(input)? {
        let (Some(os), Some(arch)) = (Os::from_word(&raw.os), Arch::from_word(&raw.arch)) else { continue };
        let platform = Platform { os, arch };
        let sha256 = raw
            .sha256
            .parse()
            .map_err(|error| serde::de::Error::custom(format_args!("in the package for {platform}: {error}")))?;
        packages.push(Package { platform, url: raw.url, sha256 });
    }
    Ok(packages)
}

impl PluginManifest {
    /// Reads a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The manifest as it is stored: the same bytes for the same content, ending in a newline.
    pub fn to_json(&self) -> String {
        let mut text =
            serde_json::to_string_pretty(self).expect("a manifest has no map with keys that are not strings");
        text.push('\n');
        text
    }

    /// The package for `platform`. The first one counts if there are several.
    pub fn package(&self, platform: Platform) -> Option<&Package> {
        self.packages.iter().find(|package| package.platform == platform)
    }

    /// The platforms that there are packages for.
    pub fn platforms(&self) -> impl Iterator<Item = Platform> {
        self.packages.iter().map(|package| package.platform)
    }

    /// The trigger protocols it names; empty if it names none, which means the one without a channel.
    pub fn protocols(&self) -> &[u32] {
        self.trigger.as_ref().map_or(&[], |trigger| &trigger.protocols)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOLDEN: &str = include_str!("../tests/data/formats/v1/manifest.json");
    const PUBLIC: &str = include_str!("../tests/data/formats/v1/manifest-public.json");

    #[test]
    fn the_golden_manifest_is_read_and_written_byte_for_byte() {
        let manifest = PluginManifest::parse(GOLDEN.as_bytes()).unwrap();
        assert_eq!(manifest.name.as_str(), "trigger-demo");
        assert_eq!(manifest.protocols(), [1]);
        assert_eq!(manifest.packages.len(), 2);
        assert_eq!(manifest.to_json(), GOLDEN);
    }

    #[test]
    fn a_manifest_of_the_public_kind_is_read() {
        let manifest = PluginManifest::parse(PUBLIC.as_bytes()).unwrap();
        assert_eq!(manifest.version, "0.1");
        assert_eq!(manifest.version.semver(), None);
        assert!(manifest.protocols().is_empty());
        assert_eq!(
            manifest.platforms().map(|p| p.to_string()).collect::<Vec<_>>(),
            ["linux-amd64", "linux-amd64", "windows-arm"]
        );
        let package = manifest.package("linux-amd64".parse().unwrap()).unwrap();
        assert_eq!(package.sha256.to_string(), "AB".repeat(32).to_lowercase(), "upper-case digests are accepted");
        assert_eq!(package.url, "https://example.org/first.tar.gz", "the first package of a platform counts");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let message = |from: &str, to: &str| {
            assert!(GOLDEN.contains(from));
            PluginManifest::parse(GOLDEN.replace(from, to).as_bytes()).unwrap_err().to_string()
        };
        assert!(message("\"name\": \"trigger-demo\"", "\"name\": \"../x\"").contains("is not a plugin name"));
        assert!(message("\"version\": \"1.2.0\"", "\"version\": \"../x\"").contains("is not a version"));
        assert!(message("\"license\": \"Apache-2.0\",", "").contains("license"));
        assert!(message(&"cd".repeat(32), "cd").contains("in the package for macos-aarch64"));
        assert!(message("\"license\"", "\"version\": \"9.9.9\", \"license\"").contains("duplicate field"));
    }
}
