//! Files of the app that a component sees: folders of the host, at paths of the guest.
//!
//! Read-only unless the user allows otherwise. What a guest can reach is fenced by folder handles, not by comparing
//! paths: `..` and links that lead outside end at the fence.

use std::path::{Component, Path, PathBuf};

use spin_app_model::ComponentId;
use spin_app_model::lock::{LockedComponent, LockedFile};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What decides about the mounts of a process.
#[derive(Clone, Debug, Default)]
pub struct MountOptions {
    /// The base of sources that are relative.
    pub working_dir: PathBuf,
    /// Guests may change mounted files. Default: they may not.
    pub writable: bool,
    /// Folders that no writable mount may reach: whoever could write there could run code as us.
    pub protected: Vec<PathBuf>,
}

/// Why a mount is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// No `source`, or one that is neither a file URL nor a path.
    #[error("component \"{component}\": the source of the files at \"{guest}\" is not a file URL: {found}")]
    Source {
        /// Whose files.
        component: ComponentId,
        /// Where the guest would see them.
        guest: String,
        /// What was found.
        found: String,
    },
    /// Only folders can be mounted.
    #[error("component \"{component}\": {} can't be mounted at \"{guest}\": {why}", host.display())]
    NotAFolder {
        /// Whose files.
        component: ComponentId,
        /// Where the guest would see them.
        guest: String,
        /// The host's path.
        host: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// Writing there would reach further than the app's files.
    #[error(
        "component \"{component}\": {} can't be mounted writable: {} is within its reach, and holds what is run as you",
        host.display(), protected.display()
    )]
    Protected {
        /// Whose files.
        component: ComponentId,
        /// The host's path.
        host: PathBuf,
        /// The folder that must not be changed.
        protected: PathBuf,
    },
}

/// The mounts of one component.
#[derive(Debug)]
pub(crate) struct Mounts {
    folders: Vec<(PathBuf, String)>,
    permissions: FsPerms,
}

impl Mounts {
    pub(crate) fn new(component: &LockedComponent, options: &MountOptions) -> Result<Self, MountError> {
        let folders =
            component.files.iter().map(|file| mount(&component.id, file, options)).collect::<Result<_, _>>()?;
        let permissions = if options.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
        Ok(Self { folders, permissions })
    }

    pub(crate) fn add(&self, builder: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        for (host, guest) in &self.folders {
            builder.preopened_dir(host, guest, self.permissions)?;
        }
        Ok(())
    }
}

fn mount(id: &ComponentId, file: &LockedFile, options: &MountOptions) -> Result<(PathBuf, String), MountError> {
    let (component, guest) = (|| id.clone(), file.path.clone());
    let source = file.content.source.as_deref().unwrap_or("(none)");
    let path = match url::Url::parse(source) {
        Ok(url) => url.to_file_path().ok(),
        Err(url::ParseError::RelativeUrlWithoutBase) => Some(PathBuf::from(source)),
        Err(_) => None,
    };
    let Some(path) = path else {
        return Err(MountError::Source { component: component(), guest, found: source.to_owned() });
    };
    let host = options.working_dir.join(path);
    let not_a_folder =
        |why: String| MountError::NotAFolder { component: component(), guest: guest.clone(), host: host.clone(), why };
    let real = host.canonicalize().map_err(|error| not_a_folder(error.to_string()))?;
    if !real.is_dir() {
        return Err(not_a_folder("only folders can be".to_owned()));
    }
    if options.writable
        && let Some(protected) = options.protected.iter().find(|protected| reach(&real, protected))
    {
        return Err(MountError::Protected { component: component(), host, protected: protected.clone() });
    }
    Ok((real, guest))
}

/// Whether one of two folders lies in the other, or they are the same.
fn reach(mounted: &Path, protected: &Path) -> bool {
    let protected = real(protected);
    mounted.starts_with(&protected) || protected.starts_with(mounted)
}

/// Where a path leads, also if what it names is yet to be made: links count as far as there are any, those included
/// that lead to what isn't there, and the rest goes by text.
fn real(path: &Path) -> PathBuf {
    /// As many as the system follows in one path.
    const LINKS: usize = 40;
    let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for _ in 0..LINKS {
        let followed = path.ancestors().find_map(|above| {
            let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
            if let Ok(found) = above.canonicalize() {
                return Some(Followed::ToItsEnd(append(found, rest)));
            }
            let target = above.read_link().ok()?;
            Some(Followed::OneLink(above.parent().unwrap_or(above).join(target).join(rest)))
        });
        match followed {
            Some(Followed::OneLink(next)) => path = next,
            Some(Followed::ToItsEnd(real)) => return real,
            None => break,
        }
    }
    path
}

enum Followed {
    ToItsEnd(PathBuf),
    OneLink(PathBuf),
}

/// Appends what isn't there: no link can be in it, so `..` takes back the part before.
fn append(mut path: PathBuf, rest: &Path) -> PathBuf {
    for part in rest.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use spin_app_model::lock::{ContentRef, LockedSource};

    fn mounts(source: &str, options: &MountOptions) -> Result<Mounts, MountError> {
        let id = "one".parse().expect("an id");
        let mut component = LockedComponent::new(id, LockedSource::wasm_at("file:///one.wasm"));
        component.files.push(LockedFile::new(ContentRef::at(source), "/"));
        Mounts::new(&component, options)
    }

    #[test]
    fn relative_sources_lie_in_the_working_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("assets")).expect("made");
        std::fs::write(folder.path().join("file"), "").expect("made");
        let options = MountOptions { working_dir: folder.path().to_owned(), ..MountOptions::default() };
        mounts("assets", &options).expect("a folder");
        mounts(&format!("file://{}/assets", folder.path().display()), &options).expect("a folder");
        assert!(matches!(mounts("file", &options), Err(MountError::NotAFolder { .. })));
        assert!(matches!(mounts("missing", &options), Err(MountError::NotAFolder { .. })));
        assert!(matches!(mounts("https://example.com/", &options), Err(MountError::Source { .. })));
    }

    #[test]
    fn a_writable_mount_reaches_no_protected_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = folder.path().join("cache");
        std::fs::create_dir_all(cache.join("aot")).expect("made");
        std::fs::create_dir(folder.path().join("cache-of-mine")).expect("made");
        let options = |writable| MountOptions {
            working_dir: folder.path().to_owned(),
            writable,
            protected: vec![cache.clone(), folder.path().join("not-yet-there")],
        };
        for source in [".", "cache", "cache/aot", "cache/../cache"] {
            assert!(matches!(mounts(source, &options(true)), Err(MountError::Protected { .. })), "{source}");
            mounts(source, &options(false)).expect("reading does no harm");
        }
        mounts("cache-of-mine", &options(true)).expect("a name is not a path");
    }

    #[test]
    fn a_protected_folder_that_is_yet_to_be_made_is_protected_behind_links_too() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for made in ["home/real", "elsewhere"] {
            std::fs::create_dir_all(at(made)).expect("made");
        }
        symlink("home/real", at("link")).expect("a link");
        symlink("home/real/later", at("dangling")).expect("a link");
        for protected in ["link/cache/spin", "dangling/spin", "dangling", "link/gone/../cache"] {
            let options =
                MountOptions { working_dir: folder.path().to_owned(), writable: true, protected: vec![at(protected)] };
            for source in ["home/real", "home"] {
                let refused = matches!(mounts(source, &options), Err(MountError::Protected { .. }));
                assert!(refused, "{source} reaches {protected}");
            }
            mounts("elsewhere", &options).expect("out of its reach");
        }
    }
}
