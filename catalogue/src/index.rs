//! [`Index`]: the whole catalogue in one file, `index.json`.
//!
//! Reading tolerates unknown fields (a newer writer may add some) but not a newer `schema`. Writing gives the same
//! bytes for the same content. Storing those bytes is the caller's affair.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Platform, PluginManifest, PluginName, RelativePath, ReleaseVersion, Sha256, layout};

/// The newest `schema` that we read, and the one we write.
pub const SCHEMA: u32 = 1;

/// The largest index that is read, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;

/// Every release of every plugin of a catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    schema: u32,
    /// Grows with every change, so that an older copy can be told from a newer one.
    pub serial: u64,
    /// When it must no longer be used. Whoever holds back newer ones can't do so for longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<jiff::Timestamp>,
    /// The releases of each plugin, highest version first when written by us.
    #[serde(deserialize_with = "without_duplicates")]
    pub plugins: BTreeMap<PluginName, Vec<Release>>,
}

/// One release of one plugin, as far as choosing among releases needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The version.
    pub version: ReleaseVersion,
    /// Trigger protocols the plugin speaks; empty if it names none.
    #[serde(default)]
    pub protocols: Vec<u32>,
    /// Versions of Spin that it works with.
    pub spin_compatibility: String,
    /// Platforms there are packages for, as text: words of a later time are kept.
    pub platforms: Vec<String>,
    /// Whether the publisher has withdrawn it.
    #[serde(default)]
    pub yanked: bool,
    /// When it was published, as RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Where its manifest lies, from the root of the catalogue.
    pub path: RelativePath,
    /// The digest of its manifest, and so of everything the manifest names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
}

impl Release {
    /// The release that `manifest`, lying at `path`, describes.
    pub fn of(manifest: &PluginManifest, path: RelativePath) -> Self {
        let mut platforms: Vec<String> = manifest.platforms().map(|platform| platform.to_string()).collect();
        platforms.sort_unstable();
        platforms.dedup();
        Self {
            version: manifest.version.clone(),
            protocols: manifest.protocols().to_vec(),
            spin_compatibility: manifest.spin_compatibility.clone(),
            platforms,
            yanked: false,
            published: None,
            path,
            sha256: None,
        }
    }

    /// Whether there is a package for `platform`.
    pub fn supports(&self, platform: Platform) -> bool {
        self.platforms.contains(&platform.to_string())
    }
}

impl Default for Index {
    fn default() -> Self {
        Self { schema: SCHEMA, serial: 0, expires: None, plugins: BTreeMap::new() }
    }
}

impl Index {
    /// Reads an index.
    pub fn parse(json: &[u8]) -> Result<Self, IndexError> {
        // The number is read first: everything else may differ in a newer schema.
        #[derive(Deserialize)]
        struct Probe {
            schema: u32,
        }
        let Probe { schema } = serde_json::from_slice(json).map_err(IndexError::Json)?;
        if schema != SCHEMA {
            return Err(IndexError::Schema(schema));
        }
        let index: Self = serde_json::from_slice(json).map_err(IndexError::Json)?;
        for (name, releases) in &index.plugins {
            let mut versions: Vec<_> = releases.iter().map(|release| &release.version).collect();
            versions.sort_unstable();
            if let Some(pair) = versions.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(IndexError::Twice { name: name.clone(), version: pair[0].clone() });
            }
        }
        Ok(index)
    }

    /// The index as it is stored: the same bytes for the same content, ending in a newline.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("names are strings and there are no other map keys");
        text.push('\n');
        text
    }

    /// The releases of `name`; none if the catalogue does not know it.
    pub fn releases(&self, name: &PluginName) -> &[Release] {
        self.plugins.get(name).map_or(&[], Vec::as_slice)
    }

    /// Adds the release that `manifest` describes, or brings the row of that version up to date. What only the
    /// index knows (`yanked`, `published`) stays. `digest` is that of the manifest's bytes.
    ///
    /// The serial grows if anything changed.
    pub fn add(&mut self, manifest: &PluginManifest, digest: Sha256) {
        let mut release = Release::of(manifest, layout::release_manifest(&manifest.name, &manifest.version));
        release.sha256 = Some(digest);
        if let Some(held) = self.releases(&manifest.name).iter().find(|held| held.version == release.version) {
            release.yanked = held.yanked;
            release.published.clone_from(&held.published);
        }
        self.put(&manifest.name, release);
    }

    /// Adds a row, or replaces the one of that version. The serial grows if anything changed.
    pub fn put(&mut self, name: &PluginName, release: Release) {
        let releases = self.plugins.entry(name.clone()).or_default();
        let before = releases.clone();
        releases.retain(|held| held.version != release.version);
        releases.push(release);
        releases.sort_by(|a, b| b.version.cmp(&a.version));
        if *releases != before {
            self.serial += 1;
        }
    }
}

/// Reads the `plugins` table and refuses a name that stands there twice: which of the two would count depends on
/// the reader.
fn without_duplicates<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<PluginName, Vec<Release>>, D::Error> {
    struct Plugins;

    impl<'de> Visitor<'de> for Plugins {
        type Value = BTreeMap<PluginName, Vec<Release>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of plugins")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut plugins = BTreeMap::new();
            while let Some((name, releases)) = map.next_entry::<PluginName, Vec<Release>>()? {
                if plugins.contains_key(&name) {
                    return Err(A::Error::custom(format_args!("the plugin '{name}' is listed twice")));
                }
                plugins.insert(name, releases);
            }
            Ok(plugins)
        }
    }

    input.deserialize_map(Plugins)
}

/// An index that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Not an index, or a field is wrong.
    #[error("it is not a catalogue index: {0}")]
    Json(#[source] serde_json::Error),
    /// Written in a format we do not know.
    #[error("it has schema {0} and this version of spin reads schema {SCHEMA}; update spin")]
    Schema(u32),
    /// One version stands there twice.
    #[error("it lists version {version} of '{name}' twice")]
    Twice {
        /// The plugin.
        name: PluginName,
        /// The version.
        version: ReleaseVersion,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOLDEN: &str = include_str!("../tests/data/formats/v1/index.json");
    const MANIFEST: &str = include_str!("../tests/data/formats/v1/manifest.json");

    fn name(text: &str) -> PluginName {
        text.parse().unwrap()
    }

    #[test]
    fn the_golden_index_is_read_and_written_byte_for_byte() {
        let index = Index::parse(GOLDEN.as_bytes()).unwrap();
        assert_eq!(index.serial, 7);
        assert_eq!(index.plugins.len(), 2);
        let releases = index.releases(&name("trigger-demo"));
        assert_eq!(releases.len(), 2);
        assert_eq!(releases[0].protocols, [1]);
        assert!(releases[1].yanked);
        assert!(releases[0].supports("linux-amd64".parse().unwrap()));
        assert!(!releases[0].supports("windows-amd64".parse().unwrap()));
        assert!(releases[0].platforms.contains(&"plan9-mips".to_owned()), "words we do not know are kept");
        assert_eq!(index.to_json(), GOLDEN);
    }

    #[test]
    fn a_newer_schema_is_a_clear_error() {
        let error = Index::parse(br#"{"schema":2,"plugins":"in another shape"}"#).unwrap_err();
        assert_eq!(error.to_string(), "it has schema 2 and this version of spin reads schema 1; update spin");
        assert!(Index::parse(br#"{"serial":1,"plugins":{}}"#).is_err(), "an index without a schema");
    }

    #[test]
    fn duplicates_are_refused_and_unknown_fields_are_not() {
        let row = r#"{"version":"1.0.0","spinCompatibility":">=2","platforms":[],"path":"manifests/a/a.json"}"#;
        let index = |plugins: &str| {
            Index::parse(format!(r#"{{"schema":1,"serial":1,"new":[{{}}],"plugins":{plugins}}}"#).as_bytes())
        };
        assert!(index(&format!(r#"{{"a":[{row}]}}"#)).is_ok());
        assert!(matches!(index(&format!(r#"{{"a":[{row},{row}]}}"#)), Err(IndexError::Twice { .. })));
        let twice = index(&format!(r#"{{"a":[{row}],"a":[]}}"#)).unwrap_err();
        assert!(twice.to_string().contains("'a' is listed twice"), "{twice}");
        assert!(index(&format!(r#"{{"a":[{}]}}"#, row.replace("1.0.0", "1.0.0\",\"version\":\"2.0.0"))).is_err());
    }

    #[test]
    fn names_versions_and_paths_from_outside_are_checked() {
        let parse = |name: &str, version: &str, path: &str| {
            let row = format!(r#"{{"version":"{version}","spinCompatibility":"*","platforms":[],"path":"{path}"}}"#);
            Index::parse(format!(r#"{{"schema":1,"serial":1,"plugins":{{"{name}":[{row}]}}}}"#).as_bytes())
        };
        assert!(parse("a", "1", "a.json").is_ok());
        assert!(parse("../a", "1", "a.json").is_err());
        assert!(parse("a", "../1", "a.json").is_err());
        assert!(parse("a", "1", "../a.json").is_err());
        assert!(parse("a", "1", "/etc/passwd").is_err());
    }

    #[test]
    fn an_index_may_say_how_long_it_is_good() {
        let index = |expires: &str| {
            Index::parse(format!(r#"{{"schema":1,"serial":1,"expires":{expires},"plugins":{{}}}}"#).as_bytes())
        };
        let read = index(r#""2026-12-01T00:00:00Z""#).unwrap();
        assert_eq!(read.expires.unwrap().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(Index::parse(read.to_json().as_bytes()).unwrap(), read);
        for bad in [r#""soon""#, "1800000000", r#""2026-12-01""#, "{}"] {
            assert!(index(bad).is_err(), "{bad}");
        }
        let twice = r#"{"schema":1,"serial":1,"expires":null,"expires":"2026-12-01T00:00:00Z","plugins":{}}"#;
        assert!(Index::parse(twice.as_bytes()).is_err());
    }

    #[test]
    fn nesting_a_hundred_thousand_deep_is_no_crash() {
        let deep =
            format!(r#"{{"schema":1,"serial":1,"plugins":{}{}}}"#, r#"{"a":["#.repeat(100_000), "]}".repeat(100_000));
        assert!(Index::parse(deep.as_bytes()).is_err());
        let ignored =
            format!(r#"{{"schema":1,"serial":1,"plugins":{{}},"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(Index::parse(ignored.as_bytes()).is_ok(), "what is passed over takes no stack");
    }

    #[test]
    fn adding_keeps_what_only_the_index_knows_and_counts_changes() {
        let manifest = PluginManifest::parse(MANIFEST.as_bytes()).unwrap();
        let digest = Sha256::from_bytes([1; 32]);
        let mut index = Index::default();
        index.add(&manifest, digest);
        assert_eq!(index.serial, 1);
        index.add(&manifest, digest);
        assert_eq!(index.serial, 1, "nothing changed");
        let held = &mut index.plugins.get_mut(&manifest.name).unwrap()[0];
        held.yanked = true;
        held.published = Some("2026-01-01T00:00:00Z".into());
        index.add(&manifest, Sha256::from_bytes([2; 32]));
        let held = &index.releases(&manifest.name)[0];
        assert_eq!(index.serial, 2);
        assert!(held.yanked && held.published.is_some());
        assert_eq!(held.path.as_str(), "manifests/trigger-demo/trigger-demo@1.2.0.json");
        assert_eq!(Index::parse(index.to_json().as_bytes()).unwrap(), index);
    }
}
