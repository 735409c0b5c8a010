//! The lines of an answer that comes one by one.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use wasmtime_wasi_http::WasiBody;

use crate::host::rows::TooLarge;

/// Lines of a body. A reader that goes away between two lines, or while it waits for one, has lost nothing.
pub(super) struct Lines {
    body: WasiBody,
    /// What has come and was not given out.
    come: BytesMut,
    /// The first so many bytes of that hold no end of a line.
    searched: usize,
}

/// Why there is no next line.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("the answer breaks off: {0}")]
    Broken(wasmtime_wasi_http::Error),
}

impl Lines {
    pub(super) fn new(body: WasiBody) -> Self {
        Self { body, come: BytesMut::new(), searched: 0 }
    }

    /// The next line, of about `most` bytes at most, without its end; none after the last.
    ///
    /// # Errors
    /// When the body breaks off, or a line is too large.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<Bytes>, Unreadable> {
        loop {
            if let Some(line) = self.at_hand() {
                return Ok(Some(line));
            }
            if self.come.len() > most {
                return Err(TooLarge.into());
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.come.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(Unreadable::Broken(error)),
                None => {
                    self.searched = 0;
                    let line = std::mem::take(&mut self.come).freeze();
                    return Ok((!line.trim_ascii().is_empty()).then_some(line));
                }
            }
        }
    }

    /// Whether the next line has come already.
    pub(super) fn are_at_hand(&self) -> bool {
        self.come[self.searched..].contains(&b'\n')
    }

    /// A line that has come already.
    fn at_hand(&mut self) -> Option<Bytes> {
        loop {
            let Some(end) = self.come[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.come.len();
                return None;
            };
            let line = self.come.split_to(self.searched + end + 1).freeze();
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body::Frame;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;

    /// Lines of a body that comes in these pieces, and then breaks off or not.
    fn lines(pieces: Vec<Vec<u8>>, breaks_off: bool) -> Lines {
        let pieces = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
        let end = breaks_off.then_some(Err(wasmtime_wasi_http::Error::HttpProtocolError));
        let body = StreamBody::new(futures_util::stream::iter(pieces.chain(end)));
        Lines::new(body.boxed_unsync())
    }

    async fn all(mut lines: Lines, most: usize) -> (Vec<Bytes>, Option<String>) {
        let mut found = Vec::new();
        loop {
            match lines.next(most).await {
                Ok(Some(line)) => found.push(Bytes::copy_from_slice(line.trim_ascii())),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.to_string())),
            }
        }
    }

    proptest! {
        #[test]
        fn lines_are_the_same_in_whatever_pieces_they_come(
            texts in prop::collection::vec("[a-z ]{0,4}", 0..6),
            cuts in prop::collection::vec(0_usize..24, 0..6),
            crlf: bool,
        ) {
            let text = texts.join(if crlf { "\r\n" } else { "\n" });
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|cut| text.as_bytes()[cut[0]..cut[1]].to_vec()).collect();
            let expected: Vec<&str> = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect();
            let found = futures_util::FutureExt::now_or_never(all(lines(pieces, false), 100)).expect("nothing is waited for");
            prop_assert_eq!(found, (expected.into_iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect(), None));
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_and_a_line_without_an_end_are_errors() {
        let found = all(lines(vec![b"one\ntw".to_vec()], true), 100).await;
        assert_eq!(found.0, ["one"]);
        let broken = Unreadable::Broken(wasmtime_wasi_http::Error::HttpProtocolError).to_string();
        assert_eq!(found.1, Some(broken));
        let found = all(lines(vec![b"one\n".to_vec(), b"four".to_vec(), b"five\n".to_vec()], false), 3).await;
        assert_eq!(found, (vec![Bytes::from("one")], Some(TooLarge.to_string())));
    }

    #[test]
    fn a_body_of_nothing_has_no_lines() {
        let found = futures_util::FutureExt::now_or_never(all(lines(vec![b"\r\n".to_vec()], false), 100));
        assert_eq!(found, Some((Vec::new(), None)));
    }
}
