//! Every way in which a signature can be no good. The signatures are made by another implementation of the format.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::testing::Signer;

const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn trust(signer: &Signer) -> Trust {
    Trust { keys: vec![signer.key()], require_signature: true }
}

fn check(trust: &Trust, content: &[u8], signature: Option<&str>) -> Result<Option<KeyId>, &'static str> {
    let claim = trust.claim("a.tar.gz", signature.map(str::as_bytes), NOW).map_err(|error| error.code())?;
    claim.map(|claim| claim.verify(content)).transpose().map_err(|error| error.code())
}

/// The signature with other bytes.
fn edited(signature: &str, edit: impl FnOnce(&mut [u8])) -> String {
    let line = signature.lines().nth(1).unwrap();
    let mut bytes = STANDARD.decode(line).unwrap();
    edit(&mut bytes);
    signature.replace(line, &STANDARD.encode(bytes))
}

#[test]
fn a_good_signature_names_its_key() {
    let signer = Signer::new();
    let signature = signer.sign(b"content", "file:a.tar.gz");
    assert_eq!(check(&trust(&signer), b"content", Some(&signature)), Ok(Some(signer.key().id())));
    let id = signer.key().id().to_string();
    assert_eq!(id.len(), 16);
    assert_eq!(KeyId::try_from(id).unwrap(), signer.key().id());
}

#[test]
fn everything_else_is_refused_where_a_signature_is_required() {
    let (signer, other) = (Signer::new(), Signer::new());
    let trust = trust(&signer);
    let good = signer.sign(b"content", "");
    assert_eq!(check(&trust, b"content", None), Err("signature::missing"));
    assert_eq!(check(&trust, b"content", Some("")), Err("signature::malformed"));
    assert_eq!(check(&trust, b"content", Some("untrusted comment: x\n\n")), Err("signature::malformed"));
    assert_eq!(check(&trust, b"content", Some(&good[..good.len() / 2])), Err("signature::malformed"));
    assert_eq!(check(&trust, b"other content", Some(&good)), Err("signature::wrong"));
    assert_eq!(check(&trust, b"content", Some(&other.sign(b"content", ""))), Err("signature::unknown-key"));
    // Somebody else's signature under our key's number.
    let forged = edited(&other.sign(b"content", ""), |bytes| {
        bytes[2..10].copy_from_slice(&signer.key().id().0.to_le_bytes());
    });
    assert_eq!(check(&trust, b"content", Some(&forged)), Err("signature::wrong"));
    // The comment is signed too.
    let later = signer.sign(b"content", "expires:1900000000").replace("1900000000", "1999999999");
    assert_eq!(check(&trust, b"content", Some(&later)), Err("signature::wrong"));
    let unhashed = edited(&good, |bytes| bytes[1] = b'd');
    assert_eq!(check(&trust, b"content", Some(&unhashed)), Err("signature::outdated-kind"));
    let keyless = Trust { keys: Vec::new(), require_signature: true };
    assert_eq!(check(&keyless, b"content", Some(&good)), Err("signature::unknown-key"), "no key, no trust");
}

#[test]
fn a_signature_holds_until_it_expires() {
    let signer = Signer::new();
    let with = |comment: &str| check(&trust(&signer), b"content", Some(&signer.sign(b"content", comment)));
    assert!(with("timestamp:1 expires:1800000000\tfile:x").is_ok());
    assert_eq!(with("expires:1799999999"), Err("signature::expired"));
    for odd in ["expires:", "expires:soon", "expires:99999999999999999999", "expires:1900000000 expires:1900000001"] {
        assert_eq!(with(odd), Err("signature::malformed"), "{odd}");
    }
}

#[test]
fn without_the_requirement_only_what_is_there_must_be_right() {
    let (signer, other) = (Signer::new(), Signer::new());
    let trust = Trust { require_signature: false, ..trust(&signer) };
    assert_eq!(check(&trust, b"content", None), Ok(None));
    assert_eq!(check(&trust, b"content", Some(&other.sign(b"content", ""))), Err("signature::unknown-key"));
    assert_eq!(check(&trust, b"content", Some("")), Err("signature::malformed"));
    let none = Trust::default();
    assert_eq!(check(&none, b"content", Some("whatever")), Ok(None), "nobody asked");
}

#[test]
fn keys_are_checked_when_they_are_read() {
    let signer = Signer::new();
    assert_eq!(signer.key().as_str().parse::<TrustedKey>().unwrap(), signer.key());
    for bad in ["", "RW", "RWQ=", &signer.key().as_str()[1..], "https://example.org/key"] {
        assert!(bad.parse::<TrustedKey>().is_err(), "{bad}");
    }
}
