//! How large the replies of a Redis server are, in both forms of its protocol (RESP 2 and 3).

use ::redis::Value;

use crate::host::measured::Meter;
use crate::host::rows::{Budget, TooLarge};

/// The longest line that says a length, in bytes.
const LONGEST_LENGTH: usize = 24;

/// Counts what the driver makes of each reply: a value for each item, and what is inside.
pub(super) struct Replies {
    budget: Budget,
    /// Items of this reply that have not come.
    missing: usize,
    place: Place,
}

/// Where in an item we are.
enum Place {
    /// Before the byte that says what it is.
    Kind,
    /// In a line that is the item.
    Line,
    /// In a line that says how many bytes or items there are, of which so much has come.
    Length { kind: u8, line: Vec<u8> },
    /// In an item of which so many bytes have not come.
    Bytes(usize),
}

impl Default for Replies {
    fn default() -> Self {
        Self { budget: Budget::new(), missing: 0, place: Place::Kind }
    }
}

impl Replies {
    /// An item is there, and maybe the reply.
    fn ended(&mut self) {
        self.missing = self.missing.saturating_sub(1);
        self.place = Place::Kind;
    }

    /// What follows a length, or nothing if it is none: that is the driver's to refuse.
    fn begin(&mut self, kind: u8, line: &[u8]) -> Result<(), TooLarge> {
        let length = std::str::from_utf8(line).ok().and_then(|text| text.trim().parse::<i64>().ok()).unwrap_or(-1);
        let Ok(length) = usize::try_from(length) else {
            self.ended();
            return Ok(());
        };
        if matches!(kind, b'$' | b'=' | b'!') {
            self.budget.take(length)?;
            // With the end of a line behind it.
            self.place = Place::Bytes(length + 2);
            return Ok(());
        }
        let items = match kind {
            b'%' => length.checked_mul(2),
            // Comes before the value that it is about.
            b'|' => length.checked_mul(2).and_then(|items| items.checked_add(1)),
            _ => Some(length),
        };
        let items = items.ok_or(TooLarge)?;
        self.budget.take(items.checked_mul(size_of::<Value>()).ok_or(TooLarge)?)?;
        self.missing = self.missing.checked_add(items).ok_or(TooLarge)?;
        self.ended();
        Ok(())
    }
}

impl Meter for Replies {
    fn count(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.place {
                Place::Kind => {
                    if self.missing == 0 {
                        *self = Self { missing: 1, ..Self::default() };
                        self.budget.take(size_of::<Value>())?;
                    }
                    self.place = match first {
                        b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => {
                            Place::Length { kind: *first, line: Vec::new() }
                        }
                        _ => Place::Line,
                    };
                    bytes = rest;
                }
                Place::Line => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let taken = end.map_or(bytes.len(), |end| end + 1);
                    self.budget.take(taken)?;
                    bytes = &bytes[taken..];
                    if end.is_some() {
                        self.ended();
                    }
                }
                Place::Length { kind, line } => {
                    bytes = rest;
                    if *first == b'\n' {
                        let (kind, line) = (*kind, std::mem::take(line));
                        self.begin(kind, &line)?;
                    } else if line.len() == LONGEST_LENGTH {
                        // No number is that long.
                        return Err(TooLarge);
                    } else {
                        line.push(*first);
                    }
                }
                Place::Bytes(left) => {
                    let taken = bytes.len().min(*left);
                    *left -= taken;
                    bytes = &bytes[taken..];
                    if *left == 0 {
                        self.ended();
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::rows::MOST_BUFFERED;

    /// Counts in pieces of every length.
    fn count(text: &str) -> Result<(), TooLarge> {
        let whole = Replies::default().count(text.as_bytes());
        for length in [1, 2, 3, 7] {
            let mut replies = Replies::default();
            let pieces = text.as_bytes().chunks(length).try_for_each(|piece| replies.count(piece));
            assert_eq!(pieces, whole, "{text:?} in pieces of {length}");
        }
        whole
    }

    #[test]
    fn each_reply_is_counted_by_itself() {
        let half = MOST_BUFFERED / 2 + 1;
        let mut replies = Replies::default();
        for _ in 0..5 {
            assert_eq!(replies.count(format!("${half}\r\n").as_bytes()), Ok(()));
            assert_eq!(replies.count(&vec![b'x'; half]), Ok(()));
            assert_eq!(replies.count(b"\r\n+OK\r\n:1\r\n$-1\r\n*-1\r\n*0\r\n"), Ok(()));
        }
        // But all parts of one together.
        assert_eq!(replies.count(format!("*2\r\n${half}\r\n").as_bytes()), Ok(()));
        assert_eq!(replies.count(&vec![b'x'; half]), Ok(()));
        assert_eq!(replies.count(format!("\r\n${half}\r\n").as_bytes()), Err(TooLarge));
    }

    #[test]
    fn every_kind_of_item_has_an_end() {
        let reply = "*4\r\n%2\r\n+a\r\n:1\r\n$1\r\nb\r\n_\r\n~1\r\n,1.5\r\n|1\r\n+k\r\n+v\r\n#t\r\n=5\r\ntxt:x\r\n";
        let replies = reply.repeat(50);
        assert_eq!(count(&replies), Ok(()));
        let mut counted = Replies::default();
        assert_eq!(counted.count(replies.as_bytes()), Ok(()));
        assert!(counted.missing == 0 && matches!(counted.place, Place::Kind));
        assert_eq!(count("-ERR no\r\n!3\r\nERR\r\n>2\r\n+message\r\n+x\r\n(1\r\n"), Ok(()));
    }

    #[test]
    fn what_a_server_promises_is_counted_before_it_comes() {
        for reply in [
            format!("${}\r\n", MOST_BUFFERED),
            format!("*{}\r\n", MOST_BUFFERED / size_of::<Value>()),
            format!("%{}\r\n", MOST_BUFFERED / size_of::<Value>() / 2 + 1),
            format!("*1\r\n*1\r\n~{}\r\n", i64::MAX),
            format!("|{}\r\n", i64::MAX),
            format!("*{}\r\n", "1".repeat(30)),
        ] {
            assert_eq!(count(&reply), Err(TooLarge), "{reply}");
        }
        let mut replies = Replies::default();
        let endless = (0..=MOST_BUFFERED / 65_536).try_for_each(|_| replies.count(&[b'+'; 65_536]));
        assert_eq!(endless, Err(TooLarge));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = Replies::default().count(&bytes);
        }
    }
}
