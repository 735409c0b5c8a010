//! Decimal numbers: as guests have them, in text, and as PostgreSQL sends them. Nothing is lost in between, however many
//! digits there are.

use bytes::{BufMut, BytesMut};

/// What the server has instead of a sign.
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const NEGATIVE_INFINITY: u16 = 0xf000;

/// Digits before and after the point that the server has room for.
const MOST_BEFORE: usize = 131_072;
const MOST_AFTER: usize = 16_383;

/// A text is not a decimal number, or what the server sent is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a decimal number")]
pub(super) struct NoDecimal;

/// A decimal number in the form in which it is sent: groups of four digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Numeric {
    groups: Vec<u16>,
    /// Which power of 10 000 the first group counts.
    weight: i16,
    sign: u16,
    /// Digits after the point that are written.
    scale: u16,
}

impl Numeric {
    /// Reads a number such as `-12.50`, `NaN`, `Infinity`.
    pub(super) fn parse(text: &str) -> Result<Self, NoDecimal> {
        let special = |sign| Ok(Self { groups: Vec::new(), weight: 0, sign, scale: 0 });
        match text.trim() {
            "NaN" => return special(NAN),
            "Infinity" | "+Infinity" => return special(INFINITY),
            "-Infinity" => return special(NEGATIVE_INFINITY),
            _ => {}
        }
        let text = text.trim();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (NEGATIVE, rest),
            None => (0, text.strip_prefix('+').unwrap_or(text)),
        };
        let (before, after) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = before.bytes().chain(after.bytes()).all(|byte| byte.is_ascii_digit());
        if !all_digits || (before.is_empty() && after.is_empty()) {
            return Err(NoDecimal);
        }
        let before = before.trim_start_matches('0');
        if before.len() > MOST_BEFORE || after.len() > MOST_AFTER {
            return Err(NoDecimal);
        }
        // Groups begin at the point, so the first and the last one may lack digits.
        let mut padded = "0".repeat((4 - before.len() % 4) % 4);
        padded.push_str(before);
        let whole = padded.len() / 4;
        padded.push_str(after);
        padded.push_str(&"0".repeat((4 - after.len() % 4) % 4));
        let group = |four: &[u8]| four.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        let mut groups: Vec<u16> = padded.as_bytes().chunks(4).map(group).collect();
        let leading = groups.iter().take_while(|group| **group == 0).count();
        groups.drain(..leading);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let power = |count: usize| i32::try_from(count).map_err(|_| NoDecimal);
        let weight = if groups.is_empty() { 0 } else { power(whole)? - power(leading)? - 1 };
        let weight = i16::try_from(weight).map_err(|_| NoDecimal)?;
        let scale = u16::try_from(after.len()).map_err(|_| NoDecimal)?;
        // There is no negative zero.
        let sign = if groups.is_empty() { 0 } else { sign };
        Ok(Self { groups, weight, sign, scale })
    }

    /// Reads what the server sent.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, NoDecimal> {
        let mut numbers = bytes.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
        let mut next = || numbers.next().ok_or(NoDecimal);
        let (count, weight, sign, scale) = (next()?, next()?.cast_signed(), next()?, next()?);
        let groups: Vec<u16> = numbers.collect();
        if groups.len() != usize::from(count) || groups.iter().any(|group| *group > 9_999) {
            return Err(NoDecimal);
        }
        Ok(Self { groups, weight, sign, scale })
    }

    /// How long it is as a text, in bytes, or a little more than that. A few bytes that were sent can be a long text.
    pub(super) fn text_length(&self) -> usize {
        let before = (usize::try_from(self.weight).unwrap_or(0) + 1) * 4;
        before + usize::from(self.scale) + 2
    }

    /// Writes it as the server reads it.
    pub(super) fn write(&self, out: &mut BytesMut) {
        let count = u16::try_from(self.groups.len()).expect("there are no more digits than the server has room for");
        out.put_u16(count);
        out.put_i16(self.weight);
        out.put_u16(self.sign);
        out.put_u16(self.scale);
        for group in &self.groups {
            out.put_u16(*group);
        }
    }
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.sign {
            NAN => return to.write_str("NaN"),
            INFINITY => return to.write_str("Infinity"),
            NEGATIVE_INFINITY => return to.write_str("-Infinity"),
            NEGATIVE => to.write_str("-")?,
            _ => {}
        }
        // The group that counts this power of 10 000.
        let group = |power: i32| {
            let at = usize::try_from(i32::from(self.weight) - power).ok();
            at.and_then(|at| self.groups.get(at)).copied().unwrap_or(0)
        };
        let first = i32::from(self.weight).max(0);
        write!(to, "{}", group(first))?;
        for power in (0..first).rev() {
            write!(to, "{:04}", group(power))?;
        }
        let mut left = usize::from(self.scale);
        for power in (i32::MIN..0).rev() {
            if left == 0 {
                break;
            }
            if left == usize::from(self.scale) {
                to.write_str(".")?;
            }
            let digits = format!("{:04}", group(power));
            let written = left.min(4);
            to.write_str(&digits[..written])?;
            left -= written;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through_the_wire(text: &str) -> String {
        let mut bytes = BytesMut::new();
        Numeric::parse(text).expect("a number").write(&mut bytes);
        Numeric::read(&bytes).expect("what was just written").to_string()
    }

    #[test]
    fn numbers_keep_their_digits_and_their_scale() {
        for text in [
            "0",
            "1",
            "-1",
            "10000",
            "9999.9999",
            "0.00001",
            "-0.10",
            "12.50",
            "100000000",
            "123456789012345678901234567890.123456789",
            "0.00000000000000000000000000000000000001",
            "NaN",
            "Infinity",
            "-Infinity",
            "0.000",
            "40000",
        ] {
            assert_eq!(through_the_wire(text), text);
        }
        for (text, read) in
            [("+007.10", "7.10"), (".5", "0.5"), ("5.", "5"), ("-0", "0"), ("-0.0", "0.0"), (" 1 ", "1")]
        {
            assert_eq!(through_the_wire(text), read, "{text:?}");
        }
    }

    #[test]
    fn the_server_has_room_for_so_many_digits_and_so_have_we() {
        for digits in [131_068, 131_069, MOST_BEFORE] {
            let text = format!("-{}.{}", "9".repeat(digits), "9".repeat(MOST_AFTER));
            assert!(through_the_wire(&text) == text, "{digits} digits are lost");
        }
    }

    #[test]
    fn the_length_of_the_text_is_known_before_it_is_made() {
        for text in ["0", "-1", "10000", "0.00001", "-12.50", "NaN", "-Infinity", "123456789.123456789"] {
            let length = Numeric::parse(text).expect("a number").text_length();
            assert!(length + 4 >= text.len() && length <= text.len() + 6, "{text}: {length}");
        }
        // What the server sends for `1e131071`.
        let large = Numeric::read(&[0, 1, 0x7f, 0xff, 0, 0, 0, 0, 3, 232]).expect("a number");
        assert_eq!((large.to_string().len(), large.text_length()), (131_072, 131_074));
    }

    #[test]
    fn the_form_is_the_servers() {
        let mut bytes = BytesMut::new();
        Numeric::parse("-12345.678").expect("a number").write(&mut bytes);
        // Three groups (1, 2345, 6780), the first one of weight 1, negative, scale 3.
        assert_eq!(&bytes[..], [0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 0x09, 0x29, 0x1a, 0x7c]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1e5", "1,5", "0x10", "1.2.3", "--1", "nan", "١"] {
            assert_eq!(Numeric::parse(text), Err(NoDecimal), "{text:?}");
        }
        assert_eq!(Numeric::parse(&"9".repeat(MOST_BEFORE + 1)), Err(NoDecimal));
        assert!(Numeric::parse(&format!(".{}", "9".repeat(MOST_AFTER + 1))).is_err());
        assert_eq!(Numeric::read(&[0, 1, 0, 0, 0, 0, 0, 0]), Err(NoDecimal));
        assert_eq!(Numeric::read(&[0]), Err(NoDecimal));
    }

    proptest! {
        #[test]
        fn any_number_comes_back(text in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?") {
            let negative_zero = text.starts_with('-') && text.bytes().all(|byte| b"-.0".contains(&byte));
            let expected = if negative_zero { text[1..].to_owned() } else { text.clone() };
            prop_assert_eq!(through_the_wire(&text), expected);
        }

        #[test]
        fn no_bytes_are_a_surprise(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Numeric::read(&bytes).map(|number| number.to_string());
        }
    }
}
