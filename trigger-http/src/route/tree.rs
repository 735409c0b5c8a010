//! All patterns of an app as one tree, so that a lookup looks at the segments of the path and not at every route.
//!
//! It must know nothing of entries, names or headers: a route is a number here.

use std::collections::BTreeMap;

use super::pattern::{Pattern, Piece, Segment, pieces_match};

/// Nodes in one vector; the first is the root.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// Children reached by a segment without a capture.
    literals: BTreeMap<Box<str>, usize>,
    /// Children reached by a segment with captures, best rank first.
    pieces: Vec<(Box<[Piece]>, usize)>,
    /// The route that ends here.
    here: Option<usize>,
    /// The route that matches this place and everything below it.
    below: Option<usize>,
}

/// The best route for a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'p> {
    pub(crate) route: usize,
    /// What a trailing wildcard caught, as far as it is not empty.
    pub(crate) caught: Option<&'p str>,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Tree { nodes: vec![Node::default()] }
    }

    /// Adds a route. Routes must come best rank first: the order among the captures of a node is the order of their coming.
    ///
    /// If a route with an equal pattern is there already, it stays, and is returned.
    pub(crate) fn add(&mut self, pattern: &Pattern, route: usize) -> Result<(), usize> {
        let mut at = 0;
        for segment in &pattern.segments {
            at = self.child(at, segment);
        }
        let node = &mut self.nodes[at];
        let place = if pattern.wildcard { &mut node.below } else { &mut node.here };
        match place {
            Some(first) => Err(*first),
            None => {
                *place = Some(route);
                Ok(())
            }
        }
    }

    fn child(&mut self, parent: usize, segment: &Segment) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[parent];
        let found = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(next),
            Segment::Pieces(pieces) => match node.pieces.iter().find(|(known, _)| known == pieces) {
                Some((_, child)) => *child,
                None => {
                    node.pieces.push((pieces.clone(), next));
                    next
                }
            },
        };
        if found == next {
            self.nodes.push(Node::default());
        }
        found
    }

    /// The best route for a path without slashes at its ends.
    pub(crate) fn find<'p>(&self, trimmed: &'p str) -> Option<Found<'p>> {
        self.find_below(0, (!trimmed.is_empty()).then_some(trimmed))
    }

    /// Depth first, best child first. Every node has one way to it, hence is visited at most once: a lookup is never more
    /// work than looking at all routes, whatever the path.
    fn find_below<'p>(&self, at: usize, rest: Option<&'p str>) -> Option<Found<'p>> {
        let node = &self.nodes[at];
        let Some(path) = rest else {
            return node.here.or(node.below).map(|route| Found { route, caught: None });
        };
        let (segment, deeper) = match path.split_once('/') {
            Some((segment, deeper)) => (segment, Some(deeper)),
            None => (path, None),
        };
        let below = || node.below.map(|route| Found { route, caught: Some(path) });
        let deeper_route = || {
            let literal = node.literals.get(segment).copied();
            let pieces =
                node.pieces.iter().filter(|(pieces, _)| pieces_match(pieces, segment)).map(|(_, child)| *child);
            literal.into_iter().chain(pieces).find_map(|child| self.find_below(child, deeper))
        };
        // Between two slashes with nothing between them there is no token that could outrank a wildcard.
        if segment.is_empty() { below().or_else(deeper_route) } else { deeper_route().or_else(below) }
    }
}
