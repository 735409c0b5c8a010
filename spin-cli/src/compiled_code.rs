//! The cache of compiled code, seen from outside: what is in it, and removing that.
//!
//! No engine is needed for it; the form of the folder stands in [`spin_app_model::compiled`]. Files are removed by their
//! names and never changed, so triggers that have mapped them go on, and one that is about to finds none and compiles.
//! What is not the cache's own is left alone, links among it.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use spin_app_model::compiled::{self, Kind, Note};

/// What is in a cache.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Compiled code, by what is noted about it.
    pub(crate) codes: Vec<Code>,
    /// What somebody has left who was killed.
    leftovers: Vec<OtherFile>,
    /// What is known of files that code was made of.
    sources: Vec<OtherFile>,
    folders: Vec<PathBuf>,
}

/// The compiled code of one component for one engine.
#[derive(Debug)]
pub(crate) struct Code {
    /// Stands for what it was made of.
    pub(crate) key: String,
    /// Stands for the engine and its settings.
    pub(crate) engine: String,
    pub(crate) note: Option<Note>,
    /// Up to a day too early.
    pub(crate) last_used: Timestamp,
    /// Of its files.
    pub(crate) bytes: u64,
    files: Vec<PathBuf>,
}

/// A file that is being written is not older than this.
const WRITING: Duration = Duration::from_secs(60 * 60);

/// A file that belongs to no code.
#[derive(Debug)]
pub(crate) struct OtherFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    modified: Timestamp,
}

/// The cache can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", path.display())]
pub(crate) struct ReadError {
    path: PathBuf,
    source: io::Error,
}

/// Something of the cache can't be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove {}", path.display())]
pub(crate) struct RemoveError {
    path: PathBuf,
    source: io::Error,
}

/// Reads the folder of all compiled code; one that isn't there is empty.
pub(crate) fn read(folder: &Path) -> Result<Contents, ReadError> {
    let mut contents = Contents::default();
    for entry in entries(folder)? {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        match entry.file_name().to_str() {
            Some(engine) if compiled::is_engine(&entry.file_name()) => contents.add_engine(&entry.path(), engine)?,
            Some(compiled::SOURCES) => contents.add_sources(&entry.path())?,
            _ => {}
        }
    }
    let noted = |code: &Code| code.note.as_ref().map(|note| (note.app.clone(), note.component.clone()));
    contents.codes.sort_by_key(|code| (code.note.is_none(), noted(code), code.key.clone(), code.engine.clone()));
    Ok(contents)
}

/// The bytes of all code.
pub(crate) fn total(codes: &[Code]) -> u64 {
    codes.iter().map(|code| code.bytes).sum()
}

impl Contents {
    pub(crate) fn leftovers(&self) -> &[OtherFile] {
        &self.leftovers
    }

    /// Of how many files something is known.
    pub(crate) fn sources(&self) -> usize {
        self.sources.len()
    }

    /// The bytes of everything that is no code.
    pub(crate) fn other_bytes(&self) -> u64 {
        self.leftovers.iter().chain(&self.sources).map(|file| file.bytes).sum()
    }

    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.leftovers.is_empty() && self.sources.is_empty()
    }

    /// Forgets what was used within this time, as far as files tell.
    pub(crate) fn keep_only_unused_for(&mut self, time: Duration) {
        let is_old = |at: &Timestamp| is_older(*at, time);
        self.codes.retain(|code| is_old(&code.last_used));
        for files in [&mut self.leftovers, &mut self.sources] {
            files.retain(|file| is_old(&file.modified));
        }
    }

    /// Removes it from the disk, and folders that are empty then.
    pub(crate) fn remove(&self) -> Result<(), RemoveError> {
        let others = self.leftovers.iter().chain(&self.sources).map(|file| &file.path);
        for path in self.codes.iter().flat_map(|code| &code.files).chain(others) {
            match fs::remove_file(path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(RemoveError { path: path.clone(), source });
                }
                // Somebody else was faster.
                Ok(()) | Err(_) => {}
            }
        }
        for folder in &self.folders {
            // Where something is left in it, it stays; an empty one would do no harm either.
            drop(fs::remove_dir(folder));
        }
        Ok(())
    }

    fn add_engine(&mut self, folder: &Path, engine: &str) -> Result<(), ReadError> {
        self.folders.push(folder.to_owned());
        let (mut codes, mut notes) = (BTreeMap::new(), Vec::new());
        for entry in entries(folder)? {
            let name = entry.file_name();
            let Some((kind, file)) = Kind::of(&name).zip(OtherFile::of(&entry)) else { continue };
            match kind {
                Kind::Code(key) => {
                    let OtherFile { path, bytes, modified: last_used } = file;
                    let (files, engine) = (vec![path], engine.to_owned());
                    let code = Code { key: key.to_owned(), engine, note: None, last_used, bytes, files };
                    codes.insert(key.to_owned(), code);
                }
                Kind::Note(key) => notes.push((key.to_owned(), file)),
                Kind::Unfinished => self.leftovers.extend(Some(file).filter(OtherFile::is_left)),
            }
        }
        for (key, file) in notes {
            match codes.get_mut(&key) {
                Some(code) => {
                    code.note = note(&file.path);
                    code.bytes += file.bytes;
                    code.files.push(file.path);
                }
                None => self.leftovers.push(file),
            }
        }
        self.codes.extend(codes.into_values());
        Ok(())
    }

    fn add_sources(&mut self, folder: &Path) -> Result<(), ReadError> {
        self.folders.push(folder.to_owned());
        for entry in entries(folder)? {
            match Kind::of(&entry.file_name()).zip(OtherFile::of(&entry)) {
                Some((Kind::Note(_), file)) => self.sources.push(file),
                Some((Kind::Unfinished, file)) => self.leftovers.extend(Some(file).filter(OtherFile::is_left)),
                Some((Kind::Code(_), _)) | None => {}
            }
        }
        Ok(())
    }
}

impl OtherFile {
    /// Nothing for what is no file, or is gone: somebody may clear the cache at this moment.
    fn of(entry: &DirEntry) -> Option<Self> {
        let found = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let modified = found.modified().ok().and_then(|at| Timestamp::try_from(at).ok()).unwrap_or_default();
        Some(Self { path: entry.path(), bytes: found.len(), modified })
    }

    /// Whether nobody writes it any more.
    fn is_left(&self) -> bool {
        is_older(self.modified, WRITING)
    }
}

fn is_older(at: Timestamp, time: Duration) -> bool {
    Timestamp::now().duration_since(at).try_into().is_ok_and(|age: Duration| age >= time)
}

/// What is noted about code, if that can be read.
fn note(path: &Path) -> Option<Note> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(compiled::MOST_BYTES).read_to_end(&mut bytes).ok()?;
    Note::decode(&bytes)
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>, ReadError> {
    let failed = |source| ReadError { path: folder.to_owned(), source };
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::SystemTime;

    use super::*;

    const ENGINE: &str = "0123456789abcdef0123456789abcdef";

    struct Cache(tempfile::TempDir);

    impl Cache {
        fn new() -> Self {
            let cache = Self(tempfile::tempdir().unwrap());
            fs::create_dir(cache.0.path().join(ENGINE)).unwrap();
            cache
        }

        /// Writes a file into the folder of the engine, as if it were that many days old.
        fn write(&self, name: &str, content: &str, days: u32) -> PathBuf {
            let path = self.0.path().join(ENGINE).join(name);
            fs::write(&path, content).unwrap();
            let at = SystemTime::now() - Duration::from_secs(24 * 60 * 60) * days;
            fs::File::open(&path).unwrap().set_modified(at).unwrap();
            path
        }

        /// Compiled code of a component.
        fn compiled(&self, key: char, component: &str, days: u32) {
            let key = key.to_string().repeat(64);
            self.write(&format!("{key}.cwasm"), "0123456789", days);
            self.write(&format!("{key}.json"), &Note::new("e", Some("app"), component).encode(), 0);
        }

        fn read(&self) -> Contents {
            read(self.0.path()).unwrap()
        }
    }

    fn shown(contents: &Contents) -> Vec<String> {
        let component = |code: &Code| code.note.as_ref().map_or("?".to_owned(), |note| note.component.clone());
        contents.codes.iter().map(component).collect()
    }

    #[test]
    fn code_is_listed_with_what_is_noted_about_it() {
        let cache = Cache::new();
        cache.compiled('b', "one", 0);
        cache.compiled('a', "two", 3);
        cache.write(&format!("{}.cwasm", "c".repeat(64)), "123", 0);
        cache.write(&format!("{}.cwasm", "d".repeat(64)), "123", 0);
        cache.write(&format!("{}.json", "d".repeat(64)), "not one of ours", 0);
        let contents = cache.read();
        assert_eq!(shown(&contents), ["one", "two", "?", "?"]);
        let one = &contents.codes[0];
        assert_eq!((one.engine.as_str(), one.key.as_str()), (ENGINE, "b".repeat(64).as_str()));
        assert_eq!(one.bytes, 10 + Note::new("e", Some("app"), "one").encode().len() as u64);
        let older = one.last_used.duration_since(contents.codes[1].last_used).as_secs();
        assert!((3 * 24 * 60 * 60 - 60..=3 * 24 * 60 * 60).contains(&older), "{older} s");
        assert!(contents.leftovers().is_empty());
    }

    #[test]
    fn a_cache_that_is_not_there_is_empty_and_one_that_is_a_file_is_an_error() {
        let cache = Cache::new();
        assert!(read(&cache.0.path().join("nowhere")).unwrap().codes.is_empty());
        let error = read(&cache.write("file", "", 0)).unwrap_err();
        assert!(error.to_string().ends_with("/file"), "{error}");
    }

    #[test]
    fn all_is_removed_and_nothing_that_is_not_the_caches_own() {
        let cache = Cache::new();
        cache.compiled('a', "one", 0);
        let alone = cache.write(&format!("{}.json", "e".repeat(64)), "{}", 0);
        let unfinished = cache.write(".new-x1", "12345", 1);
        let others = [cache.write("README", "", 9), cache.write("x.cwasm", "", 9), cache.write(".new-x2", "123", 0)];
        let outside = tempfile::tempdir().unwrap();
        let precious = outside.path().join(format!("{}.cwasm", "f".repeat(64)));
        fs::write(&precious, "").unwrap();
        let link = cache.0.path().join("f".repeat(32));
        std::os::unix::fs::symlink(outside.path(), &link).unwrap();
        std::os::unix::fs::symlink(&precious, cache.0.path().join(ENGINE).join(format!("{}.cwasm", "9".repeat(64))))
            .unwrap();

        let contents = cache.read();
        let mut leftovers: Vec<_> = contents.leftovers().iter().map(|left| left.path.clone()).collect();
        leftovers.sort();
        assert_eq!(leftovers, [unfinished.clone(), alone.clone()]);
        contents.remove().unwrap();
        contents.remove().expect("what is gone is gone");
        assert_eq!(shown(&cache.read()).len() + cache.read().leftovers().len(), 0);
        assert!(others.iter().all(|other| other.exists()) && precious.exists() && link.exists());

        for other in others {
            fs::remove_file(other).unwrap();
        }
        fs::remove_file(cache.0.path().join(ENGINE).join(format!("{}.cwasm", "9".repeat(64)))).unwrap();
        cache.read().remove().unwrap();
        assert!(!cache.0.path().join(ENGINE).exists(), "an empty folder goes too");
    }

    #[test]
    fn what_is_known_of_files_goes_too() {
        let cache = Cache::new();
        let sources = cache.0.path().join(compiled::SOURCES);
        fs::create_dir(&sources).unwrap();
        fs::write(sources.join(format!("{}.json", "a".repeat(64))), "12345").unwrap();
        fs::write(sources.join("mine"), "").unwrap();
        let contents = cache.read();
        assert_eq!((contents.is_empty(), contents.other_bytes(), contents.leftovers().len()), (false, 5, 0));
        contents.remove().unwrap();
        assert!(cache.read().is_empty() && sources.join("mine").exists());
    }

    #[test]
    fn what_was_used_lately_can_be_kept() {
        let cache = Cache::new();
        cache.compiled('a', "new", 2);
        cache.compiled('b', "old", 31);
        cache.write(".new-x1", "", 2);
        cache.write(".new-x2", "", 31);
        let mut contents = cache.read();
        contents.keep_only_unused_for(Duration::from_secs(30 * 24 * 60 * 60));
        assert_eq!((shown(&contents), contents.leftovers().len()), (vec!["old".to_owned()], 1));
        contents.remove().unwrap();
        assert_eq!((shown(&cache.read()), cache.read().leftovers().len()), (vec!["new".to_owned()], 1));
    }

    #[test]
    fn whoever_has_mapped_code_keeps_it() {
        let cache = Cache::new();
        cache.compiled('a', "one", 0);
        let mut mapped = fs::File::open(cache.0.path().join(ENGINE).join(format!("{}.cwasm", "a".repeat(64)))).unwrap();
        cache.read().remove().unwrap();
        let mut text = String::new();
        mapped.read_to_string(&mut text).unwrap();
        assert_eq!(text, "0123456789");
    }
}
