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
    // Remembers where in an escape sequence the last write ended; none when standard error is no terminal.
    strip: Option<Mutex<StripBytes>>,
}

impl ComponentLogs {
    /// Opens the files of `components` in `folder`, if there is one.
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
        }
        let terminal = std::io::stderr().is_terminal();
        let mut streams = HashMap::new();
        for id in components {
            for (kind, suffix) in [(OutputKind::Stdout, "stdout"), (OutputKind::Stderr, "stderr")] {
                let file = match folder {
                    Some(folder) => {
                        let path: PathBuf = folder.join(format!("{id}_{suffix}.txt"));
                        Some(open(&path, truncate).map_err(|error| failed(&path, error))?)
                    }
                    None => None,
                };
                let shown = match shown {
                    Shown::All => true,
                    Shown::Only(ids) => ids.contains(id),
                    Shown::None => false,
                };
                let strip = terminal.then(|| Mutex::new(StripBytes::new()));
                streams.insert((id.clone(), kind), Arc::new(Stream { file, shown, strip }));
            }
        }
        Ok(Self { streams })
    }
}

fn open(path: &Path, truncate: bool) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    if truncate {
        file.set_len(0)?;
    }
    Ok(file)
}

impl Output for ComponentLogs {
    fn stream(&self, component: &ComponentId, kind: OutputKind) -> Arc<dyn OutputSink> {
        match self.streams.get(&(component.clone(), kind)) {
            Some(stream) => Arc::clone(stream) as Arc<dyn OutputSink>,
            None => Arc::new(Stream { file: None, shown: false, strip: None }),
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
        match &self.strip {
            // A guest's output is only text: it may not move the cursor, set the title or fill the clipboard.
            Some(strip) => {
                let mut strip = strip.lock().unwrap_or_else(PoisonError::into_inner);
                let clean: Vec<u8> = strip.strip_next(bytes).flat_map(without_controls).collect();
                let _ = std::io::stderr().lock().write_all(&clean);
            }
            None => drop(std::io::stderr().lock().write_all(bytes)),
        }
    }
}

/// What stripping leaves: control characters that are no white space become visible.
fn without_controls(bytes: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' | b'\t' | b'\r' => clean.push(byte),
            0x00..=0x1f | 0x7f => clean.extend_from_slice(b"\xef\xbf\xbd"),
            _ => clean.push(byte),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_appended_to_or_emptied() {
        let folder = std::env::temp_dir().join(format!("spin-kit-logs-{}", std::process::id()));
        let id: ComponentId = "one".parse().expect("an id");
        let write = |truncate, text: &[u8]| {
            let logs =
                ComponentLogs::open(std::slice::from_ref(&id), Some(&folder), truncate, &Shown::None).expect("opened");
            logs.stream(&id, OutputKind::Stdout).write(text);
        };
        write(false, b"first\n");
        write(false, b"second\n");
        let path = folder.join("one_stdout.txt");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "first\nsecond\n");
        write(true, b"third\n");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "third\n");
        std::fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn escapes_do_not_reach_a_terminal() {
        let mut strip = StripBytes::new();
        let mut shown = Vec::new();
        for piece in [&b"a\x1b]52;c;aGk="[..], b"=\x07b\x1b[2J", b"c\x08d\n"] {
            for text in strip.strip_next(piece) {
                shown.extend(without_controls(text));
            }
        }
        let shown = String::from_utf8(shown).expect("text");
        assert!(!shown.contains(['\x1b', '\x07', '\x08']), "{shown:?}");
        assert!(shown.ends_with("d\n"), "{shown:?}");
    }
}
