//! The cache of compiled components: native code on disk, shared by every app and trigger of a user.
//!
//! Files on disk: `<cache>/aot/<engine fingerprint>/<sha256 of what it is made of>.cwasm` and a note beside it, both written
//! to a temporary name and renamed, never changed afterwards. `spin` lists and clears them: what it has to know of them
//! stands in [`spin_app_model::compiled`].
//!
//! Loading compiled code means trusting it as much as our own executable. So a file is opened first, without
//! following a link, then what was opened is judged, and then exactly that is mapped. Anything odd is not an
//! error: the component is compiled again.

use std::fs::{File, Metadata};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};
use spin_app_model::compiled::{self, Note};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub struct CompiledCode {
    folder: PathBuf,
}

/// Why a file of the cache is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    #[error("it is not a regular file")]
    NotRegular,
    #[error("it belongs to another user")]
    Owner,
    #[error("others may write to it")]
    Writable,
    #[error("it has more than one name")]
    Links,
    #[error("its folder {0} belongs to another user or others may write to it")]
    Folder(PathBuf),
    #[error("it can't be read: {0}")]
    Unreadable(String),
}

/// Whether code lies under a key in the folder of any engine, be it of use or not.
pub(crate) fn is_kept(cache: &Path, key: &str) -> bool {
    let folders = std::fs::read_dir(cache.join(compiled::FOLDER)).into_iter().flatten().flatten();
    folders.into_iter().any(|folder| compiled::code_file(&folder.path(), key).exists())
}

impl CompiledCode {
    /// The cache of `engine` under `cache`: the user's cache folder of spin, or another.
    pub fn new(cache: &Path, engine: &Engine) -> Self {
        Self { folder: cache.join(compiled::FOLDER).join(fingerprint(engine)) }
    }

    /// The compiled code that was kept under a key, if it is there and can be trusted.
    pub(crate) fn load(&self, engine: &Engine, key: &str) -> Option<Component> {
        let path = self.path(key);
        self.load_file(engine, &path).unwrap_or_else(|why| {
            tracing::warn!("compiled code {} is not used: {why}; compiling again", path.display());
            None
        })
    }

    /// Keeps compiled code under a key, the digest of all that it was made of, with a note for people.
    ///
    /// # Errors
    /// When the code can't be written. The note may be missing.
    pub(crate) fn keep(&self, key: &str, component: &Component, note: &Note) -> wasmtime::Result<()> {
        // Only we may look in: whoever could write here could run code as us.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        self.write(&self.path(key), &component.serialize()?)?;
        let path = compiled::note_file(&self.folder, key);
        if let Err(error) = self.write(&path, note.encode().as_bytes()) {
            tracing::debug!("{} can't be written: {error}", path.display());
        }
        Ok(())
    }

    /// The folder of this engine's code.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, key: &str) -> PathBuf {
        compiled::code_file(&self.folder, key)
    }

    #[allow(unsafe_code, reason = "compiled code can only be loaded as trusted; this is the one place that does")]
    fn load_file(&self, engine: &Engine, path: &Path) -> Result<Option<Component>, Distrust> {
        let Some((file, opened)) = open_ours(path)? else { return Ok(None) };
        let descriptor = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        // SAFETY: what the descriptor stands for was written by this user's own triggers (it is a regular file of ours
        // with one name, in folders that only we or root can change) and is never changed in place: `store` renames
        // whole files. The path leads to that same open file, so nothing can be put in its place in between.
        // Wasmtime itself refuses files of another version or other settings.
        match unsafe { Component::deserialize_file(engine, &descriptor) } {
            Ok(component) => {
                note_use(&file, &opened);
                Ok(Some(component))
            }
            Err(error) => Err(Distrust::Unreadable(format!("{error:#}"))),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(compiled::UNFINISHED).tempfile_in(&self.folder)?;
        file.write_all(bytes)?;
        // Nobody notices a hole in machine code: after a power cut the name must not be there without the contents.
        file.as_file().sync_data()?;
        file.persist(path)?;
        Ok(())
    }
}

/// Opens a file of the cache, if it is there and nobody but us can have written it.
pub(crate) fn open_ours(path: &Path) -> Result<Option<(File, Metadata)>, Distrust> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err(Distrust::NotRegular),
        Err(error) => return Err(Distrust::Unreadable(error.to_string())),
    };
    let opened = file.metadata().map_err(|error| Distrust::Unreadable(error.to_string()))?;
    // Somebody clears the cache at this moment.
    if opened.nlink() == 0 {
        return Ok(None);
    }
    judge_file(&opened)?;
    judge_folders(path)?;
    Ok(Some((file, opened)))
}

/// Lets the file's time say that it is used, unless it says so already. Where it can't be changed, it stays old.
pub(crate) fn note_use(file: &File, opened: &Metadata) {
    let is_recent = opened.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < compiled::PRECISION));
    if !is_recent && let Err(error) = file.set_modified(SystemTime::now()) {
        tracing::debug!("the time of compiled code can't be changed: {error}");
    }
}

fn judge_file(opened: &Metadata) -> Result<(), Distrust> {
    if !opened.is_file() {
        return Err(Distrust::NotRegular);
    }
    if opened.uid() != rustix::process::geteuid().as_raw() {
        return Err(Distrust::Owner);
    }
    if opened.mode() & 0o022 != 0 {
        return Err(Distrust::Writable);
    }
    if opened.nlink() != 1 {
        return Err(Distrust::Links);
    }
    Ok(())
}

/// Every folder on the way must be ours or root's, also on the way to what a link stands for. One that all may write
/// to is fine only if its sticky bit keeps them from replacing what isn't theirs (the temporary folder).
fn judge_folders(path: &Path) -> Result<(), Distrust> {
    let us = rustix::process::geteuid().as_raw();
    let real = path.canonicalize().map_err(|error| Distrust::Unreadable(error.to_string()))?;
    let folders = path.ancestors().skip(1).chain(real.ancestors().skip(1));
    for folder in folders.filter(|folder| !folder.as_os_str().is_empty()) {
        let distrust = || Distrust::Folder(folder.to_owned());
        let found = std::fs::metadata(folder).map_err(|_| distrust())?;
        let replaceable = found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0;
        if (found.uid() != us && found.uid() != 0) || replaceable {
            return Err(distrust());
        }
    }
    Ok(())
}

/// Names everything that decides whether compiled code fits an engine.
fn fingerprint(engine: &Engine) -> String {
    struct Sink(Sha256);
    impl Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            // Only the whole digest is asked for, below.
            0
        }
    }
    let mut sink = Sink(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut sink);
    hex(&sink.0.finalize()[..16])
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    struct Fixture {
        home: tempfile::TempDir,
        engine: Engine,
        cache: CompiledCode,
        component: Component,
        path: PathBuf,
    }

    const KEY: &str = "0123";

    fn note() -> Note {
        Note::new(crate::engine::NAME, Some("app"), "one")
    }

    fn fixture() -> Fixture {
        let home = tempfile::tempdir().expect("a folder");
        let engine = Engine::default();
        let cache = CompiledCode::new(home.path(), &engine);
        let component =
            Component::new(&engine, wat::parse_str("(component)").expect("well-formed")).expect("it compiles");
        cache.keep(KEY, &component, &note()).expect("kept");
        let path = cache.path(KEY);
        Fixture { home, engine, cache, component, path }
    }

    #[test]
    fn a_second_load_comes_from_the_cache() {
        let fixture = fixture();
        assert!(matches!(fixture.cache.load_file(&fixture.engine, &fixture.path), Ok(Some(_))));
    }

    #[test]
    fn what_was_made_is_told_beside_it() {
        let fixture = fixture();
        let told = std::fs::read(compiled::note_file(fixture.cache.folder(), KEY)).expect("there");
        assert_eq!(Note::decode(&told), Some(note()));
        let names = std::fs::read_dir(fixture.cache.folder()).expect("a folder").count();
        assert_eq!(names, 2, "nothing unfinished is left");
        assert!(compiled::is_engine(fixture.cache.folder().file_name().expect("a name")));
    }

    #[test]
    fn the_time_of_a_file_says_when_it_was_used_to_a_day() {
        let fixture = fixture();
        let age = |seconds| SystemTime::now() - Duration::from_secs(seconds);
        let modified = || std::fs::metadata(&fixture.path).expect("there").modified().expect("a time");
        for (seconds, changes) in [(3600, false), (25 * 3600, true)] {
            let before = age(seconds);
            File::open(&fixture.path).expect("there").set_modified(before).expect("ours");
            assert!(matches!(fixture.cache.load_file(&fixture.engine, &fixture.path), Ok(Some(_))));
            assert_eq!(modified() > age(60), changes, "{seconds} s");
        }
        // A clock that was wrong once.
        File::open(&fixture.path).expect("there").set_modified(SystemTime::now() + compiled::PRECISION).expect("ours");
        assert!(matches!(fixture.cache.load_file(&fixture.engine, &fixture.path), Ok(Some(_))));
        assert!(modified() <= SystemTime::now());
    }

    #[test]
    fn what_others_could_have_written_is_compiled_again() {
        type Spoil = fn(&Path);
        let cases: [(&str, Spoil); 5] = [
            ("writable by the group", |path| {
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o620)).expect("chmod");
            }),
            ("a second name", |path| std::fs::hard_link(path, path.with_extension("other")).expect("link")),
            ("a symbolic link", |path| {
                let target = path.with_extension("target");
                std::fs::rename(path, &target).expect("rename");
                symlink(&target, path).expect("symlink");
            }),
            ("cut short", |path| {
                let bytes = std::fs::read(path).expect("read");
                std::fs::write(path, &bytes[..bytes.len() / 2]).expect("write");
            }),
            ("a folder that all may write to", |path| {
                let folder = path.parent().expect("a folder");
                std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).expect("chmod");
            }),
        ];
        for (what, spoil) in cases {
            let fixture = fixture();
            spoil(&fixture.path);
            assert!(fixture.cache.load_file(&fixture.engine, &fixture.path).is_err(), "{what}: refused");
            assert!(fixture.cache.load(&fixture.engine, KEY).is_none(), "{what}: compiled again");
            fixture.cache.keep(KEY, &fixture.component, &note()).expect("kept");
        }
    }

    #[test]
    fn a_link_does_not_hide_a_folder_that_all_may_write_to() {
        let fixture = fixture();
        let home = fixture.home.path();
        let open = home.join("open");
        std::fs::create_dir(&open).expect("a folder");
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).expect("chmod");
        std::fs::rename(home.join("aot"), open.join("aot")).expect("rename");
        symlink(open.join("aot"), home.join("aot")).expect("symlink");
        let loaded = fixture.cache.load_file(&fixture.engine, &fixture.path);
        assert_eq!(loaded.err(), Some(Distrust::Folder(open)));
    }

    #[test]
    fn a_named_pipe_does_not_block() {
        let fixture = fixture();
        std::fs::remove_file(&fixture.path).expect("remove");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fixture.path, Mode::from(0o600)).expect("a pipe");
        assert_eq!(fixture.cache.load_file(&fixture.engine, &fixture.path).err(), Some(Distrust::NotRegular));
    }
}
