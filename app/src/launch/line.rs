//! Splitting the bytes of the control channel into lines, without ever holding more than one overlong line.

/// The longest line, without its end, that either side accepts.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;

/// Why no more lines can be had from a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// A line is longer than [`MAX_LINE_BYTES`].
    #[error("a line on the control channel is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
}

impl LineError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "control::line-too-long",
        }
    }
}

/// An incremental splitter: bytes in, in pieces of any size; lines out.
///
/// Does no reading itself, so it serves blocking and asynchronous sockets alike. Call [`next_line`](Self::next_line)
/// until it returns `None` after every [`push`](Self::push).
///
/// A line that is too long ends the stream of lines: the lines before it are still delivered, then every call returns
/// the error.
///
/// ```
/// use spin_app_model::launch::LineReader;
///
/// let mut reader = LineReader::new();
/// reader.push(b"one\ntw");
/// assert_eq!(reader.next_line()?, Some(b"one".to_vec()));
/// assert_eq!(reader.next_line()?, None);
/// reader.push(b"o\n");
/// assert_eq!(reader.next_line()?, Some(b"two".to_vec()));
/// # Ok::<(), spin_app_model::launch::LineError>(())
/// ```
#[derive(Debug)]
pub struct LineReader {
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// How far the buffer has been searched for an end of line, so that slow drips do not cost quadratic time.
    searched: usize,
    /// Where the unfinished last line starts.
    tail: usize,
    limit: usize,
}

impl LineReader {
    /// A reader with the limit of the protocol.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(MAX_LINE_BYTES)
    }

    /// A reader with another limit; for tests and tools.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, tail: 0, limit }
    }

    /// Takes in bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len() - self.tail > self.limit {
            // The last line is too long already: whatever follows can never be read, so it is not kept either.
            return;
        }
        if let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') {
            self.tail = self.buffer.len() + end + 1;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line, without its end; `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`LineError::TooLong`], as soon as it is certain.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        let end = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n').map(|at| self.searched + at);
        let length = end.unwrap_or(self.buffer.len()) - self.start;
        if length > self.limit {
            return Err(LineError::TooLong);
        }
        let Some(end) = end else {
            self.forget_delivered();
            return Ok(None);
        };
        let line = self.buffer[self.start..end].to_vec();
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(line))
    }

    /// Whether bytes are left that are not a complete line. At the end of the channel: a message was cut off.
    #[must_use]
    pub fn has_partial_line(&self) -> bool {
        self.buffer.len() > self.tail
    }

    fn forget_delivered(&mut self) {
        self.buffer.drain(..self.start);
        self.tail -= self.start;
        self.start = 0;
        self.searched = self.buffer.len();
    }
}

impl Default for LineReader {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 8;

    /// What the reader should say of a whole input: the lines, and whether an overlong one follows.
    fn model(input: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let mut lines = Vec::new();
        let mut pieces = input.split(|&byte| byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            if piece.len() > LIMIT {
                return (lines, true);
            }
            if pieces.peek().is_some() {
                lines.push(piece.to_vec());
            }
        }
        (lines, false)
    }

    fn drain(reader: &mut LineReader, lines: &mut Vec<Vec<u8>>) -> bool {
        loop {
            match reader.next_line() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => return false,
                Err(LineError::TooLong) => return true,
            }
        }
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            input in prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n')], 0..80),
            cuts in prop::collection::vec(1usize..20, 0..80),
            drain_each_time in any::<bool>(),
        ) {
            let mut reader = LineReader::with_limit(LIMIT);
            let (mut lines, mut too_long) = (Vec::new(), false);
            let mut rest = &input[..];
            let mut cuts = cuts.into_iter();
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
                reader.push(chunk);
                rest = after;
                if drain_each_time {
                    too_long = drain(&mut reader, &mut lines);
                }
            }
            too_long |= drain(&mut reader, &mut lines);
            prop_assert_eq!((lines, too_long), model(&input));
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_passes() {
        let mut reader = LineReader::with_limit(3);
        reader.push(b"abc\nabcd");
        assert_eq!(reader.next_line(), Ok(Some(b"abc".to_vec())));
        assert_eq!(reader.next_line(), Err(LineError::TooLong));
        reader.push(b"\nx\n");
        assert_eq!(reader.next_line(), Err(LineError::TooLong), "there is no way back");
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let mut reader = LineReader::with_limit(LIMIT);
        for _ in 0..1000 {
            reader.push(&[b'x'; 64]);
        }
        assert!(reader.buffer.len() <= LIMIT + 64);
    }

    #[test]
    fn a_cut_off_message_is_noticed() {
        let mut reader = LineReader::new();
        reader.push(b"whole\n");
        assert!(!reader.has_partial_line());
        reader.push(b"half");
        assert_eq!(reader.next_line(), Ok(Some(b"whole".to_vec())));
        assert_eq!(reader.next_line(), Ok(None));
        assert!(reader.has_partial_line());
    }
}
