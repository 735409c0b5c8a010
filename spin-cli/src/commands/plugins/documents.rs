//! What the commands about plugins print with `--json`.
//!
//! The listing of plugins is an array, because the public command line prints one; its first four fields are those
//! that the public one has.

use schemars::JsonSchema;
use serde::Serialize;
use spin_catalogue::{Reason, ReleaseVersion};

use super::catalogue;
use crate::commands::documents::schema;
pub(crate) use crate::commands::documents::{SCHEMA, print};

/// A version of a plugin, as `spin plugins list` and `spin plugins search` print it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plugin {
    /// The name.
    pub(crate) name: String,
    /// Whether this version is installed; with `--summary`, whether any is.
    pub(crate) installed: bool,
    /// The version.
    pub(crate) version: String,
    /// The version that is installed. Only there if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) installed_version: Option<String>,
    /// Whether the installed version is the one that is used.
    pub(crate) active: bool,
    /// Whether it works here.
    pub(crate) compatible: bool,
    /// Why it does not. Only there if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Versions of Spin that it says it works with.
    pub(crate) spin_compatibility: String,
    /// Trigger protocols that it names.
    pub(crate) protocols: Vec<u32>,
    /// The first catalogue that has it. Only there if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) catalogue: Option<String>,
    /// Where the installed version came from. Only there if one is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
}

/// What `spin plugins outdated --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OutdatedList {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// The plugins.
    pub(crate) plugins: Vec<OutdatedPlugin>,
}

/// An installed plugin of which there is a higher version.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OutdatedPlugin {
    /// The name.
    pub(crate) name: String,
    /// The version that is used.
    pub(crate) version: String,
    /// The version that an upgrade would go to. Only there if one fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newer: Option<String>,
    /// The catalogue that has that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) catalogue: Option<String>,
    /// A still higher version that does not fit. Only there if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hindered: Option<Hindered>,
}

/// A version that does not fit.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hindered {
    /// The version.
    pub(crate) version: String,
    /// Why it does not fit.
    pub(crate) reason: String,
    /// The stable code of that reason.
    pub(crate) code: String,
}

impl Hindered {
    pub(crate) fn new((version, reason): &(ReleaseVersion, Reason)) -> Self {
        Self { version: version.to_string(), reason: reason.to_string(), code: reason.code().to_owned() }
    }
}

/// What `spin plugins show --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Details {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// The name.
    pub(crate) name: String,
    /// The version that is described: the one that would be installed, else the highest.
    pub(crate) version: String,
    /// Its licence.
    pub(crate) license: String,
    /// Where to read more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) homepage: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// The catalogue that the description is from. Only there if one has the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) catalogue: Option<String>,
    /// The installed versions, the lowest first.
    pub(crate) installed: Vec<InstalledVersion>,
    /// All versions, the lowest first.
    pub(crate) versions: Vec<Plugin>,
    /// A version above the one that would be installed, and why it does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hindered: Option<Hindered>,
}

/// An installed version.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InstalledVersion {
    /// The version.
    pub(crate) version: String,
    /// Whether it is the one that is used.
    pub(crate) active: bool,
    /// Where it came from.
    pub(crate) from: String,
    /// When it was installed, by RFC 3339. Not there if the public Spin did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// The SHA-256 digest of its archive, 64 hexadecimal digits. Not there if the public Spin installed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Its executable.
    pub(crate) executable: String,
}

/// What `spin plugins verify --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Verification {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// Everything that was looked at.
    pub(crate) plugins: Vec<VerifiedPlugin>,
}

/// An installed plugin that was compared with its record.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VerifiedPlugin {
    /// The name.
    pub(crate) name: String,
    /// The version. Not there if the record cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<String>,
    /// What it came to.
    pub(crate) outcome: Outcome,
    /// What is wrong and what to do. Only there if it is damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// The stable code of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// What verifying came to.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It is what was installed.
    Intact,
    /// It is not.
    Damaged,
    /// The public Spin has installed it, which keeps nothing to compare it with.
    Unknown,
}

/// What `spin plugins gc --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Collected {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// Whether nothing was removed and this is only what would have been.
    pub(crate) dry_run: bool,
    /// Versions that nobody uses.
    pub(crate) releases: Vec<UnusedRelease>,
    /// Files and folders that unfinished work had left.
    pub(crate) leftovers: Vec<String>,
    /// The bytes of all of it.
    pub(crate) bytes: u64,
}

/// A version that nobody uses.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnusedRelease {
    /// The name.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// When it was installed or last started, by RFC 3339, up to a day too early.
    pub(crate) last_used: String,
    /// The bytes of its files.
    pub(crate) bytes: u64,
}

/// What `spin plugins mirror --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MirrorContent {
    /// The number of this schema.
    pub(crate) schema: u32,
    /// The packages that were asked for, all of which are in the mirror.
    pub(crate) packages: Vec<MirrorPackage>,
    /// What has no package that fits. Always empty if plugins were named.
    pub(crate) passed_over: Vec<NotMirrored>,
}

/// A package in a mirror.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MirrorPackage {
    /// The name of the plugin.
    pub(crate) name: String,
    /// The version.
    pub(crate) version: String,
    /// The platform that the package is for.
    pub(crate) platform: String,
    /// The catalogue that it is from.
    pub(crate) catalogue: String,
    /// The archive in the mirror.
    pub(crate) archive: String,
    /// The digest of the archive.
    pub(crate) sha256: String,
    /// Whether the signature of the archive lies beside it.
    pub(crate) signed: bool,
    /// Whether the mirror did not have it before.
    pub(crate) new: bool,
}

/// A plugin that is not in the mirror.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NotMirrored {
    /// The name.
    pub(crate) name: String,
    /// The platform in question.
    pub(crate) platform: String,
    /// Why it is not.
    pub(crate) reason: String,
    /// The stable code of that reason.
    pub(crate) code: String,
}

/// The schemas, each with the name of its file.
pub(crate) fn schemas() -> [(&'static str, String); 7] {
    [
        ("plugins-catalogue-list.schema.json", schema::<Vec<catalogue::Row>>()),
        ("plugins-list.schema.json", schema::<Vec<Plugin>>()),
        ("plugins-outdated.schema.json", schema::<OutdatedList>()),
        ("plugins-show.schema.json", schema::<Details>()),
        ("plugins-verify.schema.json", schema::<Verification>()),
        ("plugins-mirror.schema.json", schema::<MirrorContent>()),
        ("plugins-gc.schema.json", schema::<Collected>()),
    ]
}
