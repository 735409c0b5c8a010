//! The pattern of one route: how its text is read, which paths it matches, where it ranks.
//!
//! It knows nothing of other routes; choosing among them is the tree's business (`tree.rs`).
//!
//! A pattern is a list of segments, divided by `/`, and perhaps a trailing wildcard. Within a segment `.` divides pieces,
//! so that `:name.json` captures a name. A piece is a text, a dot, or a capture (`:name`).

use super::notice::RouteProblem;

/// Longer routes are refused: the tree is as deep as its longest route has segments.
pub(crate) const MAX_ROUTE_BYTES: usize = 2048;

/// One route's pattern. Two equal patterns match the same paths: names of captures are not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub(crate) segments: Vec<Segment>,
    /// Whether everything below the segments matches too.
    pub(crate) wildcard: bool,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// No capture in it: compared as a whole. May be empty (`/a//b`).
    Literal(Box<str>),
    /// At least one capture.
    Pieces(Box<[Piece]>),
}

/// A part of a segment. After a capture there is a dot or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Box<str>),
    Dot,
    Capture,
}

/// What reading a route's text gives.
pub(crate) struct Parsed {
    pub(crate) pattern: Pattern,
    /// Names of the captures, in order.
    pub(crate) names: Vec<Box<str>>,
    /// A piece that looks like a wildcard but stands for itself (`a*`, `...` in the middle).
    pub(crate) misleading: Option<Box<str>>,
}

/// A token's place in the ranking; the greater is tried first.
///
/// The published rule compares token lists pairwise: exact or dot > capture > wildcard > slash; if one list is the
/// beginning of the other, more dots win, then the shorter list. That rule is not transitive over *all* routes (`/a`, `/a/b`
/// and `/a/:x.json` go in a circle), so sorting by it has no meaning. Routes that match one same path never form a circle:
/// of two such lists the longer one goes on either with a dot, and then has more of them, or with `/...`. Giving the *end*
/// a rank between dot and exact says just that, and makes the comparison an ordinary lexicographic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Slash,
    Wildcard,
    Capture,
    Text,
    End,
    Dot,
}

/// `raw` with a leading `/` and without one trailing `/`.
pub(crate) fn normalise(raw: &str) -> String {
    let with_slash = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
    match with_slash.strip_suffix('/') {
        Some("") | None => with_slash,
        Some(shorter) => shorter.to_owned(),
    }
}

/// A path (or a route) as it is compared: the slashes at both ends are not significant, those inside are.
pub(crate) fn trim(path: &str) -> &str {
    path.trim_matches('/')
}

/// The segments of a trimmed path: none if it is empty.
pub(crate) fn segments(trimmed: &str) -> impl Iterator<Item = &str> {
    (!trimmed.is_empty()).then(|| trimmed.split('/')).into_iter().flatten()
}

impl Pattern {
    /// Reads a normalised route.
    pub(crate) fn parse(route: &str) -> Result<Parsed, RouteProblem> {
        if route.len() > MAX_ROUTE_BYTES {
            return Err(RouteProblem::TooLong { bytes: route.len() });
        }
        if route.chars().any(char::is_control) {
            return Err(RouteProblem::ControlCharacter);
        }
        let mut parsed =
            Parsed { pattern: Pattern { segments: Vec::new(), wildcard: false }, names: Vec::new(), misleading: None };
        let mut texts = segments(trim(route)).peekable();
        while let Some(text) = texts.next() {
            let last = texts.peek().is_none();
            if last && (text == "..." || text == "*") {
                parsed.pattern.wildcard = true;
            } else {
                let segment = parse_segment(text, &mut parsed)?;
                parsed.pattern.segments.push(segment);
            }
        }
        Ok(parsed)
    }

    /// The ranks of all tokens and the end; the greater list is the better route.
    pub(crate) fn ranks(&self) -> Vec<Rank> {
        let mut ranks = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => rank_literal(text, &mut ranks),
                Segment::Pieces(pieces) => ranks.extend(pieces.iter().map(Piece::rank)),
            }
            ranks.push(Rank::Slash);
        }
        if self.wildcard {
            ranks.push(Rank::Wildcard);
        } else {
            ranks.pop(); // the slash after the last segment: there is nothing after it
        }
        ranks.push(Rank::End);
        ranks
    }
}

/// `a.b` is the tokens text, dot, text, also where nothing is captured.
fn rank_literal(text: &str, ranks: &mut Vec<Rank>) {
    for (index, piece) in text.split('.').enumerate() {
        if index > 0 {
            ranks.push(Rank::Dot);
        }
        if !piece.is_empty() {
            ranks.push(Rank::Text);
        }
    }
}

fn parse_segment(text: &str, parsed: &mut Parsed) -> Result<Segment, RouteProblem> {
    let mut pieces = Vec::new();
    let mut captures = false;
    for (index, piece) in text.split('.').enumerate() {
        if index > 0 {
            pieces.push(Piece::Dot);
        }
        if let Some(name) = piece.strip_prefix(':') {
            parsed.names.push(capture_name(name, text)?.into());
            pieces.push(Piece::Capture);
            captures = true;
        } else if piece.starts_with('*') {
            return Err(if text == "*" {
                RouteProblem::WildcardNotLast
            } else if piece == "*" {
                RouteProblem::WildcardInSegment { segment: text.to_owned() }
            } else {
                RouteProblem::NamedWildcard { segment: text.to_owned() }
            });
        } else if !piece.is_empty() {
            pieces.push(Piece::Text(piece.into()));
        }
    }
    if text.contains('*') || text.contains("...") {
        parsed.misleading = Some(text.into());
    }
    Ok(if captures { Segment::Pieces(pieces.into()) } else { Segment::Literal(text.into()) })
}

fn capture_name<'a>(name: &'a str, segment: &str) -> Result<&'a str, RouteProblem> {
    if name.is_empty() {
        return Err(RouteProblem::UnnamedCapture { segment: segment.to_owned() });
    }
    if name.contains([':', '*']) {
        return Err(RouteProblem::CaptureNotAlone { segment: segment.to_owned() });
    }
    Ok(name)
}

impl Piece {
    fn rank(&self) -> Rank {
        match self {
            Piece::Text(_) => Rank::Text,
            Piece::Dot => Rank::Dot,
            Piece::Capture => Rank::Capture,
        }
    }

    /// Takes this piece off the front of `text`: what it captured, and what is left.
    ///
    /// A capture that is the `last` piece takes all, dots included; one before a dot takes what is before the first dot. It
    /// never takes nothing.
    fn take<'p>(&self, last: bool, text: &'p str) -> Option<(Option<&'p str>, &'p str)> {
        match self {
            Piece::Text(expected) => text.strip_prefix(&**expected).map(|rest| (None, rest)),
            Piece::Dot => text.strip_prefix('.').map(|rest| (None, rest)),
            Piece::Capture => {
                let end = if last { text.len() } else { text.find('.')? };
                (end > 0).then(|| (Some(&text[..end]), &text[end..]))
            }
        }
    }
}

/// Whether `pieces` match the whole of `text`.
pub(crate) fn pieces_match(pieces: &[Piece], mut text: &str) -> bool {
    let mut pieces = pieces.iter();
    while let Some(piece) = pieces.next() {
        match piece.take(pieces.as_slice().is_empty(), text) {
            Some((_, rest)) => text = rest,
            None => return false,
        }
    }
    text.is_empty()
}

/// The values captured by a pattern from a path that it is known to match, read on demand.
#[derive(Clone, Debug)]
pub(crate) struct Captures<'r, 'p> {
    segments: std::slice::Iter<'r, Segment>,
    path: Option<std::str::Split<'p, char>>,
    pieces: std::slice::Iter<'r, Piece>,
    text: &'p str,
}

impl<'r, 'p> Captures<'r, 'p> {
    pub(crate) fn new(pattern: &'r Pattern, trimmed: &'p str) -> Self {
        let path = (!trimmed.is_empty()).then(|| trimmed.split('/'));
        Captures { segments: pattern.segments.iter(), path, pieces: [].iter(), text: "" }
    }
}

impl<'p> Iterator for Captures<'_, 'p> {
    type Item = &'p str;

    fn next(&mut self) -> Option<&'p str> {
        loop {
            if let Some(piece) = self.pieces.next() {
                let (captured, rest) = piece.take(self.pieces.as_slice().is_empty(), self.text)?;
                self.text = rest;
                if captured.is_some() {
                    return captured;
                }
            } else {
                self.text = self.path.as_mut()?.next()?;
                if let Segment::Pieces(pieces) = self.segments.next()? {
                    self.pieces = pieces.iter();
                }
            }
        }
    }
}
