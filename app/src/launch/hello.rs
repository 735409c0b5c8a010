//! Agreeing on a protocol: what the host answers to a trigger's hello. Pure functions.

use super::message::{FEATURES, Hello, Welcome};
use crate::names::TriggerType;

/// The two sides have no protocol in common.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no common protocol: the trigger speaks {}, this spin speaks {}; install versions of both that overlap",
    list(.offered),
    list(.supported)
)]
#[non_exhaustive]
pub struct NoCommonProtocol {
    /// What the trigger offered.
    pub offered: Vec<u32>,
    /// What the host supports.
    pub supported: Vec<u32>,
}

/// Why a hello cannot be welcomed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// The executable is the trigger of another type.
    #[error("the executable says it is a trigger of type \"{actual}\", but it was started for \"{expected}\"")]
    WrongType {
        /// The type the host started it for.
        expected: TriggerType,
        /// The type it says it is.
        actual: TriggerType,
    },
    /// There is no protocol that both speak.
    #[error(transparent)]
    NoCommonProtocol(#[from] NoCommonProtocol),
}

impl HelloError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongType { .. } => "control::wrong-trigger-type",
            Self::NoCommonProtocol(_) => "control::no-common-protocol",
        }
    }
}

/// Chooses the highest protocol that both sides know.
///
/// ```
/// use spin_app_model::launch::negotiate;
///
/// assert_eq!(negotiate(&[1, 2, 9], &[1, 2]), Ok(2));
/// let error = negotiate(&[2, 3], &[1]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "no common protocol: the trigger speaks 2 and 3, this spin speaks 1; install versions of both that overlap",
/// );
/// ```
///
/// # Errors
///
/// [`NoCommonProtocol`], naming what each side knows.
pub fn negotiate(offered: &[u32], supported: &[u32]) -> Result<u32, NoCommonProtocol> {
    offered
        .iter()
        .copied()
        .filter(|protocol| supported.contains(protocol))
        .max()
        .ok_or_else(|| NoCommonProtocol { offered: offered.to_vec(), supported: supported.to_vec() })
}

/// What the host answers to a hello: a welcome, or the reason to refuse.
///
/// `supported` is normally `&[`[`PROTOCOL`](super::PROTOCOL)`]`. Of the features those are welcome that are
/// [known](FEATURES); others are ignored.
///
/// # Errors
///
/// When the trigger is of another type than `expected`, or shares no protocol with the host.
pub fn answer_hello(hello: &Hello, expected: &TriggerType, supported: &[u32]) -> Result<Welcome, HelloError> {
    if hello.trigger_type != *expected {
        return Err(HelloError::WrongType { expected: expected.clone(), actual: hello.trigger_type.clone() });
    }
    let mut welcome = Welcome::new(negotiate(&hello.protocols, supported)?);
    let offered = |known: &&str| hello.features.iter().any(|feature| feature == known);
    welcome.features = FEATURES.iter().copied().filter(offered).map(str::to_owned).collect();
    Ok(welcome)
}

/// Protocol numbers as a person lists them. A hostile list is cut short.
fn list(protocols: &[u32]) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<String> = protocols.iter().take(SHOWN).map(u32::to_string).collect();
    if protocols.len() > SHOWN {
        shown.push("more".to_owned());
    }
    match shown.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;
    use crate::launch::PROTOCOL;

    #[test]
    fn a_hello_of_the_right_type_is_welcomed() {
        let hello = Hello::new("cron".parse().unwrap(), "0.1.0");
        let welcome = answer_hello(&hello, &"cron".parse().unwrap(), &[PROTOCOL]).unwrap();
        assert_eq!(welcome.protocol, PROTOCOL);
        assert!(welcome.features.is_empty());
    }

    #[test]
    fn features_that_both_know_are_welcome_each_once() {
        let hello = Hello::new("cron".parse().unwrap(), "0.1.0").with_features(&["status", "odd", "status", "reload"]);
        let welcome = answer_hello(&hello, &"cron".parse().unwrap(), &[PROTOCOL]).unwrap();
        assert_eq!(welcome.features, ["reload", "status"]);
    }

    #[test]
    fn another_type_is_refused_by_name() {
        let hello = Hello::new("cron".parse().unwrap(), "0.1.0");
        let error = answer_hello(&hello, &"http".parse().unwrap(), &[PROTOCOL]).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the executable says it is a trigger of type "cron", but it was started for "http""#
        );
    }

    #[test]
    fn an_empty_offer_reads_well_and_a_huge_one_is_cut() {
        assert!(negotiate(&[], &[1]).unwrap_err().to_string().contains("the trigger speaks none, this spin speaks 1"));
        let huge: Vec<u32> = (2..100_000).collect();
        assert!(negotiate(&huge, &[1]).unwrap_err().to_string().contains("8, 9 and more,"));
    }

    proptest! {
        #[test]
        fn the_choice_is_the_highest_in_both(
            offered in prop::collection::vec(0u32..6, 0..6), supported in prop::collection::vec(0u32..6, 0..6),
        ) {
            let expected = (0..6).rev().find(|p| offered.contains(p) && supported.contains(p));
            prop_assert_eq!(negotiate(&offered, &supported).ok(), expected);
        }
    }
}
