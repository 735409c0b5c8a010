//! The output of triggers that run side by side: line by line, each with the trigger's type in front.
//!
//! Whoever copies a stream waits when nobody reads ours, and then the trigger waits too, as if it had our stream to
//! itself. That is why copying has threads of its own, and why none of them waits with the bar in its hands: the
//! supervisor has other things to say and to do.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Sink, Stream, Ui};

/// A line that is longer is shown as several.
const LONGEST_LINE: u64 = 64 * 1024;

/// A pipe that is ready takes this much without waiting.
const PIECE: usize = 4096;

/// They tell triggers apart on a terminal.
const COLOURS: [AnsiColor; 6] =
    [AnsiColor::Cyan, AnsiColor::Green, AnsiColor::Magenta, AnsiColor::Yellow, AnsiColor::Blue, AnsiColor::BrightBlack];

/// What stands in front of every line of a trigger.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    name: String,
    style: Style,
}

/// Whose turn it is to write a whole line, for each of our streams.
#[derive(Debug, Default)]
pub(super) struct Turns {
    out: Mutex<()>,
    err: Mutex<()>,
}

impl Tag {
    /// The tag of the `number`th trigger.
    pub(crate) fn new(name: impl Into<String>, number: usize) -> Self {
        Self { name: name.into(), style: COLOURS[number % COLOURS.len()].on_default() }
    }

    fn before(&self, with_colour: bool) -> String {
        let Self { name, style } = self;
        if with_colour { format!("{style}[{name}]{style:#} ") } else { format!("[{name}] ") }
    }
}

impl Ui {
    /// Copies what comes from `source` to one of our streams, until it ends. Waits: only for threads of their own.
    pub(crate) fn relay(&self, source: OwnedFd, stream: Stream, tag: &Tag) {
        let tag = tag.before(has_colours(stream));
        let mut source = BufReader::new(File::from(source));
        let mut line = Vec::new();
        loop {
            line.clear();
            line.extend_from_slice(tag.as_bytes());
            match source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if line.last() != Some(&b'\n') {
                line.push(b'\n');
            }
            self.pass_on(stream, &line);
        }
    }

    /// Writes a line as it is. One that nobody will ever read is dropped.
    fn pass_on(&self, stream: Stream, mut line: &[u8]) {
        match (&self.inner.sink, stream) {
            #[cfg(test)]
            (Sink::Memory(written), _) => {
                let text = String::from_utf8_lossy(line);
                written.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
            (Sink::Terminal, Stream::Out) => {
                let _turn = self.inner.turns.out.lock().unwrap_or_else(PoisonError::into_inner);
                while !line.is_empty() && self.pass_on_piece(std::io::stdout().as_fd(), &mut line).is_ok() {}
            }
            (Sink::Terminal, Stream::Err) => {
                let _turn = self.inner.turns.err.lock().unwrap_or_else(PoisonError::into_inner);
                while !line.is_empty() && self.pass_on_piece(std::io::stderr().as_fd(), &mut line).is_ok() {}
            }
        }
    }

    /// Waits until the stream takes a piece of the line, and writes it with the bar out of the way.
    fn pass_on_piece(&self, stream: BorrowedFd<'_>, line: &mut &[u8]) -> rustix::io::Result<()> {
        is_ready(stream, None)?;
        let bar = self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner);
        // The supervisor may have filled it while we waited for the bar.
        if !is_ready(stream, Some(&Timespec::default()))? {
            return Ok(());
        }
        let write = || rustix::io::write(stream, &line[..line.len().min(PIECE)]);
        let written = match &*bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        match written {
            Ok(written) => *line = &line[written..],
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_ready(stream: BorrowedFd<'_>, patience: Option<&Timespec>) -> rustix::io::Result<bool> {
    let ready = rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&stream, PollFlags::OUT)], patience))?;
    Ok(ready > 0)
}

fn has_colours(stream: Stream) -> bool {
    let choice = match stream {
        Stream::Out => anstream::AutoStream::choice(&std::io::stdout()),
        Stream::Err => anstream::AutoStream::choice(&std::io::stderr()),
    };
    choice != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Write;

    use super::*;

    /// What is shown of this output.
    fn shown(output: &[u8]) -> String {
        let ui = Ui::remembering();
        let (reader, mut writer) = std::io::pipe().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| ui.relay(reader.into(), Stream::Out, &Tag::new("zzz", 0)));
            writer.write_all(output).unwrap();
            drop(writer);
        });
        anstream::adapter::strip_str(&ui.written()).to_string()
    }

    #[test]
    fn every_line_has_the_tag_and_the_last_one_its_end() {
        assert_eq!(shown(b"one\n\ntwo\r\nlast"), "[zzz] one\n[zzz] \n[zzz] two\r\n[zzz] last\n");
        assert_eq!(shown(b""), "");
    }

    #[test]
    fn an_endless_line_is_cut_and_bytes_that_are_no_text_do_no_harm() {
        let long = vec![b'x'; usize::try_from(LONGEST_LINE).unwrap() + 1];
        let shown_long = shown(&long);
        assert_eq!(shown_long.lines().count(), 2);
        assert!(shown_long.lines().all(|line| line.starts_with("[zzz] x")));
        assert!(shown(b"\xff\xfe\n").starts_with("[zzz] "));
    }
}
