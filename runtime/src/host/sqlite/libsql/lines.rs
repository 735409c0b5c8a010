//! The lines of an answer that comes one by one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime_wasi_http::WasiBody;

use crate::host::rows::TooLarge;

/// Lines of a body. A reader that goes away between two lines, or while it waits for one, has lost nothing.
pub(super) struct Lines {
    body: WasiBody,
    /// What has come and was not given out.
    come: BytesMut,
    /// The first so many bytes of that hold no end of a line.
    searched: usize,
    /// Who may have a long line in hand, and whether this is one of them.
    places: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
}

/// What a long line is: longer than that.
const LONG: usize = 1024 * 1024;

/// A line, without its end.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) text: Bytes,
    _place: Option<OwnedSemaphorePermit>,
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
    /// One with a long line waits for one of `places`.
    pub(super) fn new(body: WasiBody, places: Arc<Semaphore>) -> Self {
        Self { body, come: BytesMut::new(), searched: 0, places, place: None }
    }

    /// The next line, of about `most` bytes at most; none after the last.
    ///
    /// # Errors
    /// When the body breaks off, or a line is too large.
    pub(super) async fn next(&mut self, most: usize) -> Result<Option<Line>, Unreadable> {
        loop {
            if let Some(line) = self.at_hand() {
                return Ok(Some(line));
            }
            if self.come.len() > most {
                return Err(TooLarge.into());
            }
            if self.come.len() > LONG && self.place.is_none() {
                self.place = Arc::clone(&self.places).acquire_owned().await.ok();
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.come.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Err(Unreadable::Broken(error)),
                None => {
                    let end = self.come.len();
                    let line = self.cut(end);
                    return Ok((!line.text.trim_ascii().is_empty()).then_some(line));
                }
            }
        }
    }

    /// Whether this has a place of which others are in need.
    pub(super) fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// A line that has come already.
    fn at_hand(&mut self) -> Option<Line> {
        loop {
            let Some(end) = self.come[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.come.len();
                return None;
            };
            let line = self.cut(self.searched + end + 1);
            if !line.text.trim_ascii().is_empty() {
                return Some(line);
            }
        }
    }

    /// Takes what ends there.
    fn cut(&mut self, end: usize) -> Line {
        self.searched = 0;
        let text = self.come.split_to(end).freeze();
        if text.len() > LONG {
            // Else what follows, which is short, would keep the memory of both.
            self.come = BytesMut::from(&self.come[..]);
        }
        Line { text, _place: self.place.take() }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use proptest::prelude::*;

    use super::*;

    /// Lines of a body that comes in these pieces, and then breaks off or not.
    fn lines(pieces: Vec<Vec<u8>>, breaks_off: bool) -> Lines {
        let pieces = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
        let end = breaks_off.then_some(Err(wasmtime_wasi_http::Error::HttpProtocolError));
        let body = StreamBody::new(futures_util::stream::iter(pieces.chain(end)));
        Lines::new(body.boxed_unsync(), Arc::new(Semaphore::new(1)))
    }

    async fn all(mut lines: Lines, most: usize) -> (Vec<Bytes>, Option<String>) {
        let mut found = Vec::new();
        loop {
            match lines.next(most).await {
                Ok(Some(line)) => found.push(Bytes::copy_from_slice(line.text.trim_ascii())),
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
            let found = all(lines(pieces, false), 100).now_or_never().expect("nothing is waited for");
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
        let found = all(lines(vec![b"\r\n".to_vec()], false), 100).now_or_never();
        assert_eq!(found, Some((Vec::new(), None)));
    }

    #[tokio::test]
    async fn of_those_with_long_lines_one_waits_for_the_other() {
        let places = Arc::new(Semaphore::new(1));
        let long = || {
            let text = [vec![b'x'; LONG + 1], b"\nshort\n".to_vec()];
            let pieces = text.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
            Lines::new(StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync(), Arc::clone(&places))
        };
        let (mut first, mut second) = (long(), long());
        let line = first.next(2 * LONG).await.expect("a line").expect("one");
        assert_eq!((line.text.len(), places.available_permits()), (LONG + 2, 0));
        assert!(second.next(2 * LONG).now_or_never().is_none(), "it waits");
        drop(line);
        assert!(second.next(2 * LONG).await.expect("a line").is_some());
        for lines in [&mut first, &mut second] {
            assert_eq!(lines.next(2 * LONG).await.expect("a line").expect("one").text, "short\n");
            assert_eq!((lines.come.capacity(), places.available_permits()), (0, 1));
        }
    }
}
