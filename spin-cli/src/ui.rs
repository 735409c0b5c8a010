//! The only writer to the terminal: results, remarks, warnings, errors, questions, progress.
//!
//! Two rules hold for everything that is written here. A stream that is closed never ends the program, and standard
//! error that is full (a pipe nobody reads) never stops it: what cannot be written is dropped, because the triggers
//! must still be drained. And text that came from outside (a plugin's message, a file name) cannot steer the terminal:
//! control characters are shown, not sent.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::report::Report;

mod progress;
mod relay;

pub(crate) use relay::Tag;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const NOTICE: Style = AnsiColor::Cyan.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// How long somebody may take to read what is on standard error already.
const PATIENCE: Duration = Duration::from_secs(1);

/// The terminal, shared by everything that has something to say.
#[derive(Clone)]
pub(crate) struct Ui {
    inner: Arc<Inner>,
}

struct Inner {
    sink: Sink,
    /// The one bar that is drawn, if any. Whoever writes a line moves it out of the way first.
    bar: Mutex<Option<ProgressBar>>,
    turns: relay::Turns,
}

enum Sink {
    Terminal,
    #[cfg(test)]
    Memory(Mutex<String>),
}

/// One of our two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Ui {
    pub(crate) fn new() -> Self {
        Self::to(Sink::Terminal)
    }

    fn to(sink: Sink) -> Self {
        Self { inner: Arc::new(Inner { sink, bar: Mutex::new(None), turns: relay::Turns::default() }) }
    }

    /// A result, on standard output, as one line.
    pub(crate) fn result(&self, line: &str) {
        self.write(Stream::Out, &format!("{}\n", plain(line)));
    }

    /// Text of our own that already carries styles, such as help: on standard output, as it is.
    pub(crate) fn styled(&self, text: &str) {
        self.write(Stream::Out, text);
    }

    /// A usage message of the argument parser: on standard error, as it is.
    pub(crate) fn styled_error(&self, text: &str) {
        self.write(Stream::Err, text);
    }

    /// Something worth knowing that changes nothing.
    pub(crate) fn notice(&self, text: &str) {
        self.write(Stream::Err, &format!("{NOTICE}{}{NOTICE:#}\n", plain(text)));
    }

    /// A line that belongs to a conversation with the user and not to a result: on standard error.
    pub(crate) fn remark(&self, text: &str) {
        self.write(Stream::Err, &format!("{}\n", plain(text)));
    }

    pub(crate) fn warning(&self, text: &str) {
        self.write(Stream::Err, &format!("{WARNING}Warning:{WARNING:#} {}\n", plain(text)));
    }

    /// An error with its causes, its stable code and what to do next.
    pub(crate) fn error(&self, report: &Report) {
        let mut text = format!("{ERROR}Error:{ERROR:#} {}\n", plain(report.message()));
        if !report.causes().is_empty() {
            text.push_str("\nCaused by:\n");
            for (number, cause) in report.causes().iter().enumerate() {
                // Numbers only help to read a list; one cause is none.
                let mark = if report.causes().len() > 1 { format!("{number}: ") } else { String::new() };
                text.push_str(&format!("    {mark}{}\n", indented(&plain(cause), 4 + mark.len())));
            }
            text.push('\n');
        }
        if let Some(code) = report.stable_code() {
            text.push_str(&format!("  {FAINT}code:{FAINT:#} {}\n", plain(code)));
        }
        for help in report.advice() {
            text.push_str(&format!("  {NOTICE}help:{NOTICE:#} {}\n", indented(&plain(help), 8)));
        }
        self.write(Stream::Err, &text);
    }

    /// Whether a question could be asked and would be seen.
    pub(crate) fn can_ask(&self) -> bool {
        match self.inner.sink {
            Sink::Terminal => std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            #[cfg(test)]
            Sink::Memory(_) => false,
        }
    }

    /// Whether there is a person who sees what is not a result.
    pub(crate) fn is_seen(&self) -> bool {
        match self.inner.sink {
            Sink::Terminal => std::io::stderr().is_terminal(),
            #[cfg(test)]
            Sink::Memory(_) => false,
        }
    }

    /// Asks for yes or no; an empty answer is `default`, the end of the input is no.
    ///
    /// A plain line, not a raw-mode menu: Ctrl-C keeps its usual effect and the terminal is never left changed.
    pub(crate) async fn confirm(&self, question: &str, default: bool) -> bool {
        let choices = if default { "[Y/n]" } else { "[y/N]" };
        loop {
            self.write(Stream::Err, &format!("{NOTICE}{}{NOTICE:#} {choices} ", plain(question)));
            match read_line().await.as_deref().map(str::trim) {
                None => {
                    self.write(Stream::Err, "\n");
                    return false;
                }
                Some("") => return default,
                Some(answer) if answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes") => return true,
                Some(answer) if answer.eq_ignore_ascii_case("n") || answer.eq_ignore_ascii_case("no") => return false,
                Some(_) => {}
            }
        }
    }

    /// Asks for a line; `None` at the end of the input.
    pub(crate) async fn ask(&self, question: &str) -> Option<String> {
        self.write(Stream::Err, &format!("{NOTICE}{}{NOTICE:#} ", plain(question)));
        let answer = read_line().await;
        if answer.is_none() {
            self.write(Stream::Err, "\n");
        }
        answer
    }

    fn write(&self, stream: Stream, text: &str) {
        let bar = self.inner.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let write = || match (&self.inner.sink, stream) {
            // A closed terminal or pipe is not our failure, and there is nobody left to tell.
            (Sink::Terminal, Stream::Out) => drop(all(&mut anstream::stdout(), text)),
            (Sink::Terminal, Stream::Err) => drop(all(&mut Patient(std::io::stderr(), PATIENCE), &colours(text))),
            #[cfg(test)]
            (Sink::Memory(written), _) => {
                written
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&anstream::adapter::strip_str(text).to_string());
            }
        };
        match &*bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

#[cfg(test)]
impl Ui {
    /// A terminal that only remembers, for tests.
    pub(crate) fn remembering() -> Self {
        Self::to(Sink::Memory(Mutex::default()))
    }

    /// What was written so far, without colours.
    pub(crate) fn written(&self) -> String {
        match &self.inner.sink {
            Sink::Terminal => String::new(),
            Sink::Memory(written) => written.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// The text as standard error shall have it: with colours or without.
fn colours(text: &str) -> Cow<'_, str> {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => Cow::Owned(anstream::adapter::strip_str(text).to_string()),
        _ => Cow::Borrowed(text),
    }
}

/// A stream that waits for a full pipe or a stopped terminal only so long.
struct Patient<S>(S, Duration);

impl<S: Write + AsFd> Write for Patient<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // A pipe that is ready takes this much without waiting.
        let bytes = &bytes[..bytes.len().min(4096)];
        let patience = Timespec::try_from(self.1).ok();
        let ready = rustix::io::retry_on_intr(|| poll(&mut [PollFd::new(&self.0, PollFlags::OUT)], patience.as_ref()))?;
        if ready == 0 { Err(std::io::ErrorKind::TimedOut.into()) } else { self.0.write(bytes) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn all(stream: &mut dyn Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// One line of standard input, read beside the runtime so that signals are still heard.
async fn read_line() -> Option<String> {
    let read = || {
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

/// The text with its control characters made visible. Line ends and tabs stay. Characters that turn the direction of
/// writing around count as control characters here: with them, a line reads otherwise than it is.
fn plain(text: &str) -> Cow<'_, str> {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let harmless = |c: char| c == '\n' || c == '\t' || !(c.is_control() || turns(c));
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    Cow::Owned(shown)
}

/// The text with every line but the first moved right.
fn indented(text: &str, by: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{:by$}", ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("a\tb\nc"), "a\tb\nc");
        assert_eq!(plain("\u{1b}]52;c;aGk=\u{7}"), "\\u{1b}]52;c;aGk=\\u{7}");
        assert_eq!(plain("over\rwritten\u{9b}2J"), "over\\u{d}written\\u{9b}2J");
        assert_eq!(plain("a\u{202e}b\u{2066}c"), "a\\u{202e}b\\u{2066}c");
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_given_up() {
        let (reader, writer) = std::io::pipe().unwrap();
        let text = "x".repeat(1 << 20);
        let error = all(&mut Patient(&writer, Duration::from_millis(10)), &text).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        drop(reader);
        assert!(all(&mut Patient(&writer, LONG), &text).is_err(), "a closed one is given up too");
    }

    #[test]
    fn a_pipe_that_somebody_reads_gets_everything() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let text = "x".repeat(1 << 20);
        std::thread::scope(|scope| {
            let read = scope.spawn(move || std::io::read_to_string(&mut reader).unwrap().len());
            all(&mut Patient(writer, LONG), &text).unwrap();
            assert_eq!(read.join().unwrap(), text.len());
        });
    }

    #[test]
    fn an_error_shows_message_cause_code_and_help() {
        let ui = Ui::remembering();
        ui.error(&Report::new("no trigger").code("plugin::unknown").help("type this\nthen that"));
        assert_eq!(ui.written(), "Error: no trigger\n  code: plugin::unknown\n  help: type this\n        then that\n");
    }

    #[test]
    fn several_causes_are_numbered_and_one_is_not() {
        let ui = Ui::remembering();
        let inner = std::io::Error::other(std::io::Error::other("deep"));
        ui.error(&Report::of(&std::io::Error::other(inner)));
        assert!(ui.written().starts_with("Error: deep\n"), "{}", ui.written());
    }
}
