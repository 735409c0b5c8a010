//! Reading one tar header strictly: what two programs might read differently is refused.

use tar::{EntryType, Header};

/// The largest extended header that is looked at, in bytes.
pub(super) const MAX_EXTENDED: u64 = 64 << 10;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File { executable: bool },
    /// A directory.
    Directory,
    /// Extended (pax) properties of the next entry, or of all.
    Extended,
}

/// A header that passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked {
    pub(super) kind: Kind,
    pub(super) size: u64,
}

/// Extended properties that change neither name, size nor kind, and that we do not take over either.
const HARMLESS: &[&str] = &[
    "mtime",
    "atime",
    "ctime",
    "uid",
    "gid",
    "uname",
    "gname",
    "comment",
    "LIBARCHIVE.creationtime",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
];

/// Checks a header.
pub(super) fn read(header: &Header) -> Result<Checked, HeaderProblem> {
    let bytes = header.as_bytes();
    match &bytes[257..265] {
        b"ustar\x0000" => {}
        // In GNU headers the bytes of ustar's name prefix hold times and the like. Python reads them as a prefix all
        // the same, so only empty ones mean the same to everybody.
        b"ustar  \0" if bytes[345..500].iter().all(|byte| *byte == 0) => {}
        _ => return Err(HeaderProblem::Format),
    }
    let size = octal(&bytes[124..136]).ok_or(HeaderProblem::Size)?;
    let mode = octal(&bytes[100..108]).ok_or(HeaderProblem::Mode)?;
    // Nothing is done with these, but other programs stumble over what is no number.
    let (user, group, modified) = (&bytes[108..116], &bytes[116..124], &bytes[136..148]);
    let binary = |field: &[u8]| field[0] == 0x80;
    let (sum, major, minor) = (&bytes[148..156], &bytes[329..337], &bytes[337..345]);
    let blank = |field: &[u8]| field.iter().all(|byte| matches!(byte, 0 | b' '));
    let plain = [user, group, modified].iter().all(|field| octal(field).is_some() || binary(field))
        && [major, minor].iter().all(|field| octal(field).is_some() || blank(field))
        && octal(sum).is_some();
    if !plain {
        return Err(HeaderProblem::Number);
    }
    let kind = match header.entry_type() {
        EntryType::Regular => Kind::File { executable: mode & 0o100 != 0 },
        EntryType::Directory => Kind::Directory,
        EntryType::XHeader | EntryType::XGlobalHeader => Kind::Extended,
        EntryType::Symlink => return Err(HeaderProblem::Kind("a symbolic link")),
        EntryType::Link => return Err(HeaderProblem::Kind("a hard link")),
        EntryType::Char | EntryType::Block => return Err(HeaderProblem::Kind("a device")),
        EntryType::Fifo => return Err(HeaderProblem::Kind("a pipe")),
        EntryType::GNULongName | EntryType::GNULongLink => return Err(HeaderProblem::Kind("a long-name header")),
        EntryType::GNUSparse => return Err(HeaderProblem::Kind("a sparse file")),
        _ => return Err(HeaderProblem::Kind("of an unknown kind")),
    };
    if kind == Kind::Directory && size != 0 {
        return Err(HeaderProblem::Size);
    }
    if kind != Kind::Extended && mode & 0o7000 != 0 {
        return Err(HeaderProblem::Mode);
    }
    Ok(Checked { kind, size })
}

/// A number field: blanks, octal digits, then blanks or NULs. Nothing else, binary numbers included: a file that
/// needs those is over every limit.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_start_matches(' ').trim_end_matches(['\0', ' ']);
    let digits = !text.is_empty() && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    digits.then(|| u64::from_str_radix(text, 8).ok())?
}

/// Checks the records of an extended header: `LENGTH KEY=VALUE\n`, harmless keys only.
pub(super) fn check_extended(mut records: &[u8]) -> Result<(), HeaderProblem> {
    while !records.is_empty() {
        let (length, record) = split_record(records).ok_or(HeaderProblem::ExtendedFormat)?;
        let key = record.split(|byte| *byte == b'=').next().unwrap_or_default();
        let key = String::from_utf8_lossy(key);
        if !HARMLESS.contains(&key.as_ref()) {
            return Err(HeaderProblem::ExtendedKey(key.escape_debug().take(60).collect()));
        }
        records = &records[length..];
    }
    Ok(())
}

/// The length of the first record, and its `KEY=VALUE`.
fn split_record(records: &[u8]) -> Option<(usize, &[u8])> {
    let blank = records.iter().take(8).position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&records[..blank]).ok()?;
    if digits.starts_with('0') || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let length: usize = digits.parse().ok()?;
    let record = records.get(blank + 1..length)?.strip_suffix(b"\n")?;
    // NUL and newline end a value early for some readers.
    let plain = record.contains(&b'=') && !record.contains(&0) && !record.contains(&b'\n');
    plain.then_some((length, record))
}

/// What is wrong with a header. Continues a sentence that starts with the name of the entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderProblem {
    /// Neither ustar nor GNU.
    #[error("has a header that is neither ustar nor GNU format")]
    Format,
    /// Not a number, or not zero where it must be.
    #[error("has a size that cannot be right")]
    Size,
    /// An owner, a time or a checksum is not a number.
    #[error("has an owner, a time or a checksum that is not a number")]
    Number,
    /// setuid, setgid, sticky, or not a number.
    #[error("has a mode other than plain permissions (setuid, setgid and sticky are not allowed)")]
    Mode,
    /// Neither file nor directory.
    #[error("is {0}; packages hold regular files and directories only")]
    Kind(&'static str),
    /// An extended header is broken.
    #[error("has an extended header that cannot be read")]
    ExtendedFormat,
    /// An extended header is too large.
    #[error("has an extended header larger than {MAX_EXTENDED} bytes")]
    ExtendedTooLarge,
    /// An extended header changes something that it must not.
    #[error("has an extended header that sets '{0}', which is not allowed")]
    ExtendedKey(String),
    /// An extended header that no entry follows.
    #[error("follows an extended header where a file or directory belongs")]
    Stacked,
}

impl HeaderProblem {
    /// The stable code of this problem.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format | Self::Number => "archive::header-format",
            Self::Size => "archive::size",
            Self::Mode => "archive::mode",
            Self::Kind(_) => "archive::entry-kind",
            Self::ExtendedFormat | Self::ExtendedTooLarge | Self::ExtendedKey(_) | Self::Stacked => {
                "archive::extended-header"
            }
        }
    }
}
