//! [`Pins`]: the file beside a manifest that says which release of which plugin runs the app.
//!
//! Files on disk: `<stem of the manifest>-plugins.lock`, TOML with a version:
//!
//! ```toml
//! version = 1
//!
//! [[plugin]]
//! name = "trigger-http"
//! version = "0.1.0"
//! catalogue = "bundled"
//!
//! [plugin.archives]
//! linux-amd64 = "…64 hexadecimal digits…"
//! ```
//!
//! A pin names its catalogue and does not say where that is: the file belongs to the app, and an app has no say in where
//! its user's plugins come from. What it may say is which archive it must be, by digest, for every platform there is one.
//! A plugin that is in no catalogue has `manifest`, the address of its manifest, instead; whoever installs by it asks first.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use spin_catalogue::{Platform, PluginName, ReleaseVersion, Sha256};
use url::Url;

use crate::store::{StoreError, write_durably};

/// The newest version of the format that is read, and the one that is written.
const VERSION: u64 = 1;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What stands above the pins, for who opens the file.
const HEAD: &str = "# The plugins that run this application. `spin plugins lock` writes it and `spin up` honours it.\n";

/// The plugins of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeMap<PluginName, Pin>);

/// One release of a plugin, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The version.
    pub version: ReleaseVersion,
    /// Where it is installed from.
    pub from: PinnedFrom,
    /// The digest of its archive for each platform. Platforms that are not known here are kept.
    pub archives: BTreeMap<String, Sha256>,
}

/// Where a pinned release is installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinnedFrom {
    /// A catalogue, as its user calls it.
    Catalogue(String),
    /// The manifest at this address, which is in no catalogue.
    Manifest(Box<Url>),
}

impl fmt::Display for PinnedFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Catalogue(name) => write!(f, "catalogue '{name}'"),
            Self::Manifest(url) => write!(f, "{url}"),
        }
    }
}

impl Pin {
    /// The digest that the archive for `platform` must have; `None` if the release has none for it.
    #[must_use]
    pub fn archive(&self, platform: Platform) -> Option<Sha256> {
        self.archives.get(&platform.to_string()).copied()
    }
}

/// A pin file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinsError {
    /// It cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("could not write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<StoreError>,
    },
    /// It is larger than any pin file.
    #[error("{} is larger than {MAX_BYTES} bytes, so it is not a file of pins", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is not a file of pins.
    #[error("{} is not a file of pins: {problem}\n`spin plugins lock` writes it anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        problem: String,
    },
    /// A newer version of this program has written it.
    #[error(
        "{} has version {found} and this spin reads version {VERSION}; it was written by a newer spin: update this one",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

impl PinsError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "pins::unreadable",
            Self::Write { .. } => "pins::unwritable",
            Self::TooLarge { .. } | Self::Malformed { .. } => "pins::malformed",
            Self::Newer { .. } => "pins::newer",
        }
    }
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: PluginName,
    version: ReleaseVersion,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalogue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Box<Url>>,
    archives: BTreeMap<String, Sha256>,
}

impl Pins {
    /// Where the pins of the app with the manifest at `manifest` are.
    #[must_use]
    pub fn path(manifest: &Path) -> PathBuf {
        let mut name = manifest.file_stem().unwrap_or_default().to_owned();
        name.push("-plugins.lock");
        manifest.with_file_name(name)
    }

    /// Reads a file of pins; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it is there and cannot be used: an app is not started without the pins that it has.
    pub fn read(path: &Path) -> Result<Option<Self>, PinsError> {
        let unreadable = |source| PinsError::Read { path: path.to_owned(), source };
        let found = match fs::metadata(path) {
            // A link that leads nowhere is not the same as no pins.
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(None);
            }
            found => found.map_err(unreadable)?,
        };
        // An app comes from anywhere: what never ends, or never begins, is no file of pins.
        if !found.is_file() {
            return Err(unreadable(io::Error::other("it is not a regular file")));
        }
        let mut text = String::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(PinsError::TooLarge { path: path.to_owned() });
        }
        Self::parse(&text, path).map(Some)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, PinsError> {
        // The number is read first: everything else may differ in a newer version.
        #[derive(Deserialize)]
        struct Probe {
            version: u64,
        }
        let malformed = |problem: String| PinsError::Malformed { path: path.to_owned(), problem };
        let Probe { version: found } = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if found > VERSION {
            return Err(PinsError::Newer { path: path.to_owned(), found });
        }
        if found != VERSION {
            return Err(malformed(format!("version {found} never existed")));
        }
        let file: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let mut pins = BTreeMap::new();
        for Entry { name, version, catalogue, manifest, archives } in file.plugins {
            let from = match (catalogue, manifest) {
                (Some(catalogue), None) => PinnedFrom::Catalogue(catalogue),
                (None, Some(manifest)) => PinnedFrom::Manifest(manifest),
                _ => return Err(malformed(format!("'{name}' needs either a catalogue or a manifest"))),
            };
            if pins.insert(name.clone(), Pin { version, from, archives }).is_some() {
                return Err(malformed(format!("'{name}' is pinned twice")));
            }
        }
        Ok(Self(pins))
    }

    /// The file as it is written: the same bytes for the same pins.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let plugins = self.0.iter().map(|(name, pin)| {
            let (catalogue, manifest) = match pin.from.clone() {
                PinnedFrom::Catalogue(catalogue) => (Some(catalogue), None),
                PinnedFrom::Manifest(manifest) => (None, Some(manifest)),
            };
            let (version, archives) = (pin.version.clone(), pin.archives.clone());
            Entry { name: name.clone(), version, catalogue, manifest, archives }
        });
        let file = File { version: VERSION, plugins: plugins.collect() };
        HEAD.to_owned() + &toml::to_string(&file).expect("the keys of a file of pins are strings")
    }

    /// Writes the file, so that a crash leaves the old one or this one.
    ///
    /// # Errors
    ///
    /// If the folder or the disk does not let us.
    pub fn write(&self, path: &Path) -> Result<(), PinsError> {
        let failed = |source| PinsError::Write { path: path.to_owned(), source: Box::new(source) };
        let (folder, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name().unwrap_or_default());
        // The folder is not ours to put a lock file in.
        let locked = fs::File::open(folder).and_then(|open| open.lock().map(|()| open));
        let _locked = locked.map_err(|error| failed(StoreError::io("lock", folder, error)))?;
        write_durably(folder, &name.to_string_lossy(), self.to_toml().as_bytes()).map_err(failed)
    }

    /// The pin of a plugin.
    #[must_use]
    pub fn get(&self, name: &PluginName) -> Option<&Pin> {
        self.0.get(name)
    }

    /// All pins, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&PluginName, &Pin)> {
        self.0.iter()
    }
}

impl FromIterator<(PluginName, Pin)> for Pins {
    fn from_iter<I: IntoIterator<Item = (PluginName, Pin)>>(pins: I) -> Self {
        Self(pins.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const GOLDEN: &str = include_str!("../tests/data/formats/v1/app-plugins.lock");

    fn parse(text: &str) -> Result<Pins, PinsError> {
        Pins::parse(text, Path::new("/app/spin-plugins.lock"))
    }

    #[test]
    fn the_golden_file_is_read_and_written_byte_for_byte() {
        let pins = parse(GOLDEN).unwrap();
        let pin = pins.get(&"trigger-http".parse().unwrap()).unwrap();
        assert_eq!((pin.version.as_str(), &pin.from), ("0.1.0", &PinnedFrom::Catalogue("bundled".to_owned())));
        let other = pins.get(&"trigger-zzz".parse().unwrap()).unwrap();
        assert_eq!(other.from.to_string(), "https://example.org/trigger-zzz.json");
        assert!(pin.archive("linux-amd64".parse().unwrap()).is_some());
        assert_eq!(pin.archive("windows-amd64".parse().unwrap()), None);
        assert_eq!(pin.archives.len(), 3, "a platform that is not known here is kept");
        assert_eq!(pins.to_toml(), GOLDEN);
    }

    #[test]
    fn it_lies_beside_the_manifest() {
        assert_eq!(Pins::path(Path::new("/app/spin.toml")), Path::new("/app/spin-plugins.lock"));
        assert_eq!(Pins::path(Path::new("other.toml")), Path::new("other-plugins.lock"));
    }

    #[test]
    fn what_is_no_file_of_pins_is_refused_with_its_place() {
        assert_eq!(parse("version = 2\nall = 'else'").unwrap_err().code(), "pins::newer");
        for (text, said) in [
            ("", "version"),
            ("version = 0", "never existed"),
            ("version = 1\nplugins = []", "line 2"),
            ("version = 1\n[[plugin]]\nname = '../x'", "line 3"),
            (&GOLDEN.replace("0.1.0", "../0"), "line"),
            (
                &GOLDEN.replace("\n[[plugin]]\nname = \"trigger-redis\"", "\n[[plugin]]\nname = \"trigger-http\""),
                "twice",
            ),
            (&GOLDEN.replace("catalogue = \"bundled\"", "url = \"https://example.org\""), "line"),
            (&GOLDEN.replace("catalogue = \"bundled\"\n", ""), "either a catalogue or a manifest"),
            (&GOLDEN.replace("manifest = \"https", "catalogue = \"x\"\nmanifest = \"https"), "either"),
            (&GOLDEN.replace("https://example.org/", ""), "line"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code(), "pins::malformed", "{text}");
            assert!(error.to_string().contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn an_app_without_the_file_has_no_pins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spin-plugins.lock");
        assert_eq!(Pins::read(&path).unwrap(), None);
        parse(GOLDEN).unwrap().write(&path).unwrap();
        assert_eq!(Pins::read(&path).unwrap().unwrap(), parse(GOLDEN).unwrap());
        fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
        assert!(matches!(Pins::read(&path), Err(PinsError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            names in proptest::collection::btree_set("[a-z][a-z0-9-]{0,20}[a-z0-9]", 0..4),
            catalogue in "\\PC{0,20}",
            digests in proptest::collection::vec(any::<[u8; 32]>(), 0..3),
        ) {
            let platforms = ["linux-amd64", "linux-aarch64", "later-risc"];
            let archives = digests.into_iter().map(Sha256::from_bytes);
            let archives: BTreeMap<_, _> = platforms.map(str::to_owned).into_iter().zip(archives).collect();
            let pins: Pins = names.iter().filter_map(|name| name.parse().ok()).map(|name| {
                let from = PinnedFrom::Catalogue(catalogue.clone());
                (name, Pin { version: "1.2.3".parse().unwrap(), from, archives: archives.clone() })
            }).collect();
            prop_assert_eq!(parse(&pins.to_toml()).unwrap(), pins);
        }
    }
}
