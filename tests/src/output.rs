//! Collecting what a process says, and waiting until it says something.
//!
//! One thread a stream reads; whoever waits sleeps on a condition until bytes come, the stream
//! ends or the deadline passes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long to wait for a line unless told otherwise. Generous: a machine that compiles components
/// for several tests at once is slow, and a pass never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What has come from one stream so far.
#[derive(Debug, Clone, Default)]
pub struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Up to where earlier waits have looked.
    seen: usize,
    ended: bool,
}

impl Output {
    /// Reads `stream` to its end in a thread of its own.
    pub(crate) fn collect(mut stream: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let output = Self::default();
        let writer = output.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => writer.push(&buffer[..count]),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    // A terminal whose other side is gone ends with an error.
                    Err(_) => break,
                }
            }
            writer.end();
        });
        (output, reader)
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Waits for a line that contains `part`, and gives it without its line end. Lines up to it
    /// count as seen: the next wait begins behind it.
    ///
    /// # Panics
    ///
    /// If the stream ends, or [`PATIENCE`], before there is such a line.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        match self.line_within(PATIENCE, |line| line.contains(part)) {
            Ok(line) => line,
            Err(why) => panic!("{why} before a line with {part:?}; there was:\n{}", self.text()),
        }
    }

    /// Waits for a line that `fits`, like [`Output::wait_for`]. The error says what ended the wait.
    pub fn line_within(&self, patience: Duration, fits: impl Fn(&str) -> bool) -> Result<String, &'static str> {
        self.wait(patience, |unseen, ended| {
            let mut from = 0;
            while let Some(length) = unseen[from..].iter().position(|byte| *byte == b'\n') {
                let line = line_text(&unseen[from..from + length]);
                from += length + 1;
                if fits(&line) {
                    return Some((line, from));
                }
            }
            // A last line may lack its end.
            let rest = line_text(&unseen[from..]);
            (ended && !rest.is_empty() && fits(&rest)).then_some((rest, unseen.len()))
        })
    }

    /// Waits for `part` anywhere, as for a prompt that ends no line.
    ///
    /// # Panics
    ///
    /// If the stream ends, or [`PATIENCE`], before it comes.
    #[track_caller]
    pub fn wait_for_text(&self, part: &str) {
        let outcome = self.wait(PATIENCE, |unseen, _| {
            let at = unseen.windows(part.len().max(1)).position(|window| window == part.as_bytes())?;
            Some(((), at + part.len()))
        });
        if let Err(why) = outcome {
            panic!("{why} before the text {part:?}; there was:\n{}", self.text());
        }
    }

    /// Waits until the stream has ended; false if it has not after `patience`.
    pub fn ended_within(&self, patience: Duration) -> bool {
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(self.lock(), patience, |state| !state.ended)
            .expect("no reader has panicked");
        state.ended
    }

    /// Looks at the unseen bytes, again whenever there are more, until `look` finds what it wants.
    fn wait<T>(&self, patience: Duration, look: impl Fn(&[u8], bool) -> Option<(T, usize)>) -> Result<T, &'static str> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            let seen = state.seen;
            if let Some((found, length)) = look(&state.bytes[seen..], state.ended) {
                state.seen = seen + length;
                return Ok(found);
            }
            if state.ended {
                return Err("the stream ended");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("the deadline passed");
            }
            state = self.shared.changed.wait_timeout(state, left).expect("no reader has panicked").0;
        }
    }

    pub(crate) fn push(&self, bytes: &[u8]) {
        self.lock().bytes.extend_from_slice(bytes);
        self.shared.changed.notify_all();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.shared.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().expect("no reader has panicked")
    }
}

fn line_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_goes_on_behind_the_last_match() {
        let (output, reader) = Output::collect(&b"one\r\ntwo\none more\nlast"[..]);
        assert_eq!(output.wait_for("one"), "one");
        assert_eq!(output.wait_for("one"), "one more");
        assert_eq!(output.wait_for("last"), "last");
        assert_eq!(output.line_within(PATIENCE, |_| true), Err("the stream ended"));
        reader.join().expect("the reader ends with the stream");
        assert!(output.ended_within(Duration::ZERO));
    }

    #[test]
    fn a_prompt_needs_no_line_end_and_silence_meets_the_deadline() {
        let output = Output::default();
        let speaker = output.clone();
        let thread = std::thread::spawn(move || speaker.push(b"install it? [y/N] "));
        output.wait_for_text("[y/N]");
        thread.join().expect("it only pushes");
        assert_eq!(output.line_within(Duration::from_millis(1), |_| true), Err("the deadline passed"));
    }
}
