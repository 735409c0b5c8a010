//! The files that components are made of, and what decides about each of them which compiled code is its own.
//!
//! A large file is read once. What was found lies in the cache from then on (`<cache>/aot/sources/`, see
//! [`spin_app_model::compiled`]), together with properties of the file that change whenever somebody touches it; a later
//! start looks at those alone. Such a note decides which machine code runs, so it is trusted as little as that: see
//! [`crate::aot`].

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spin_app_model::compiled;

use crate::aot::{self, hex};
use crate::platform;
use crate::prepare::RECIPE;

/// Smaller files are read as fast as notes about them, and no notes are made. In bytes.
const LARGE: u64 = 1 << 20;

/// For how long a file must have been left alone before it is read. A change that comes within one tick of its file
/// system's clock after another one leaves the same time; the coarsest of those ticks are two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// The number of the form of notes.
const SCHEMA: u32 = 1;

/// A file of a component, as far as it was looked at.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) facts: Facts,
    /// Its content, if it was read for the facts.
    content: Option<Vec<u8>>,
}

/// What decides which compiled code is that of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The SHA-256 digest of its content.
    pub(crate) digest: [u8; 32],
    /// It is a component whose outermost names tell that it needs tasks.
    pub(crate) names_tasks: bool,
}

/// What is noted about a file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SourceNote {
    schema: u32,
    /// By which rules `names_tasks` was found.
    recipe: String,
    /// For people.
    file: String,
    sha256: String,
    names_tasks: bool,
    stamp: Stamp,
}

/// Properties of a file that change whenever somebody writes it or puts another one in its place. Times are in seconds and
/// nanoseconds. What is written through a shared map may be seen late, where nobody looks for changes of code: every tool
/// writes a file, or replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
    device: u64,
}

impl<'a> Source<'a> {
    /// Finds out what is to be known of a file: from what is noted below `cache`, else by reading it.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn look(path: &'a Path, cache: Option<&Path>) -> io::Result<Self> {
        if let Some(facts) = cache.and_then(|cache| Facts::noted(cache, path)) {
            return Ok(Self { path, facts, content: None });
        }
        let (content, facts) = read(path, cache, SystemTime::now())?;
        Ok(Self { path, facts, content: Some(content) })
    }

    /// Whether what is known of it was noted before.
    pub(crate) fn is_unread(&self) -> bool {
        self.content.is_none()
    }

    /// Its content, with what is to be known of just that.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn read(self, cache: Option<&Path>) -> io::Result<(Vec<u8>, Facts)> {
        match self.content {
            Some(content) => Ok((content, self.facts)),
            None => read(self.path, cache, SystemTime::now()),
        }
    }
}

impl Facts {
    /// Of a file with this content.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { digest: Sha256::digest(bytes).into(), names_tasks: platform::names_tasks(bytes).unwrap_or(false) }
    }

    /// What is noted below `cache` about the file at `path`, if nobody has touched that since.
    fn noted(cache: &Path, path: &Path) -> Option<Self> {
        // Opened, so that a file system of the network asks its server, and that a file that can't be read is no good here either.
        let found = File::open(path).and_then(|file| file.metadata()).ok().filter(|found| found.len() >= LARGE)?;
        let place = place(cache, path);
        let (mut file, opened) = aot::open_ours(&place).unwrap_or_else(|why| {
            tracing::warn!("{} is not used: {why}; reading {} again", place.display(), path.display());
            None
        })?;
        let mut text = Vec::new();
        (&mut file).take(compiled::MOST_BYTES).read_to_end(&mut text).ok()?;
        let note: SourceNote = serde_json::from_slice(&text).ok()?;
        let is_current = note.schema == SCHEMA && note.recipe == RECIPE;
        if !is_current || note.stamp != Stamp::of(&found) {
            return None;
        }
        aot::note_use(&file, &opened);
        Some(Self { digest: unhex(&note.sha256)?, names_tasks: note.names_tasks })
    }

    fn note(self, cache: &Path, path: &Path, stamp: Stamp) -> io::Result<()> {
        let note = SourceNote {
            schema: SCHEMA,
            recipe: RECIPE.to_owned(),
            file: path.to_string_lossy().into_owned(),
            sha256: hex(&self.digest),
            names_tasks: self.names_tasks,
            stamp,
        };
        let place = place(cache, path);
        let folder = place.parent().unwrap_or(cache);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = tempfile::Builder::new().prefix(compiled::UNFINISHED).tempfile_in(folder)?;
        // Not waited for the disk: what a power cut leaves of it is no note, and the file is read once more.
        file.write_all(serde_json::to_string(&note)?.as_bytes())?;
        file.persist(place)?;
        Ok(())
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            size: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
            device: found.dev(),
        }
    }

    /// Whether a change after `now` would be seen. A time of whole seconds is that of an image or of a server that makes it
    /// out of the time of modification, which can be set back; the kernel's own clock has nanoseconds.
    fn tells_of_changes_after(&self, now: SystemTime) -> bool {
        let age = |(seconds, nanoseconds): (i64, i64)| {
            let time = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
            now.duration_since(SystemTime::UNIX_EPOCH.checked_add(time)?).ok()
        };
        let is_settled = |time| age(time).is_some_and(|age| age >= SETTLED);
        self.changed.1 != 0 && is_settled(self.changed) && is_settled(self.modified)
    }
}

/// Reads a file; it is `now`. If it is large, what is to be known of it is noted below `cache`.
///
/// # Errors
/// When it can't be read. The note may be missing.
fn read(path: &Path, cache: Option<&Path>, now: SystemTime) -> io::Result<(Vec<u8>, Facts)> {
    let mut file = File::open(path)?;
    let before = file.metadata()?;
    let mut bytes = room(before.len())?;
    file.read_to_end(&mut bytes)?;
    let facts = Facts::of(&bytes);
    if let Some(cache) = cache.filter(|_| before.len() >= LARGE) {
        let stamp = Stamp::of(&before);
        if stamp.tells_of_changes_after(now)
            && stamp == Stamp::of(&file.metadata()?)
            && let Err(error) = facts.note(cache, path, stamp)
        {
            tracing::debug!("what {} is can't be noted: {error}", path.display());
        }
    }
    Ok((bytes, facts))
}

/// Room for so many bytes. Whatever size a file claims to have, it is no reason to end the process.
fn room(bytes: u64) -> io::Result<Vec<u8>> {
    let mut room = Vec::new();
    room.try_reserve_exact(usize::try_from(bytes).unwrap_or(usize::MAX))?;
    Ok(room)
}

/// Where the note about a file is.
fn place(cache: &Path, path: &Path) -> PathBuf {
    let name = hex(&Sha256::digest(path.as_os_str().as_bytes()));
    compiled::note_file(&cache.join(compiled::FOLDER).join(compiled::SOURCES), &name)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let bytes = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    });
    bytes.collect::<Option<Vec<_>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    /// A large file, and a cache.
    fn fixture() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a.wasm");
        fs::write(&path, vec![1; 1 << 20]).expect("written");
        (home, path)
    }

    /// Notes what the file is, as if it had been left alone for long.
    fn note(cache: &Path, path: &Path) -> Facts {
        let facts = Facts::of(&fs::read(path).expect("read"));
        let stamp = Stamp::of(&fs::metadata(path).expect("there"));
        facts.note(cache, path, stamp).expect("noted");
        facts
    }

    #[test]
    fn what_was_noted_holds_as_long_as_nobody_touches_the_file() {
        type Touch = fn(&Path);
        let touches: [(&str, Touch); 4] = [
            ("other content", |path| fs::write(path, vec![2; 1 << 20]).expect("written")),
            ("the same content", |path| fs::write(path, vec![1; 1 << 20]).expect("written")),
            ("other content, and the time set back", |path| {
                let time = fs::metadata(path).and_then(|found| found.modified()).expect("a time");
                fs::write(path, vec![2; 1 << 20]).expect("written");
                File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("set");
            }),
            ("another file in its place", |path| {
                let other = path.with_extension("new");
                fs::write(&other, vec![2; 1 << 20]).expect("written");
                fs::rename(other, path).expect("renamed");
            }),
        ];
        for (what, touch) in touches {
            let (home, path) = fixture();
            let facts = note(home.path(), &path);
            let stamp = || Stamp::of(&fs::metadata(&path).expect("there"));
            let (noted, began) = (stamp(), Instant::now());
            assert_eq!(Facts::noted(home.path(), &path), Some(facts), "{what}: before");
            // The clock of the file system has ticks.
            while stamp().changed == noted.changed {
                assert!(began.elapsed() < Duration::from_secs(20), "{what}: its time doesn't change");
                touch(&path);
            }
            assert_eq!(Facts::noted(home.path(), &path), None, "{what}");
        }
    }

    const STAMP: Stamp =
        Stamp { size: 25, modified: (1_793_500_000, 5), changed: (1_793_500_001, 6), inode: 42, device: 2049 };

    #[test]
    fn each_property_tells_files_apart() {
        let (home, path) = fixture();
        let (facts, found) = (note(home.path(), &path), rustix::fs::stat(&path).expect("there"));
        let stamp = Stamp {
            size: 1 << 20,
            modified: (found.st_mtime, found.st_mtime_nsec.cast_signed()),
            changed: (found.st_ctime, found.st_ctime_nsec.cast_signed()),
            inode: found.st_ino,
            device: found.st_dev,
        };
        let others = [
            Stamp { size: 26, ..stamp },
            Stamp { modified: STAMP.modified, ..stamp },
            Stamp { changed: STAMP.changed, ..stamp },
            Stamp { inode: stamp.inode + 1, ..stamp },
            Stamp { device: stamp.device + 1, ..stamp },
        ];
        for other in others {
            let shown = format!("{other:?}");
            facts.note(home.path(), &path, other).expect("noted");
            assert_eq!(Facts::noted(home.path(), &path), None, "{shown}");
        }
        facts.note(home.path(), &path, stamp).expect("noted");
        assert_eq!(Facts::noted(home.path(), &path), Some(facts));
    }

    #[test]
    fn a_file_that_was_just_written_tells_of_no_change() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let tells = |stamp: &Stamp, seconds| stamp.tells_of_changes_after(at(seconds));
        for (seconds, expected) in [(1_793_500_000, false), (1_793_500_003, false), (1_793_500_004, true)] {
            assert_eq!(tells(&STAMP, seconds), expected, "{seconds}");
        }
        assert!(!tells(&Stamp { modified: (1_793_500_100, 0), ..STAMP }, 1_793_500_004), "a time that is yet to come");
        assert!(!tells(&Stamp { changed: (1_793_500_001, 0), ..STAMP }, 1_793_600_000), "one that can be set back");
        assert!(!tells(&Stamp { changed: (-1, 6), ..STAMP }, 1_793_600_000), "one before all time");
    }

    #[test]
    fn a_large_file_gets_a_note_and_a_small_one_does_not() {
        let (home, path) = fixture();
        let later = SystemTime::now() + SETTLED * 2;
        let read = || read(&path, Some(home.path()), later).expect("read");
        let (bytes, facts) = read();
        assert_eq!((bytes.len(), facts), (1 << 20, Facts::of(&bytes)));
        assert_eq!(Facts::noted(home.path(), &path), Some(facts));
        fs::remove_file(place(home.path(), &path)).expect("it was noted");

        File::options().write(true).open(&path).and_then(|file| file.set_len(LARGE - 1)).expect("cut");
        assert_eq!(read().0.len(), (1 << 20) - 1);
        assert!(!place(home.path(), &path).exists());
        note(home.path(), &path);
        assert_eq!(Facts::noted(home.path(), &path), None);
    }

    #[test]
    fn what_is_noted_is_not_read_until_it_is_wanted() {
        let (home, path) = fixture();
        let cache = Some(home.path());
        assert!(!Source::look(&path, cache).expect("read").is_unread());
        let facts = note(home.path(), &path);
        let noted = Source::look(&path, cache).expect("noted");
        assert!(noted.is_unread() && noted.facts == facts);
        assert!(!Source::look(&path, None).expect("read").is_unread(), "without a cache");
        // Somebody writes it now.
        fs::write(&path, "other").expect("written");
        let (content, facts) = noted.read(cache).expect("read");
        assert_eq!((content.as_slice(), facts), (&b"other"[..], Facts::of(b"other")));
    }

    #[test]
    fn a_file_larger_than_memory_is_an_error() {
        assert_eq!(room(1 << 60).expect_err("no machine has that").kind(), io::ErrorKind::OutOfMemory);
        assert!(room(u64::MAX).is_err() && room(1 << 10).is_ok_and(|room| room.capacity() >= 1 << 10));
    }

    #[test]
    fn a_note_that_others_could_have_written_counts_for_nothing() {
        let (home, path) = fixture();
        note(home.path(), &path);
        let place = place(home.path(), &path);
        fs::set_permissions(&place, PermissionsExt::from_mode(0o620)).expect("chmod");
        assert_eq!(Facts::noted(home.path(), &path), None);
    }

    /// Files of these bytes lie on users' disks: a change of them is another number of the form.
    #[test]
    fn the_form_on_disk_is_this_one() {
        let (sha256, recipe) = ("0f".repeat(32), "spin 0.1.0 recipe 4".to_owned());
        let note =
            SourceNote { schema: 1, recipe, file: "/a.wasm".to_owned(), sha256, names_tasks: true, stamp: STAMP };
        let text = format!(
            "{{\"schema\":1,\"recipe\":\"spin 0.1.0 recipe 4\",\"file\":\"/a.wasm\",\"sha256\":\"{}\",\"names_tasks\":true,\
             \"stamp\":{{\"size\":25,\"modified\":[1793500000,5],\"changed\":[1793500001,6],\"inode\":42,\"device\":2049}}}}",
            "0f".repeat(32)
        );
        assert_eq!(serde_json::to_string(&note).ok(), Some(text.clone()));
        assert_eq!(serde_json::from_str::<SourceNote>(&text).ok(), Some(note));
        assert_eq!(unhex(&"0f".repeat(32)), Some([0x0f; 32]));
        for bad in ["", "0", "0g", &"0f".repeat(31), &"0f".repeat(33), &format!("{}0", "0f".repeat(32))] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }

    #[test]
    fn of_another_form_or_cut_short_nothing_is_known() {
        let (home, path) = fixture();
        note(home.path(), &path);
        let place = place(home.path(), &path);
        let text = fs::read_to_string(&place).expect("read");
        let others = [
            text.replace("\"schema\":1", "\"schema\":2"),
            text.replace(RECIPE, "spin 0.0.1 recipe 1"),
            text.replace("\"sha256\":\"", "\"sha256\":\"x"),
            text[..text.len() / 2].to_owned(),
            String::new(),
        ];
        for other in others {
            fs::write(&place, &other).expect("written");
            assert_eq!(Facts::noted(home.path(), &path), None, "{other}");
        }
        fs::write(&place, &text).expect("written");
        assert!(Facts::noted(home.path(), &path).is_some());
    }
}
