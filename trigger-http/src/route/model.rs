//! The naive model of routing, written from the rules and from nothing else, and the property that the router equals it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::cmp::Ordering;

use proptest::prelude::*;

use super::{RouteEntry, Router};
use crate::config::RouteConfig;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Slash,
    Dot,
    Exact(String),
    Param,
    Wildcard,
}

fn tokens(route: &str) -> Vec<Token> {
    let route = if route.starts_with('/') { route.to_owned() } else { format!("/{route}") };
    let route = route.strip_suffix('/').unwrap_or(&route);
    let (route, wildcard) = match route.strip_suffix("/...").or_else(|| route.strip_suffix("/*")) {
        Some(before) => (format!("{before}/"), true),
        None => (route.to_owned(), false),
    };
    let mut tokens = Vec::new();
    let mut word = String::new();
    let finish = |word: &mut String, tokens: &mut Vec<Token>| {
        match word.chars().next() {
            None => {}
            Some(':') => tokens.push(Token::Param),
            Some(_) => tokens.push(Token::Exact(word.clone())),
        }
        word.clear();
    };
    let trimmed = match wildcard {
        true => route.trim_start_matches('/'),
        false => route.trim_matches('/'),
    };
    for c in trimmed.chars() {
        match c {
            '/' => {
                finish(&mut word, &mut tokens);
                tokens.push(Token::Slash);
            }
            '.' => {
                finish(&mut word, &mut tokens);
                tokens.push(Token::Dot);
            }
            c => word.push(c),
        }
    }
    finish(&mut word, &mut tokens);
    if wildcard {
        tokens.push(Token::Wildcard);
    }
    tokens
}

/// The captures, the wildcard's last, if `tokens` match the whole of the trimmed path.
fn matches(tokens: &[Token], path: &str) -> Option<Vec<String>> {
    let Some((first, others)) = tokens.split_first() else {
        return path.is_empty().then(Vec::new);
    };
    match first {
        Token::Slash if others == [Token::Wildcard] && path.is_empty() => Some(vec![String::new()]),
        Token::Slash => matches(others, path.strip_prefix('/')?),
        Token::Dot => matches(others, path.strip_prefix('.')?),
        Token::Exact(text) => {
            // A literal ends where the route's next separator is, so the path must have a separator there too; that follows
            // from matching what comes after.
            matches(others, path.strip_prefix(text.as_str())?)
        }
        Token::Wildcard => Some(vec![path.to_owned()]),
        Token::Param => {
            let stop: &[char] = if others.first() == Some(&Token::Dot) { &['.', '/'] } else { &['/'] };
            let end = path.find(stop).unwrap_or(path.len());
            let (value, rest) = path.split_at(end);
            if value.is_empty() {
                return None;
            }
            let mut captures = matches(others, rest)?;
            captures.insert(0, value.to_owned());
            Some(captures)
        }
    }
}

/// The ranking as published; `Less` is the better one.
fn rank(a: &[Token], b: &[Token]) -> Ordering {
    let class = |token: &Token| match token {
        Token::Exact(_) | Token::Dot => 3,
        Token::Param => 2,
        Token::Wildcard => 1,
        Token::Slash => 0,
    };
    let dots = |tokens: &[Token]| tokens.iter().filter(|token| **token == Token::Dot).count();
    for (a, b) in a.iter().zip(b) {
        match class(b).cmp(&class(a)) {
            Ordering::Equal => {}
            different => return different,
        }
    }
    dots(b).cmp(&dots(a)).then(a.len().cmp(&b.len()))
}

/// The entry that serves the path, the captured parameters, and the path info.
fn naive(routes: &[String], path: &str) -> Option<(usize, Vec<String>, String)> {
    // Duplicates: the last text wins, in the place of the first.
    let mut effective: Vec<(&String, usize)> = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        match effective.iter_mut().find(|(known, _)| *known == route) {
            Some(known) => known.1 = index,
            None => effective.push((route, index)),
        }
    }
    let trimmed = path.trim_matches('/');
    let mut best: Option<(Vec<Token>, usize, Vec<String>)> = None;
    for (route, entry) in effective {
        let tokens = tokens(route);
        let Some(captures) = matches(&tokens, trimmed) else { continue };
        if best.as_ref().is_none_or(|(known, ..)| rank(&tokens, known) == Ordering::Less) {
            best = Some((tokens, entry, captures));
        }
    }
    let (tokens, entry, mut captures) = best?;
    let path_info = match tokens.last() {
        Some(Token::Wildcard) => {
            let caught = captures.pop().unwrap();
            match (caught.is_empty(), path.ends_with('/')) {
                (true, false) => String::new(),
                (true, true) => "/".to_owned(),
                (false, false) => format!("/{caught}"),
                (false, true) => format!("/{caught}/"),
            }
        }
        _ => String::new(),
    };
    Some((entry, captures, path_info))
}

fn router(routes: &[String]) -> Router {
    let configs: Vec<RouteConfig> = routes.iter().cloned().map(RouteConfig::Path).collect();
    Router::build(configs.iter().map(|route| RouteEntry { id: "c", route })).unwrap().0
}

fn routed(router: &Router, path: &str) -> Option<(usize, Vec<String>, String)> {
    router.find(path).map(|found| {
        let params = found.params().map(|(_, value)| value.to_owned()).collect();
        (found.entry(), params, found.path_info().to_owned())
    })
}

/// Few words, so that routes and paths meet often.
fn route() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a", "b", "a", "b", ":x", ":y", ":x", "", "a.b", "a.", ".a", "a..b", ":x.a", ":x.b", ":x.:y", "a.:x", ".:x",
        ":x.", ":x..b", ":x.:y.:z", "a.b.:x", "ab",
    ]);
    let end = prop::sample::select(vec!["", "", "", "/...", "/...", "/*", "/", "/.../", "//"]);
    let start = prop::sample::select(vec!["/", "/", "/", "", "//"]);
    (start, prop::collection::vec(segment, 0..4), end).prop_map(|(start, segments, end)| {
        let end = if start.is_empty() && segments.is_empty() { end.trim_start_matches('/') } else { end };
        format!("{start}{}{end}", segments.join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a", "b", "a", "b", "c", "", "a.b", "a.", ".a", ".", "..", "a..b", "b.a", "a.b.a", "a.a.b", "ab", "%61", "A",
    ]);
    let end = prop::sample::select(vec!["", "", "/", "//"]);
    let start = prop::sample::select(vec!["/", "/", "/", "//", ""]);
    (start, prop::collection::vec(segment, 0..5), end)
        .prop_map(|(start, segments, end)| format!("{start}{}{end}", segments.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_router_equals_the_naive_model(
        routes in prop::collection::vec(route(), 0..24),
        paths in prop::collection::vec(path(), 1..24),
    ) {
        let router = router(&routes);
        for path in paths {
            prop_assert_eq!(routed(&router, &path), naive(&routes, &path), "path {}", path);
        }
    }

    #[test]
    fn any_text_is_refused_or_routed_without_a_panic(routes in prop::collection::vec(".*|[/:.*a]{0,12}", 0..6), path in ".*|[/.a*]{0,12}") {
        let configs: Vec<RouteConfig> = routes.into_iter().map(RouteConfig::Path).collect();
        if let Ok((router, notices)) = Router::build(configs.iter().map(|route| RouteEntry { id: "c", route })) {
            let _texts: Vec<String> = notices.iter().map(ToString::to_string).collect();
            if let Some(found) = router.find(&path) {
                prop_assert_eq!(found.params().count(), found.route().params.len());
                prop_assert!(found.path_info().is_empty() || found.path_info().starts_with('/'));
            }
        }
    }
}

#[test]
fn a_rule_that_goes_in_a_circle_is_decided_for_every_path() {
    let routes = ["/a", "/a/b", "/a/:x.json", "/a/:x", "/..."].map(str::to_owned);
    let router = router(&routes);
    for path in ["/a", "/a/b", "/a/b.json", "/a/c.json", "/a/c", "/"] {
        assert_eq!(routed(&router, path), naive(&routes, path), "{path}");
    }
}
