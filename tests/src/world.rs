//! The temporary folder that a test and everything it starts live in.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::dist::{self, Dist};
use crate::guard;
use crate::process::{Finished, Invocation};
use crate::redact::Redactions;

/// A home of its own for the programs under test; see the crate's documentation.
///
/// Dropping it fails the test if a process that was started in it is still there.
#[derive(Debug)]
pub struct World {
    folder: tempfile::TempDir,
    root: PathBuf,
    dist: Option<Dist>,
}

impl World {
    /// A world for the programs that `SPIN_TEST_DIST` names.
    ///
    /// # Panics
    ///
    /// If the variable is not set or a program is stale; see [`dist`].
    pub fn new() -> Self {
        Self::with(Some(Dist::from_env()))
    }

    /// A world without programs of ours: for tests of the harness, and of files alone.
    pub fn bare() -> Self {
        Self::with(None)
    }

    fn with(dist: Option<Dist>) -> Self {
        // Short, because paths of sockets are limited to 107 bytes.
        let folder = tempfile::Builder::new().prefix("spin-t-").tempdir().expect("a temporary folder can be made");
        let root = folder.path().canonicalize().expect("the folder exists");
        let world = Self { folder, root, dist };
        for name in ["home", "config", "data", "cache", "state", "run", "tmp", "apps"] {
            let path = world.path(name);
            std::fs::create_dir(&path).expect("a folder can be made in a new one");
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&path, private).expect("a folder of ours can be made private");
        }
        world
    }

    /// A path in the world's folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// `$HOME` of everything in the world.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// Where `spin` keeps its data: `$XDG_DATA_HOME/spin`.
    pub fn data(&self) -> PathBuf {
        self.path("data/spin")
    }

    /// Where `spin` keeps what it can make again: `$XDG_CACHE_HOME/spin`.
    pub fn cache(&self) -> PathBuf {
        self.path("cache/spin")
    }

    /// The folder with the programs under test.
    ///
    /// # Panics
    ///
    /// In a [bare](World::bare) world.
    #[track_caller]
    pub fn dist(&self) -> &Dist {
        self.dist.as_ref().expect("a bare world has no programs")
    }

    /// Writes a file in the world's folder, and the folders above it. Gives its path.
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        let folder = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("a folder can be made in the world");
        std::fs::write(&path, content).expect("a file can be written in the world");
        path
    }

    /// Writes an application: a folder with `manifest` as its `spin.toml` and a copy of each of
    /// `guests` as `NAME.wasm`. The names are those of `tests/guests`, or `hello`.
    #[track_caller]
    pub fn app(&self, name: &str, manifest: &str, guests: &[&str]) -> App {
        let dir = self.path("apps").join(name);
        std::fs::create_dir_all(&dir).expect("a folder can be made in the world");
        for guest in guests {
            let copy = dir.join(format!("{guest}.wasm"));
            std::fs::copy(dist::guest(guest), copy).expect("a guest can be copied");
        }
        let file = dir.join("spin.toml");
        std::fs::write(&file, manifest).expect("a manifest can be written");
        App { dir, manifest: file }
    }

    /// `spin` with these arguments, to be run or started.
    #[track_caller]
    pub fn spin(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Invocation {
        self.program("spin").args(arguments)
    }

    /// Another program under test, such as `trigger-http`.
    #[track_caller]
    pub fn program(&self, name: &str) -> Invocation {
        self.command(self.dist().bin(name))
    }

    /// Any program, in the world's surroundings.
    pub fn command(&self, program: impl Into<PathBuf>) -> Invocation {
        Invocation::new(program.into(), self.environment(), self.home(), self.redactions())
    }

    /// Installs the plugin `name` from the catalogue that was built with the programs.
    #[track_caller]
    pub fn install(&self, name: &str) -> Finished {
        self.spin(["plugins", "install", name, "--yes"]).run().success()
    }

    /// The whole environment of a program in this world. Of ours only `PATH` is handed on.
    fn environment(&self) -> Vec<(OsString, OsString)> {
        let folder = |name: &str| self.path(name).into_os_string();
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), folder("home")),
            ("LANG".into(), "C.UTF-8".into()),
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into())),
            ("TMPDIR".into(), folder("tmp")),
            ("XDG_CACHE_HOME".into(), folder("cache")),
            ("XDG_CONFIG_HOME".into(), folder("config")),
            ("XDG_DATA_HOME".into(), folder("data")),
            ("XDG_RUNTIME_DIR".into(), folder("run")),
            ("XDG_STATE_HOME".into(), folder("state")),
            (guard::VARIABLE.into(), self.root.clone().into_os_string()),
        ];
        if let Some(dist) = &self.dist {
            variables.push(("SPIN_CATALOGUES".into(), dist.catalogue().into_os_string()));
        }
        variables
    }

    fn redactions(&self) -> Redactions {
        let mut redactions = Redactions::default();
        redactions.add(self.root.to_string_lossy(), "WORLD");
        redactions.add(self.folder.path().to_string_lossy(), "WORLD");
        if let Some(dist) = &self.dist {
            redactions.add(dist.root().to_string_lossy(), "DIST");
        }
        redactions.add(dist::repository().to_string_lossy(), "REPOSITORY");
        redactions
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let leftovers = guard::clear(&self.root);
        // A second panic would abort the run and hide the first.
        if !leftovers.is_empty() && !std::thread::panicking() {
            let names = leftovers.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ");
            panic!("processes were left behind (they are killed now):\n  {names}");
        }
    }
}

/// An application in a world.
#[derive(Debug, Clone)]
pub struct App {
    dir: PathBuf,
    manifest: PathBuf,
}

impl App {
    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its `spin.toml`.
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }
}
