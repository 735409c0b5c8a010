//! Signatures in the format of minisign: which keys a catalogue may be signed with, and whether a file is.
//!
//! A signature lies beside its file, under the file's name and `.minisig`. Its *trusted comment*, which is signed too,
//! may hold `expires:SECONDS` (Unix time) among its words. Only signatures of the hashed kind count, which is what
//! minisign has made for years: they can be checked without holding a file in memory.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use minisign_verify::{PublicKey, Signature};
use serde::{Deserialize, Serialize};

/// The largest signature that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 8 << 10;

/// What is added to the name of a file to get that of its signature.
pub(crate) const ENDING: &str = ".minisig";

/// Which signatures a catalogue must have. The default asks for none and looks at none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys that count. A signature by another one is refused.
    pub keys: Vec<TrustedKey>,
    /// Whether what is not signed is refused. Without this, a file whose signature is missing is used.
    pub require_signature: bool,
}

impl Trust {
    /// Whether signatures matter at all.
    pub(crate) fn asks(&self) -> bool {
        self.require_signature || !self.keys.is_empty()
    }

    /// What the signature `file` claims about the file `of`; `None` if there is no signature and none is needed.
    pub(crate) fn claim(&self, of: &str, file: Option<&[u8]>, now: Timestamp) -> Result<Option<Claim>, SignatureError> {
        let refused = |problem| SignatureError { of: of.to_owned(), problem };
        if !self.asks() {
            return Ok(None);
        }
        let Some(file) = file else {
            return if self.require_signature { Err(refused(SignatureProblem::Missing)) } else { Ok(None) };
        };
        let malformed = || refused(SignatureProblem::Malformed);
        let text = str::from_utf8(file).map_err(|_| malformed())?;
        let signature = Signature::decode(text).map_err(|_| malformed())?;
        let id = text.lines().nth(1).and_then(KeyId::of_base64).ok_or_else(malformed)?;
        let keys: Vec<_> = self.keys.iter().filter(|key| key.id == id).cloned().collect();
        if keys.is_empty() {
            return Err(refused(SignatureProblem::UnknownKey(id)));
        }
        if let Some(expires) = expiry(signature.trusted_comment()).map_err(|()| malformed())?
            && expires < now
        {
            return Err(refused(SignatureProblem::Expired(expires)));
        }
        Ok(Some(Claim { of: of.to_owned(), signature, keys, id }))
    }
}

/// When a signature with this trusted comment expires. The word may stand there once.
fn expiry(comment: &str) -> Result<Option<Timestamp>, ()> {
    let mut words = comment.split_whitespace().filter_map(|word| word.strip_prefix("expires:"));
    let Some(seconds) = words.next() else { return Ok(None) };
    if words.next().is_some() {
        return Err(());
    }
    let seconds = seconds.parse().map_err(|_| ())?;
    Timestamp::from_second(seconds).map(Some).map_err(|_| ())
}

/// A signature by a trusted key. Whether it is one of the file in question shows once the file is there.
#[derive(Clone)]
pub(crate) struct Claim {
    of: String,
    signature: Signature,
    /// All that have the number in question. Numbers are random, not unique.
    keys: Vec<TrustedKey>,
    id: KeyId,
}

impl Claim {
    /// The key that is claimed to have signed.
    pub(crate) fn key(&self) -> KeyId {
        self.id
    }

    /// Checks the claim against the content of the file.
    pub(crate) fn verify(&self, mut file: impl Read) -> Result<KeyId, SignatureError> {
        let refused = |problem| SignatureError { of: self.of.clone(), problem };
        let streams = self.keys.iter().map(|key| key.key.verify_stream(&self.signature));
        let mut streams: Vec<_> =
            streams.collect::<Result<_, _>>().map_err(|_| refused(SignatureProblem::OutdatedKind))?;
        let mut buffer = vec![0; 256 << 10];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => streams.iter_mut().for_each(|stream| stream.update(&buffer[..count])),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(refused(SignatureProblem::Unreadable(error))),
            }
        }
        match streams.iter_mut().any(|stream| stream.finalize().is_ok()) {
            true => Ok(self.id),
            false => Err(refused(SignatureProblem::Wrong(self.id))),
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({} by {})", self.of, self.id)
    }
}

/// A public key of minisign: the second line of its file, which begins with `RW`.
#[derive(Clone)]
pub struct TrustedKey {
    text: String,
    id: KeyId,
    key: PublicKey,
}

impl TrustedKey {
    /// Its number.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for TrustedKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = PublicKey::from_base64(text).map_err(|_| KeyError)?;
        let id = KeyId::of_base64(text).ok_or(KeyError)?;
        Ok(Self { text: text.to_owned(), id, key })
    }
}

impl fmt::Debug for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustedKey({})", self.text)
    }
}

impl PartialEq for TrustedKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TrustedKey {}

/// A text that is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a public key of minisign; give the second line of the .pub file, 56 characters that begin with RW")]
pub struct KeyError;

/// The number of a key, as minisign shows it: sixteen digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(u64);

impl KeyId {
    /// The number that a key and its signatures begin with, after two letters for the algorithm.
    fn of_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let number = bytes.get(2..10)?.try_into().ok()?;
        Some(Self(u64::from_le_bytes(number)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for KeyId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = u64::from_str_radix(&text, 16).ok().filter(|_| text.len() == 16);
        number.map(Self).ok_or_else(|| "the number of a key has sixteen hexadecimal digits".to_owned())
    }
}

/// A file is not signed as it must be.
#[derive(Debug, thiserror::Error)]
#[error("{of} {problem}")]
#[non_exhaustive]
pub struct SignatureError {
    /// The file.
    pub of: String,
    /// What is wrong with its signature.
    pub problem: SignatureProblem,
}

/// What is wrong with a signature. Continues a sentence that begins with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureProblem {
    /// There is none.
    #[error("is not signed, and its catalogue is configured with require_signature")]
    Missing,
    /// It is none, or an empty file.
    #[error("has a signature that is none: the {ENDING} file cannot be read")]
    Malformed,
    /// By a key that the user has not named.
    #[error("is signed with the key {0}, which is not one of its catalogue's keys in the configuration")]
    UnknownKey(KeyId),
    /// Not of the hashed kind.
    #[error("has a signature of an outdated kind; its publisher must sign it with a newer minisign")]
    OutdatedKind,
    /// It is one of another file, or the file was changed.
    #[error("is not what was signed with the key {0}: it was changed, or the signature is that of another file")]
    Wrong(KeyId),
    /// It was good until then.
    #[error("has a signature that expired at {0}; refresh the catalogue, or tell its keeper")]
    Expired(Timestamp),
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
}

impl SignatureError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self.problem {
            SignatureProblem::Missing => "signature::missing",
            SignatureProblem::Malformed => "signature::malformed",
            SignatureProblem::UnknownKey(_) => "signature::unknown-key",
            SignatureProblem::OutdatedKind => "signature::outdated-kind",
            SignatureProblem::Wrong(_) => "signature::wrong",
            SignatureProblem::Expired(_) => "signature::expired",
            SignatureProblem::Unreadable(_) => "signature::unreadable",
        }
    }
}

#[cfg(test)]
mod tests;
