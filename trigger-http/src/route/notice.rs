//! What is wrong with a route: errors that stop the app from loading, and notices that are only told.

use std::fmt;

use super::pattern::MAX_ROUTE_BYTES;
use crate::well_known;

/// A route that cannot be used; the app does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing route `{route}` associated with component `{id}`: {problem}")]
pub struct RouteError {
    /// The component, or the trigger of a static response.
    pub id: String,
    /// The route as written.
    pub route: String,
    /// Why.
    #[source]
    pub problem: RouteProblem,
}

/// Why a route cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteProblem {
    /// `:` without a name.
    #[error("`:` without a name in `{segment}`; write for example `:id`")]
    UnnamedCapture {
        /// The segment it is in.
        segment: String,
    },
    /// `:a:b`, `:a*`.
    #[error("in `{segment}` something directly follows a capture; put a `/` or a `.` after the name")]
    CaptureNotAlone {
        /// The segment it is in.
        segment: String,
    },
    /// `*name`.
    #[error("a wildcard has no name: write `/...` at the end instead of `{segment}`")]
    NamedWildcard {
        /// The segment it is in.
        segment: String,
    },
    /// `/a/*/b`.
    #[error("`*` may only stand at the end of a route; for one segment in the middle use a capture such as `:name`")]
    WildcardNotLast,
    /// `/a.*`.
    #[error("`*` must stand alone between slashes, unlike in `{segment}`; to match part of a segment use `:name`")]
    WildcardInSegment {
        /// The segment it is in.
        segment: String,
    },
    /// A control character, which can neither be requested nor be passed on in a header.
    #[error("it contains a control character")]
    ControlCharacter,
    /// Too long.
    #[error("it has {bytes} bytes; at most {MAX_ROUTE_BYTES} are supported")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Something about a route that its author should hear; the app starts all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteNotice {
    /// Two entries with the same text: the later one serves it.
    Duplicate {
        /// The route.
        route: String,
        /// The entry that lost.
        replaced: String,
        /// The entry that serves it.
        effective: String,
    },
    /// Texts differ (`/a`, `/a/`; `/:x`, `/:y`) but exactly the same paths match: the earlier one serves them.
    Shadowed {
        /// The entry that is never reached.
        id: String,
        /// Its route.
        route: String,
        /// The entry that is.
        by_id: String,
        /// Its route.
        by_route: String,
    },
    /// Below the paths that the trigger itself answers.
    Reserved {
        /// The entry.
        id: String,
        /// Its route.
        route: String,
    },
    /// A character that no request path contains.
    NeverRequested {
        /// The entry.
        id: String,
        /// Its route.
        route: String,
        /// The character.
        character: char,
    },
    /// `*` or `...` that stands for itself.
    NotAWildcard {
        /// The entry.
        id: String,
        /// Its route.
        route: String,
        /// The segment.
        segment: String,
    },
    /// A capture whose name cannot be part of a header's name.
    CaptureWithoutHeader {
        /// The entry.
        id: String,
        /// Its route.
        route: String,
        /// The capture.
        name: String,
    },
}

impl fmt::Display for RouteNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RouteNotice::Duplicate { route, replaced, effective } => {
                write!(f, "{replaced}: {route} (duplicate of {effective})")
            }
            RouteNotice::Shadowed { id, route, by_id, by_route } => {
                write!(f, "{id}: {route} will never be reached, {by_route} of {by_id} matches the same paths")
            }
            RouteNotice::Reserved { id, route } => {
                write!(f, "{id}: {route} will never be reached, paths below {} are reserved", well_known::PREFIX)
            }
            RouteNotice::NeverRequested { id, route, character } => {
                write!(f, "{id}: {route} will never be reached, no request path contains {character:?}")
            }
            RouteNotice::NotAWildcard { id, route, segment } => write!(
                f,
                "{id}: {route} matches the text `{segment}` as it is; only `/...` at the end matches everything below"
            ),
            RouteNotice::CaptureWithoutHeader { id, route, name } => {
                write!(
                    f,
                    "{id}: {route} gives no spin-path-match header for `:{name}`, the name is not valid in a header"
                )
            }
        }
    }
}
