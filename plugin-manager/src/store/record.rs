//! The record of a plugin: which releases are installed, which of them was chosen, from where they are, since when,
//! and how to recognise their files. Versioned JSON; a newer schema is refused, never guessed at.
//!
//! Schema 2 added `active` and `contents`. A record of schema 1 is read as one without them, and is written as
//! schema 2 when the plugin is next changed.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};
use spin_catalogue::{PluginName, ReleaseVersion, Sha256};

use super::StoreError;
use crate::hash;
use crate::installed::Origin;
use crate::trust::KeyId;

/// The newest schema that is read, and the one that is written.
pub(crate) const SCHEMA: u64 = 2;

/// The oldest schema that is read.
const OLDEST: u64 = 1;

/// The largest record that is read, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// What is installed of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u64,
    /// The plugin.
    pub(crate) name: PluginName,
    /// The version that somebody chose; `None` as long as nobody did, which means the highest that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) active: Option<ReleaseVersion>,
    /// Its installed releases, by version. No version is there twice.
    pub(crate) releases: Vec<Release>,
}

/// One installed release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Release {
    /// The version.
    pub(crate) version: ReleaseVersion,
    /// The digest of the archive it was unpacked from.
    pub(crate) archive: Sha256,
    /// How to recognise its executable.
    pub(crate) executable: FileFacts,
    /// The digest of the files beside it, see [`contents`](crate::contents); `None` if it was installed before there
    /// was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contents: Option<Sha256>,
    /// Trigger protocols it names.
    pub(crate) protocols: Vec<u32>,
    /// Versions of Spin it says it works with.
    pub(crate) spin_compatibility: String,
    /// Its licence.
    pub(crate) license: String,
    /// Where it came from.
    pub(crate) origin: Origin,
    /// The key that has signed the archive, if somebody asked for a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signed_by: Option<KeyId>,
    /// When it was installed.
    pub(crate) installed: jiff::Timestamp,
}

/// How a file is recognised: its digest, and properties that change whenever somebody touches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileFacts {
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    modified: Time,
    // Unlike the time of modification nobody can set this one back.
    changed: Time,
    inode: u64,
    device: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

impl FileFacts {
    /// The facts of the file at `path`, which must be no link.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = OpenOptions::new().read(true).custom_flags(no_follow).open(path)?;
        let (sha256, size) = hash::of_reader(&mut file)?;
        // After reading: had somebody written meanwhile, these times would tell the next start.
        let metadata = file.metadata()?;
        Ok(Self::new(sha256, size, &metadata))
    }

    fn new(sha256: Sha256, size: u64, metadata: &Metadata) -> Self {
        Self {
            sha256,
            size,
            modified: Time { seconds: metadata.mtime(), nanoseconds: metadata.mtime_nsec() },
            changed: Time { seconds: metadata.ctime(), nanoseconds: metadata.ctime_nsec() },
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// Whether a file with this `metadata` was not touched since.
    pub(crate) fn untouched(&self, metadata: &Metadata) -> bool {
        *self == Self::new(self.sha256, metadata.len(), metadata)
    }
}

impl Record {
    /// A record without releases.
    pub(crate) fn new(name: PluginName) -> Self {
        Self { schema: SCHEMA, name, active: None, releases: Vec::new() }
    }

    /// Puts `release` in, in the place of one with the same version.
    pub(crate) fn put(&mut self, release: Release) {
        self.releases.retain(|held| held.version != release.version);
        self.releases.push(release);
        self.releases.sort_by(|a, b| a.version.cmp(&b.version));
    }

    /// Takes out what is `unwanted`, and the choice with it. Gives the versions.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(&Release) -> bool) -> Vec<ReleaseVersion> {
        let gone: Vec<_> = self.releases.extract_if(.., |held| unwanted(held)).map(|held| held.version).collect();
        if self.active.as_ref().is_some_and(|active| gone.contains(active)) {
            self.active = None;
        }
        gone
    }

    /// The releases in the order in which they are tried: the one that was chosen, then from the highest down.
    pub(crate) fn by_preference(&self) -> Vec<&Release> {
        let mut releases: Vec<_> = self.releases.iter().collect();
        let chosen = |held: &Release| self.active.as_ref() == Some(&held.version);
        releases.sort_by(|a, b| (chosen(b), &b.version).cmp(&(chosen(a), &a.version)));
        releases
    }

    /// The record as it is stored.
    pub(crate) fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a record has no map with keys that are not strings");
        text.push('\n');
        text
    }

    /// Reads the record of `name` at `path`; one without releases if there is no file.
    pub(super) fn read(path: &Path, name: &PluginName) -> Result<Self, StoreError> {
        let failed = |error| StoreError::io("read", path, error);
        let file = match fs::File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new(name.clone())),
            file => file.map_err(failed)?,
        };
        let mut json = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut json).map_err(failed)?;
        Self::parse(&json, path, name)
    }

    fn parse(json: &[u8], path: &Path, name: &PluginName) -> Result<Self, StoreError> {
        // The number is read first: everything else may differ in a newer schema.
        #[derive(Deserialize)]
        struct Probe {
            schema: u64,
        }
        let bad = |problem: String| StoreError::Record { path: path.to_owned(), problem };
        let Probe { schema: found } = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        if found > SCHEMA {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        if found < OLDEST {
            return Err(bad(format!("schema {found} never existed")));
        }
        let read: Self = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        let record = Self { schema: SCHEMA, ..read };
        if record.name != *name {
            return Err(bad(format!("it is the one of '{}'", record.name)));
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const GOLDEN: &str = include_str!("../../tests/data/formats/v2/record.json");
    const ORIGINS: &str = include_str!("../../tests/data/formats/v2/record-origins.json");
    const GOLDEN_V1: &str = include_str!("../../tests/data/formats/v1/record.json");

    fn parse(json: &str) -> Result<Record, StoreError> {
        Record::parse(json.as_bytes(), Path::new("/data/installed/trigger-demo.json"), &"trigger-demo".parse().unwrap())
    }

    #[test]
    fn the_golden_record_is_read_and_written_byte_for_byte() {
        let record = parse(GOLDEN).unwrap();
        assert_eq!(record.releases.len(), 3);
        assert_eq!(record.active.as_ref().unwrap(), "1.2.0");
        assert_eq!(record.releases[0].origin, Origin::ManifestFile("/home/me/trigger-demo.json".into()));
        assert_eq!(record.releases[0].contents, None, "installed by an older spin");
        assert_eq!(record.releases[1].origin, Origin::Catalogue("bundled".into()));
        assert_eq!(record.releases[1].contents, Some(Sha256::from_bytes([0x34; 32])));
        assert_eq!(record.to_json(), GOLDEN);
    }

    #[test]
    fn the_golden_record_of_a_signed_release_and_of_one_from_an_address_is_read_and_written_byte_for_byte() {
        let record = parse(ORIGINS).unwrap();
        let [signed, addressed] = &record.releases[..] else { panic!("two releases") };
        assert_eq!(signed.signed_by.unwrap().to_string(), "62A8DD1C6B1D9C07");
        assert_eq!(addressed.signed_by, None);
        let url = "https://example.org/trigger-demo.json".parse().unwrap();
        assert_eq!(addressed.origin, Origin::ManifestUrl(Box::new(url)));
        assert_eq!(record.to_json(), ORIGINS);
    }

    #[test]
    fn a_record_of_schema_1_is_read_as_one_in_which_nothing_was_chosen() {
        let record = parse(GOLDEN_V1).unwrap();
        let mut newer = parse(GOLDEN).unwrap();
        newer.active = None;
        newer.releases.iter_mut().for_each(|release| release.contents = None);
        assert_eq!(record, newer);
        assert!(record.to_json().contains("\"schema\": 2"));
        assert_eq!(parse(&record.to_json()).unwrap(), record);
    }

    #[test]
    fn the_chosen_release_is_tried_first_and_then_the_highest() {
        let mut record = parse(GOLDEN).unwrap();
        let order = |record: &Record| {
            record.by_preference().iter().map(|held| held.version.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(order(&record), "1.2.0 2.0.0-rc.1 0.1");
        assert_eq!(record.remove(|held| held.version == "0.1").len(), 1);
        assert_eq!(order(&record), "1.2.0 2.0.0-rc.1");
        record.active = Some("7.0.0".parse().unwrap());
        assert_eq!(order(&record), "2.0.0-rc.1 1.2.0", "a choice that is not there is none");
        record.active = Some("1.2.0".parse().unwrap());
        record.remove(|held| held.version == "1.2.0");
        assert_eq!((order(&record).as_str(), record.active), ("2.0.0-rc.1", None));
    }

    #[test]
    fn unknown_fields_are_tolerated_and_a_newer_schema_is_not() {
        assert!(parse(&GOLDEN.replace("\"protocols\"", "\"later\": {}, \"protocols\"")).is_ok());
        let error = parse(&GOLDEN.replace("\"schema\": 2", "\"schema\": 3")).unwrap_err();
        assert_eq!(error.code(), "store::newer-record");
        assert!(error.to_string().contains("schema 3") && error.to_string().contains("schema 2"), "{error}");
        let newer = parse(r#"{"schema":9,"everything":"else differs"}"#).unwrap_err();
        assert_eq!(newer.code(), "store::newer-record");
    }

    #[test]
    fn what_is_not_a_record_is_named() {
        for json in ["", "{}", "[]", r#"{"schema":0}"#, r#"{"schema":2}"#, "\0\0\0", &GOLDEN[..GOLDEN.len() / 2]] {
            let error = parse(json).unwrap_err();
            assert_eq!(error.code(), "store::bad-record", "{json:?}");
            assert!(error.to_string().contains("/data/installed/trigger-demo.json"));
        }
        let other = GOLDEN.replace("\"name\": \"trigger-demo\"", "\"name\": \"trigger-other\"");
        assert!(parse(&other).unwrap_err().to_string().contains("trigger-other"));
        assert!(parse(&GOLDEN.replace("\"1.2.0\"", "\"../../x\"")).is_err(), "versions become paths");
    }

    #[test]
    fn a_version_stands_in_the_record_once() {
        let mut record = parse(GOLDEN).unwrap();
        let mut again = record.releases[0].clone();
        again.archive = Sha256::from_bytes([7; 32]);
        record.put(again.clone());
        assert_eq!(record.releases.len(), 3);
        assert_eq!(record.releases[0], again);
    }
}
