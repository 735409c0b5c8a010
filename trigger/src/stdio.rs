//! What components print: into a file for each of their two streams, and onto the terminal.
//!
//! Files on disk: `<log folder>/<component id>_stdout.txt` and `…_stderr.txt`, appended to.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anstream::adapter::StripBytes;
use spin_app_model::ComponentId;
use spin_component_runtime::{Output, OutputKind, OutputSink};

use crate::error::Error;

/// Which components' output is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    Only(Vec<ComponentId>),
    None,
}

/// Writes and shows what components print.
pub(crate) struct ComponentLogs {
    streams: HashMap<(ComponentId, OutputKind), Arc<Stream>>,
}

struct Stream {
    file: Option<File>,
    shown: bool,
    // None when standard error is no terminal.
    plain: Option<Mutex<PlainText>>,
}

impl ComponentLogs {
    /// Opens the files of `components` in `folder`, if there is one; with `truncate`, empties all logs there before.
    ///
    /// # Errors
    /// When the folder or a file can't be made.
    pub(crate) fn open(
        components: &[ComponentId],
        folder: Option<&Path>,
        truncate: bool,
        shown: &Shown,
    ) -> Result<Self, Error> {
        let failed = |path: &Path, error: std::io::Error| {
            let path = path.display();
            Error::new("trigger::log-dir", format!("log {path}: {error}; --log-dir names another folder"))
        };
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
            if truncate {
                empty_logs(folder).map_err(|error| failed(folder, error))?;
            }
        }
        let terminal = std::io::stderr().is_terminal();
        let mut streams = HashMap::new();
        for id in components {
            for (kind, suffix) in [(OutputKind::Stdout, "stdout"), (OutputKind::Stderr, "stderr")] {
                let file = match folder {
                    Some(folder) => {
                        let path: PathBuf = folder.join(format!("{id}_{suffix}.txt"));
                        Some(open(&path).map_err(|error| failed(&path, error))?)
                    }
                    None => None,
                };
                let shown = match shown {
                    Shown::All => true,
                    Shown::Only(ids) => ids.contains(id),
                    Shown::None => false,
                };
                let plain = terminal.then(Mutex::default);
                streams.insert((id.clone(), kind), Arc::new(Stream { file, shown, plain }));
            }
        }
        Ok(Self { streams })
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// Empties every log in `folder`, also those of components that the app no longer has.
fn empty_logs(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_log = path.to_str().is_some_and(|name| name.ends_with("stdout.txt") || name.ends_with("stderr.txt"));
        if is_log && path.is_file() {
            OpenOptions::new().write(true).truncate(true).open(path)?;
        }
    }
    Ok(())
}

impl Output for ComponentLogs {
    fn stream(&self, component: &ComponentId, kind: OutputKind) -> Arc<dyn OutputSink> {
        match self.streams.get(&(component.clone(), kind)) {
            Some(stream) => Arc::clone(stream) as Arc<dyn OutputSink>,
            None => Arc::new(Stream { file: None, shown: false, plain: None }),
        }
    }
}

impl OutputSink for Stream {
    fn write(&self, bytes: &[u8]) {
        // A full disk or a closed terminal must not fail the guest that happens to print.
        if let Some(mut file) = self.file.as_ref() {
            let _ = file.write_all(bytes);
        }
        if !self.shown {
            return;
        }
        // Both streams go to standard error: standard output is the trigger's own.
        match &self.plain {
            Some(plain) => {
                let mut plain = plain.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = std::io::stderr().lock().write_all(&plain.of(bytes));
            }
            None => drop(std::io::stderr().lock().write_all(bytes)),
        }
    }
}

/// Makes text of a guest's output: it may not move the cursor, set the title or fill the clipboard. Remembers where
/// in an escape sequence or a character the last write ended.
#[derive(Default)]
struct PlainText {
    strip: StripBytes,
    /// The last byte was 0xc2, which begins the characters from U+0080 to U+00BF; it is still to be written.
    lead: bool,
}

impl PlainText {
    const LEAD: u8 = 0xc2;
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

    /// What escape sequences leave. Control characters that are no white space become visible, also those from U+0080
    /// to U+009F, with which terminals begin the same sequences.
    fn of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut clean = Vec::with_capacity(bytes.len());
        for &byte in self.strip.strip_next(bytes).flatten() {
            let led = std::mem::replace(&mut self.lead, byte == Self::LEAD);
            match byte {
                0x80..=0x9f if led => {
                    clean.extend_from_slice(Self::REPLACEMENT);
                    continue;
                }
                _ if led => clean.push(Self::LEAD),
                _ => {}
            }
            match byte {
                Self::LEAD => {}
                b'\n' | b'\t' | b'\r' => clean.push(byte),
                0x00..=0x1f | 0x7f => clean.extend_from_slice(Self::REPLACEMENT),
                _ => clean.push(byte),
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_appended_to_or_all_emptied() {
        let folder = tempfile::tempdir().expect("a folder");
        let id: ComponentId = "one".parse().expect("an id");
        let write = |truncate, text: &[u8]| {
            let ids = std::slice::from_ref(&id);
            let logs = ComponentLogs::open(ids, Some(folder.path()), truncate, &Shown::None).expect("opened");
            logs.stream(&id, OutputKind::Stdout).write(text);
        };
        let path = |name: &str| folder.path().join(name);
        let read = |name: &str| std::fs::read_to_string(path(name)).expect("there");
        for other in ["gone_stdout.txt", "gone_stderr.txt", "notes.txt", "stdout.txt.old"] {
            std::fs::write(path(other), "before\n").expect("written");
        }
        std::fs::create_dir(path("folder_stdout.txt")).expect("a folder");
        write(false, b"first\n");
        write(false, b"second\n");
        assert_eq!(read("one_stdout.txt"), "first\nsecond\n");
        write(true, b"third\n");
        assert_eq!(read("one_stdout.txt"), "third\n");
        assert_eq!(read("gone_stdout.txt") + &read("gone_stderr.txt"), "");
        assert_eq!(read("notes.txt") + &read("stdout.txt.old"), "before\nbefore\n", "no logs");
    }

    fn shown(pieces: &[&[u8]]) -> String {
        let mut plain = PlainText::default();
        let shown = pieces.iter().flat_map(|piece| plain.of(piece)).collect();
        String::from_utf8(shown).expect("text")
    }

    #[test]
    fn escapes_do_not_reach_a_terminal() {
        let shown = shown(&[b"a\x1b]52;c;aGk=", b"=\x07b\x1b[2J", b"c\x08d\n"]);
        assert!(!shown.contains(['\x1b', '\x07', '\x08']), "{shown:?}");
        assert!(shown.ends_with("d\n"), "{shown:?}");
    }

    #[test]
    fn nor_do_the_control_characters_beyond_ascii() {
        // U+009D is OSC and U+009B is CSI; both also in two writes, which end in the middle of them.
        let shown = shown(&["a\u{9d}52;c;aGk=\u{9c}".as_bytes(), b"b\xc2", b"\x9b2J", "c\u{a7}\u{e9}\n".as_bytes()]);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.ends_with("c\u{a7}\u{e9}\n"), "{shown:?}");
    }
}
