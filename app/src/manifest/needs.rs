//! What an application needs besides the files beside its manifest, and the answer to it.
//!
//! Downloading, asking registries and copying files is not the business of this crate. A caller asks a manifest for its
//! [`Needs`], gets them, notes what it got in a [`Resolved`], and locks with that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::dependencies::Resolver;
use super::schema::{FileMount, Manifest, SourceRef};
use crate::document::{Located, Position, quoted};
use crate::names::ComponentId;

/// What must be got before an application can be locked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Needs {
    /// Code that is not in a file beside the manifest: each once, where it is named first.
    pub sources: Vec<Located<SourceRef>>,
    /// The files of components that have any.
    pub files: Vec<ComponentFiles>,
}

/// The files that a component wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComponentFiles {
    /// The component.
    pub component: ComponentId,
    /// What it wants to see.
    pub files: Vec<Located<FileMount>>,
    /// Globs of what it shall not see.
    pub exclude: Vec<Located<String>>,
}

impl Needs {
    /// Whether there is nothing to be got.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.files.is_empty()
    }

    /// Everything that is needed in words, each with its place in the manifest.
    pub fn described(&self) -> impl Iterator<Item = (Position, String)> {
        let sources = self.sources.iter().map(|source| (source.at, source.value.to_string()));
        let files = self.files.iter().map(|of| {
            let at = of.files.first().map_or(Position::START, |file| file.at);
            (at, format!("the files of component {}", quoted(of.component.as_str())))
        });
        sources.chain(files)
    }
}

impl std::fmt::Display for SourceRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", quoted(&path.to_string_lossy())),
            Self::Download(download) => write!(f, "the download {}", quoted(download.url.as_str())),
            Self::Package(package) => {
                write!(f, "the package {}", quoted(&format!("{}@{}", package.name, package.version)))
            }
        }
    }
}

/// What has been got: files on this machine in the place of everything else.
///
/// ```
/// use std::path::Path;
/// use spin_app_model::Manifest;
/// use spin_app_model::manifest::{LockOptions, Resolved};
///
/// let text = format!(r#"
/// spin_manifest_version = 2
/// [application]
/// name = "demo"
/// [trigger]
/// [component.hello]
/// source = {{ url = "https://example.com/hello.wasm", digest = "sha256:{}" }}
/// files = ["assets/*"]
/// "#, "0".repeat(64));
/// let path = Path::new("/srv/demo/spin.toml");
/// let manifest = Manifest::parse(&text, path)?;
/// let options = LockOptions::for_manifest(path)?;
/// let error = manifest.lock(&options, &Resolved::default()).unwrap_err();
/// assert_eq!(error.code(), "manifest::unresolved");
///
/// let mut resolved = Resolved::default();
/// let needs = manifest.needs();
/// for source in needs.sources {
///     resolved.add_source(source.value, "/var/cache/spin/0000.wasm");
/// }
/// for of in needs.files {
///     resolved.mount(of.component, "/tmp/spin-1/assets/hello", "/");
/// }
/// let app = manifest.lock(&options, &resolved)?;
/// let source = app.components[0].source.content.source.as_deref();
/// assert_eq!(source, Some("file:///var/cache/spin/0000.wasm"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    sources: HashMap<SourceRef, PathBuf>,
    mounts: BTreeMap<ComponentId, Vec<Mount>>,
}

/// A folder on this machine and where a guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) host: PathBuf,
    pub(super) guest: String,
}

impl Resolved {
    /// Notes that the code is in this file. A relative path is relative to the manifest.
    pub fn add_source(&mut self, source: SourceRef, file: impl Into<PathBuf>) {
        self.sources.insert(source, file.into());
    }

    /// Notes that a component sees a folder of this machine at `guest`: `/` for all its files together. A relative path
    /// is relative to the manifest. A component that has `files` needs at least one.
    pub fn mount(&mut self, component: ComponentId, host: impl Into<PathBuf>, guest: impl Into<String>) {
        let mount = Mount { host: host.into(), guest: guest.into() };
        self.mounts.entry(component).or_default().push(mount);
    }

    /// The file that some code is in.
    pub(super) fn file<'a>(&'a self, source: &'a SourceRef) -> Option<&'a Path> {
        match source {
            SourceRef::File(path) => Some(path),
            other => self.sources.get(other).map(PathBuf::as_path),
        }
    }

    pub(super) fn mounts(&self, component: &ComponentId) -> &[Mount] {
        self.mounts.get(component).map_or(&[], Vec::as_slice)
    }

    /// Of some needs, those that are not met.
    pub(super) fn unmet(&self, needs: Needs) -> Needs {
        let Needs { mut sources, mut files } = needs;
        sources.retain(|source| !self.sources.contains_key(&source.value));
        files.retain(|of| self.mounts(&of.component).is_empty());
        Needs { sources, files }
    }
}

impl Manifest {
    /// What must be got before this application can be locked, with the dependencies of all components.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        let mut seen = HashSet::new();
        let mut add = |source: Located<SourceRef>, needs: &mut Needs| {
            let is_local = matches!(source.value, SourceRef::File(_));
            if !is_local && seen.insert(source.value.clone()) {
                needs.sources.push(source);
            }
        };
        let resolver = Resolver::new(self);
        for component in &self.components {
            add(component.source.clone(), &mut needs);
            for dependency in resolver.resolvable(component) {
                add(dependency.source, &mut needs);
            }
            if !component.files.is_empty() {
                needs.files.push(ComponentFiles {
                    component: component.id.value.clone(),
                    files: component.files.clone(),
                    exclude: component.exclude_files.clone(),
                });
            }
        }
        needs
    }
}
