//! The headers that tell a component how its request was routed.
//!
//! A component believes them, so a client must not be able to send them: everything of these names that came with the
//! request is removed first, also with `_` for `-`, because guests that see headers as CGI variables cannot tell the two.

use std::net::SocketAddr;

use http::uri::{Scheme, Uri};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::route::{Match, RouteHeaders};

/// The beginning of the header of each capture.
pub const PATH_MATCH_PREFIX: &str = "spin-path-match-";

/// What the trailing wildcard of the route caught.
pub const PATH_INFO: HeaderName = HeaderName::from_static("spin-path-info");
/// The whole URL of the request.
pub const FULL_URL: HeaderName = HeaderName::from_static("spin-full-url");
/// The route.
pub const MATCHED_ROUTE: HeaderName = HeaderName::from_static("spin-matched-route");
/// Always `/`.
pub const BASE_PATH: HeaderName = HeaderName::from_static("spin-base-path");
/// The route as written in the manifest.
pub const RAW_COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-raw-component-route");
/// The route as written, without its wildcard.
pub const COMPONENT_ROUTE: HeaderName = HeaderName::from_static("spin-component-route");
/// The client's address and port.
pub const CLIENT_ADDR: HeaderName = HeaderName::from_static("spin-client-addr");

/// How many headers a request without captures gets: those of its route, and its name.
const ADDED: usize = 8;

/// What the headers say, apart from the route's captures.
#[derive(Clone, Copy, Debug)]
pub struct Routing<'a> {
    /// The values that the route alone decides.
    pub route: &'a RouteHeaders,
    /// What the trailing wildcard caught.
    pub path_info: &'a str,
    /// The client: [`client_addr`] of the connection, made once for all its requests.
    pub client_addr: &'a HeaderValue,
}

/// A request target that no header can carry; the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's path has a character that a header cannot have")]
pub struct BadTarget;

/// Replaces the routing headers of a request that came from outside. `uri` is complete (see [`crate::authority`]).
pub fn inject(
    headers: &mut HeaderMap,
    uri: &Uri,
    found: &Match<'_, '_>,
    client: &HeaderValue,
) -> Result<(), BadTarget> {
    let routing = Routing { route: found.route().headers(), path_info: found.path_info(), client_addr: client };
    inject_with(headers, uri, routing, found.params().filter_map(|(param, value)| Some((param.header()?, value))))
}

/// Replaces the routing headers of any request. A capture's later value replaces an earlier one of the same header name.
pub fn inject_with<'a>(
    headers: &mut HeaderMap,
    uri: &Uri,
    routing: Routing<'_>,
    captures: impl IntoIterator<Item = (&'a HeaderName, &'a str)>,
) -> Result<(), BadTarget> {
    remove_sent(headers);
    // Once instead of several times.
    headers.reserve(ADDED);
    headers.insert(PATH_INFO, value(routing.path_info)?);
    headers.insert(FULL_URL, HeaderValue::try_from(full_url(uri)).map_err(|_invalid| BadTarget)?);
    headers.insert(MATCHED_ROUTE, routing.route.matched.clone());
    headers.insert(BASE_PATH, HeaderValue::from_static("/"));
    headers.insert(RAW_COMPONENT_ROUTE, routing.route.raw.clone());
    headers.insert(COMPONENT_ROUTE, routing.route.component.clone());
    headers.insert(CLIENT_ADDR, routing.client_addr.clone());
    for (name, captured) in captures {
        headers.insert(name.clone(), value(captured)?);
    }
    Ok(())
}

/// The value of `spin-client-addr`.
pub fn client_addr(client: SocketAddr) -> HeaderValue {
    HeaderValue::try_from(client.to_string()).expect("an address is made of digits and punctuation")
}

/// The value of `spin-client-addr` where another component is the client.
pub fn chained_client_addr() -> HeaderValue {
    HeaderValue::from_static("0.0.0.0:0")
}

fn value(text: &str) -> Result<HeaderValue, BadTarget> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_invalid| BadTarget)
}

/// The URL as the client sees it; a request without a host is one from another component.
fn full_url(uri: &Uri) -> String {
    let scheme = uri.scheme().unwrap_or(&Scheme::HTTP).as_str();
    let host = uri.authority().map_or("localhost", |authority| authority.as_str());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut url = String::with_capacity(scheme.len() + "://".len() + host.len() + slash.len() + path.len());
    for part in [scheme, "://", host, slash, path] {
        url.push_str(part);
    }
    url
}

/// Removes every header with one of our names.
fn remove_sent(headers: &mut HeaderMap) {
    // As a rule there is none, and nothing is allocated.
    let sent: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in sent {
        headers.remove(name);
    }
}

/// Whether we set headers of this name. Header names are in lower case.
fn is_ours(name: &str) -> bool {
    const FIXED: [&str; 7] = [
        "path-info",
        "full-url",
        "matched-route",
        "base-path",
        "raw-component-route",
        "component-route",
        "client-addr",
    ];
    let Some(rest) = name.strip_prefix("spin").and_then(|rest| rest.strip_prefix(['-', '_'])) else {
        return false;
    };
    let rest = rest.replace('_', "-");
    FIXED.contains(&rest.as_str()) || rest.starts_with("path-match-")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::config::RouteConfig;
    use crate::route::{RouteEntry, Router};

    fn injected(route: &str, url: &str, sent: &[(&str, &str)]) -> Vec<(String, String)> {
        let route = RouteConfig::Path(route.to_owned());
        let (router, _) = Router::build([RouteEntry { id: "c", route: &route }]).unwrap();
        let uri: Uri = url.parse().unwrap();
        let found = router.find(uri.path()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let client = client_addr("127.0.0.1:4711".parse().unwrap());
        inject(&mut headers, &uri, &found, &client).unwrap();
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn all_headers_in_order_after_the_clients() {
        let headers = injected("/foo/:user_id/...", "http://example.com:3000/foo/42/bar/?q=1", &[("accept", "*/*")]);
        let expected = owned(&[
            ("accept", "*/*"),
            ("spin-path-info", "/bar/"),
            ("spin-full-url", "http://example.com:3000/foo/42/bar/?q=1"),
            ("spin-matched-route", "/foo/:user_id/..."),
            ("spin-base-path", "/"),
            ("spin-raw-component-route", "/foo/:user_id/..."),
            ("spin-component-route", "/foo/:user_id"),
            ("spin-client-addr", "127.0.0.1:4711"),
            ("spin-path-match-user-id", "42"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn what_the_client_sent_under_these_names_is_gone() {
        let headers = injected(
            "/:x",
            "http://a/1",
            &[
                ("Spin-Path-Info", "/fake"),
                ("spin-client-addr", "1.2.3.4:5"),
                ("spin-client-addr", "1.2.3.4:6"),
                ("spin_full_url", "http://fake/"),
                ("spin_path-match_x", "fake"),
                ("spin-path-match-x", "fake"),
                ("spin-path-match-admin", "fake"),
                ("spin-path-match-", "fake"),
                ("spin-other", "kept"),
                ("spinner", "kept"),
            ],
        );
        let fakes = headers.iter().any(|(_, value)| value.contains("fake") || value.starts_with("1.2.3.4"));
        assert!(!fakes, "{headers:?}");
        let kept = headers.iter().filter(|(_, value)| value == "kept").count();
        assert_eq!((headers.len(), kept), (7 + 1 + 2, 2));
        let mut names: Vec<&String> = headers.iter().map(|(name, _)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), headers.len(), "a name comes twice: {headers:?}");
    }

    #[test]
    fn captures_of_one_header_name_give_one_header() {
        let headers = injected("/:a_b/:a-b", "http://a/1/2", &[]);
        let captures: Vec<_> = headers.iter().filter(|(name, _)| name.starts_with(PATH_MATCH_PREFIX)).collect();
        assert_eq!(captures, [&("spin-path-match-a-b".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn a_chained_call_has_no_client_and_no_host() {
        let mut headers = HeaderMap::new();
        let uri = Uri::from_static("/a/b?c");
        let route = RouteHeaders::chained();
        let routing = Routing { route: &route, path_info: "/a/b", client_addr: &chained_client_addr() };
        inject_with(&mut headers, &uri, routing, []).unwrap();
        let expected = [
            ("spin-path-info", "/a/b"),
            ("spin-full-url", "http://localhost/a/b?c"),
            ("spin-matched-route", "/..."),
            ("spin-raw-component-route", "/..."),
            ("spin-component-route", ""),
            ("spin-client-addr", "0.0.0.0:0"),
        ];
        for (name, value) in expected {
            assert_eq!(headers[name], value, "{name}");
        }
    }

    #[test]
    fn a_path_that_no_header_can_carry_is_an_error() {
        let route = RouteHeaders::chained();
        let routing = Routing { route: &route, path_info: "/\u{7f}", client_addr: &chained_client_addr() };
        assert_eq!(inject_with(&mut HeaderMap::new(), &Uri::from_static("/"), routing, []), Err(BadTarget));
    }
}
