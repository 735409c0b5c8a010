//! Every rule of routing with examples.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::{RouteEntry, RouteNotice, RouteProblem, Router};
use crate::config::RouteConfig;

fn build(routes: &[&str]) -> (Router, Vec<RouteNotice>) {
    try_build(routes).unwrap()
}

fn try_build(routes: &[&str]) -> Result<(Router, Vec<RouteNotice>), super::RouteError> {
    let configs: Vec<RouteConfig> = routes
        .iter()
        .map(|route| match *route {
            "(private)" => RouteConfig::Private,
            path => RouteConfig::Path(path.to_owned()),
        })
        .collect();
    let ids: Vec<String> = (0..routes.len()).map(|index| format!("c{index}")).collect();
    Router::build(configs.iter().zip(&ids).map(|(route, id)| RouteEntry { id, route }))
}

/// The route that serves the path, as written.
fn winner<'a>(routes: &[&'a str], path: &str) -> Option<&'a str> {
    build(routes).0.find(path).map(|found| routes[found.entry()])
}

#[test]
fn what_a_single_route_matches() {
    // route, path, whether it matches
    let table = [
        // normalise
        ("a/b", "/a/b", true),
        ("/a/b/", "/a/b", true),
        ("", "/", true),
        ("/", "/", true),
        ("/", "/a", false),
        // exact
        ("/a/b", "/a/b", true),
        ("/a/b", "/a", false),
        ("/a/b", "/a/b/c", false),
        ("/a", "/ab", false),
        // trailing wildcard: the prefix, the prefix and a slash, any depth
        ("/a/...", "/a", true),
        ("/a/...", "/a/", true),
        ("/a/...", "/a/b/c/d", true),
        ("/a/...", "/ab", false),
        ("/a/*", "/a", true),
        ("/a/*", "/a/b/c", true),
        ("/...", "/", true),
        ("/...", "/a/b", true),
        ("/*", "/a/b", true),
        // a capture: exactly one segment that is not empty
        ("/u/:id", "/u/42", true),
        ("/u/:id", "/u/a.b", true),
        ("/u/:id", "/u", false),
        ("/u/:id", "/u/", false),
        ("/u/:id", "/u/1/2", false),
        ("/u/:id/x", "/u//x", false),
        ("/u/:id.json", "/u/42.json", true),
        ("/u/:id.json", "/u/42.xml", false),
        ("/u/:id.json", "/u/42", false),
        ("/u/:id.json", "/u/.json", false),
        ("/u/:id.json", "/u/4.2.json", false),
        ("/:a/x/:b/y/:c", "/1/x/2/y/3", true),
        ("/u/:id/...", "/u/42", true),
        ("/u/:id/...", "/u/42/a/b", true),
        ("/u/:id/...", "/u", false),
        // the form of the path: not decoded, not folded, trimmed, `//` inside counts
        ("/a", "/%61", false),
        ("/a", "/A", false),
        ("/a/b", "//a/b//", true),
        ("/a/b", "/a//b", false),
        ("/a//b", "/a//b", true),
        ("/a//b", "/a/b", false),
        ("/a/:x", "/a//", false),
    ];
    for (route, path, expected) in table {
        assert_eq!(winner(&[route], path).is_some(), expected, "route {route:?}, path {path:?}");
    }
}

#[test]
fn which_of_several_routes_wins() {
    let users = ["/...", "/users/...", "/users/:id", "/users/42", "/users"];
    // routes, path, winner
    let table: [(&[&str], &str, Option<&str>); 25] = [
        (&users, "/users/42", Some("/users/42")),
        (&users, "/users/43", Some("/users/:id")),
        (&users, "/users/42/x", Some("/users/...")),
        (&users, "/users/", Some("/users")),
        (&users, "/other", Some("/...")),
        // the shorter spec
        (&["/users/...", "/users"], "/users", Some("/users")),
        (&["/a/:x/...", "/a/:x"], "/a/1", Some("/a/:x")),
        (&["/...", "/"], "/", Some("/")),
        // segments decide from the left: an exact one early beats an exact one late
        (&["/:x/b", "/a/:y"], "/a/b", Some("/a/:y")),
        (&["/:x/b", "/a/..."], "/a/b", Some("/a/...")),
        (&["/:x/b/c", "/a/:y/..."], "/a/b/c", Some("/a/:y/...")),
        (&["/a/:x/d", "/a/b/..."], "/a/b/d", Some("/a/b/...")),
        // a better start that leads nowhere is given up
        (&["/a/b", "/:x/c"], "/a/c", Some("/:x/c")),
        (&["/a/b/c", "/..."], "/a/b/d", Some("/...")),
        (&["/a/:x/c", "/:y/b/d"], "/a/b/d", Some("/:y/b/d")),
        // more dots
        (&["/:x", "/:x.json"], "/a.json", Some("/:x.json")),
        (&["/:x", "/:x.json"], "/a.xml", Some("/:x")),
        (&["/:x/...", "/:x.json"], "/a.json", Some("/:x.json")),
        (&["/:x.:y", "/:x.json", "/a.json"], "/a.json", Some("/a.json")),
        (&["/:x.:y", "/:x.json"], "/a.json", Some("/:x.json")),
        // nothing between two slashes is no token, and a wildcard outranks a slash
        (&["/a//b", "/a/..."], "/a//b", Some("/a/...")),
        // the order of the manifest
        (&["/a/", "/a"], "/a", Some("/a/")),
        (&["/a", "/a/"], "/a", Some("/a")),
        (&["/:y", "/:x"], "/a", Some("/:y")),
        // private routes are found by no path
        (&["(private)", "/a"], "/b", None),
    ];
    for (routes, path, expected) in table {
        assert_eq!(winner(routes, path), expected, "routes {routes:?}, path {path:?}");
        // The order of the manifest matters for ties only.
        let reversed: Vec<&str> = routes.iter().rev().copied().collect();
        if !matches!(path, "/a") {
            assert_eq!(winner(&reversed, path), expected, "routes {reversed:?}, path {path:?}");
        }
    }
}

#[test]
fn of_duplicates_the_last_wins_and_the_losers_are_told() {
    let (router, notices) = build(&["/a", "/b", "/a", "/a/", "/a"]);
    assert_eq!(router.find("/a").unwrap().entry(), 4);
    let told: Vec<String> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "c0: /a (duplicate of c4)",
            "c2: /a (duplicate of c4)",
            "c3: /a will never be reached, /a of c4 matches the same paths"
        ]
    );
}

#[test]
fn what_a_match_tells() {
    // route, path, parameters, path info
    type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);
    let table: [Row; 17] = [
        ("/users/:userid/...", "/users/42", &[("userid", "42")], ""),
        ("/users/:userid/...", "/users/42/", &[("userid", "42")], "/"),
        ("/users/:userid/...", "/users/42/hello", &[("userid", "42")], "/hello"),
        ("/users/:userid/...", "/users/42/hello/", &[("userid", "42")], "/hello/"),
        ("/foo", "/foo/", &[], ""),
        ("/:x", "/foo/", &[("x", "foo")], ""),
        ("/...", "/", &[], "/"),
        ("/...", "/a", &[], "/a"),
        ("/...", "//a//", &[], "/a/"),
        ("/...", "*", &[], "/*"),
        ("/...", "", &[], ""),
        ("/a/...", "/a//b", &[], "//b"),
        ("/:a/:b.json", "/1/2.json", &[("a", "1"), ("b", "2")], ""),
        ("/:a.:b.:c/...", "/1.2.3.4/%20", &[("a", "1"), ("b", "2"), ("c", "3.4")], "/%20"),
        ("/x.:a", "/x.1", &[("a", "1")], ""),
        ("/a//:b", "/a//1", &[("b", "1")], ""),
        ("/:a/:a", "/1/2", &[("a", "1"), ("a", "2")], ""),
    ];
    for (route, path, params, path_info) in table {
        let (router, _) = build(&[route]);
        let found = router.find(path).unwrap_or_else(|| panic!("{route} {path}"));
        let found_params: Vec<(&str, &str)> = found.params().map(|(param, value)| (param.name(), value)).collect();
        assert_eq!(found_params, params, "{route} {path}");
        assert_eq!(found.path_info(), path_info, "{route} {path}");
    }
}

#[test]
fn header_values_of_a_route() {
    // route, matched, raw, component, prefix
    let table = [
        ("/foo/:userid/...", "/foo/:userid/...", "/foo/:userid/...", "/foo/:userid", "/foo/:userid"),
        ("foo/", "/foo", "foo/", "foo/", "/foo"),
        ("/...", "/...", "/...", "", ""),
        ("/foo/*", "/foo/*", "/foo/*", "/foo/*", "/foo"),
        ("/", "/", "/", "/", "/"),
        ("/é", "/é", "/é", "/é", "/é"),
    ];
    for (route, matched, raw, component, prefix) in table {
        let (router, _) = build(&[route]);
        let route = router.routes().next().unwrap();
        assert_eq!(route.headers().matched.as_bytes(), matched.as_bytes());
        assert_eq!(route.headers().raw.as_bytes(), raw.as_bytes());
        assert_eq!(route.headers().component.as_bytes(), component.as_bytes());
        assert_eq!(route.prefix(), prefix);
    }
}

#[test]
fn header_names_of_captures() {
    let (router, notices) = build(&["/:path_segment/:UserId/:né"]);
    let found = router.find("/1/2/3").unwrap();
    let names: Vec<Option<&str>> = found.params().map(|(param, _)| param.header().map(|name| name.as_str())).collect();
    assert_eq!(names, [Some("spin-path-match-path-segment"), Some("spin-path-match-userid"), None]);
    assert_eq!(notices.len(), 1);
    assert!(notices[0].to_string().contains("`:né`"), "{}", notices[0]);
}

#[test]
fn hazards_are_refused_at_load() {
    let segment = |segment: &str| segment.to_owned();
    let long = format!("/{}", "a".repeat(3000));
    let table = [
        ("/a/:", RouteProblem::UnnamedCapture { segment: segment(":") }),
        ("/a/:.json", RouteProblem::UnnamedCapture { segment: segment(":.json") }),
        ("/a/*name", RouteProblem::NamedWildcard { segment: segment("*name") }),
        ("/a/*name/b", RouteProblem::NamedWildcard { segment: segment("*name") }),
        ("/a/*/b", RouteProblem::WildcardNotLast),
        ("/*/...", RouteProblem::WildcardNotLast),
        ("/a.*", RouteProblem::WildcardInSegment { segment: segment("a.*") }),
        ("/:a:b", RouteProblem::CaptureNotAlone { segment: segment(":a:b") }),
        ("/:a*", RouteProblem::CaptureNotAlone { segment: segment(":a*") }),
        ("/a\nb", RouteProblem::ControlCharacter),
        (long.as_str(), RouteProblem::TooLong { bytes: 3001 }),
    ];
    for (route, problem) in table {
        let error = try_build(&["/fine", route]).unwrap_err();
        assert_eq!(error.problem, problem);
        assert_eq!(error.id, "c1");
        let expected = format!("error parsing route `{route}` associated with component `c1`: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn reserved_and_unreachable_routes_are_told() {
    let table = [
        ("/.well-known/spin/health", Some("reserved")),
        (".well-known/spin/x/...", Some("reserved")),
        ("/.well-known/other", None),
        ("/a?b", Some("no request path contains '?'")),
        ("/a b", Some("no request path contains ' '")),
        ("/a/.../b", Some("matches the text `...`")),
        ("/a*", Some("matches the text `a*`")),
        ("/a...", Some("matches the text `a...`")),
    ];
    for (route, expected) in table {
        let (_, notices) = build(&[route]);
        let told: Vec<String> = notices.iter().map(ToString::to_string).collect();
        match expected {
            None => assert_eq!(told, [""; 0], "{route}"),
            Some(text) => assert!(told.len() == 1 && told[0].contains(text), "{route}: {told:?}"),
        }
    }
}

#[test]
fn private_entries_are_known_but_have_no_path() {
    let (router, notices) = build(&["(private)", "/...", "(private)"]);
    assert_eq!(router.private(), [0, 2]);
    assert_eq!(router.routes().count(), 1);
    assert_eq!(router.find("/").unwrap().entry(), 1);
    assert!(notices.is_empty());
}

#[test]
fn routes_are_listed_best_rank_first() {
    let (router, _) = build(&["/...", "/users/...", "/:x", "/users/:id", "/users/42", "/users", "/"]);
    let listed: Vec<&str> = router.routes().map(|route| route.text()).collect();
    assert_eq!(listed, ["/", "/users", "/users/42", "/users/:id", "/users/...", "/:x", "/..."]);
}

#[test]
fn a_deep_route_and_a_deep_path_are_no_danger() {
    let route = "/a".repeat(1000);
    let (router, _) = build(&[&route, "/a/..."]);
    assert_eq!(router.find(&route).unwrap().entry(), 0);
    assert_eq!(router.find(&"/a".repeat(30_000)).unwrap().entry(), 1);
}
