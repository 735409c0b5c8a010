//! Who a request says it is for.
//!
//! The answer goes into the request's URI and `spin-full-url`, never into a decision of where a component's own request to
//! its app goes (CVE-2024-32980): that is the address that was bound.
//!
//! A request that does not say it clearly gets 400. (Public Spin closes the connection without an answer, which a client
//! cannot tell from a crash.)

use std::net::Ipv6Addr;

use http::uri::{Authority, Scheme, Uri};
use http::{HeaderMap, HeaderValue, header};

/// Hosts below it are components of the app; only the trigger itself may name them.
const CHAINING_DOMAIN: &str = "spin.internal";

/// Why a request's authority cannot be used; the answer is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadAuthority {
    /// Neither the request's target nor `Host` names one.
    #[error("the request names no host")]
    Missing,
    /// More than one `Host`.
    #[error("the request has more than one host header")]
    Repeated,
    /// Not a host with perhaps a port.
    #[error("the request's host is not valid")]
    Invalid,
    /// Target and `Host` differ.
    #[error("the request's target and its host header name different hosts")]
    Different,
}

/// Makes sure that the request names one host, and puts it and the server's `scheme` into `uri`.
///
/// A `Host` of the form `<component>.spin.internal`, with which a client would pretend to be a component, is removed from
/// `headers`; the same in the target counts as absent.
pub fn establish(uri: &mut Uri, headers: &mut HeaderMap, scheme: Scheme) -> Result<(), BadAuthority> {
    if headers.get(header::HOST).is_some_and(names_component) {
        headers.remove(header::HOST);
    }
    let from_header = from_host_header(headers)?;
    let from_target = match uri.authority() {
        Some(authority) if is_component(authority.host()) => None,
        Some(authority) => Some(checked(authority.clone())?),
        None => None,
    };
    let authority = match (from_target, from_header) {
        (Some(target), Some(host)) if !same(&target, &host, &scheme) => return Err(BadAuthority::Different),
        (Some(target), _) => target,
        (None, Some(host)) => host,
        (None, None) => return Err(BadAuthority::Missing),
    };
    let mut parts = uri.clone().into_parts();
    // Absent only in the target of CONNECT. A scheme is not valid without it.
    let path = parts.path_and_query.take().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    parts.path_and_query = Some(path);
    parts.authority = Some(authority);
    parts.scheme = Some(scheme);
    *uri = Uri::from_parts(parts).map_err(|_invalid| BadAuthority::Invalid)?;
    Ok(())
}

fn from_host_header(headers: &HeaderMap) -> Result<Option<Authority>, BadAuthority> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(BadAuthority::Repeated),
        (Some(host), None) => {
            let authority = Authority::try_from(host.as_bytes()).map_err(|_invalid| BadAuthority::Invalid)?;
            checked(authority).map(Some)
        }
    }
}

/// No user, no empty host, an address where there are brackets, and a port that is one.
fn checked(authority: Authority) -> Result<Authority, BadAuthority> {
    let bracketed = authority.host().strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let address_is_valid = bracketed.is_none_or(|address| address.parse::<Ipv6Addr>().is_ok());
    let after_host = authority.as_str().strip_prefix(authority.host());
    let port_is_valid = match after_host.and_then(|rest| rest.strip_prefix(':')) {
        Some("") => true,
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => after_host == Some(""),
    };
    match port_is_valid && address_is_valid && !authority.host().is_empty() {
        true => Ok(authority),
        false => Err(BadAuthority::Invalid),
    }
}

fn same(a: &Authority, b: &Authority, scheme: &Scheme) -> bool {
    let default = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    a.host().eq_ignore_ascii_case(b.host()) && a.port_u16().unwrap_or(default) == b.port_u16().unwrap_or(default)
}

/// Whether a `Host` names a component: exactly one label before `spin.internal`, with or without a port.
fn names_component(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return false };
    let host = host.trim();
    is_component(host.rsplit_once(':').map_or(host, |(host, _port)| host))
}

fn is_component(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split_once('.')
        .is_some_and(|(label, domain)| !label.is_empty() && domain.eq_ignore_ascii_case(CHAINING_DOMAIN))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn establish_for(target: &str, hosts: &[&str]) -> Result<String, BadAuthority> {
        let mut uri: Uri = target.parse().unwrap();
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, HeaderValue::from_bytes(host.as_bytes()).unwrap());
        }
        establish(&mut uri, &mut headers, Scheme::HTTP)?;
        assert_eq!(uri.scheme(), Some(&Scheme::HTTP));
        let component = headers.get(header::HOST).is_some_and(names_component);
        assert!(!component, "a component's name is left in Host");
        Ok(uri.to_string())
    }

    #[test]
    fn the_host_header_or_the_target_names_the_host() {
        let ok = |uri: &str| Ok(uri.to_owned());
        assert_eq!(establish_for("/a?b", &["example.com:3000"]), ok("http://example.com:3000/a?b"));
        assert_eq!(establish_for("http://example.com/a", &[]), ok("http://example.com/a"));
        assert_eq!(establish_for("http://example.com/a", &["Example.com:80"]), ok("http://example.com/a"));
        assert_eq!(establish_for("https://example.com/", &["example.com"]), ok("http://example.com/"));
        assert_eq!(establish_for("/", &["[::1]:3000"]), ok("http://[::1]:3000/"));
        assert_eq!(establish_for("*", &["a"]).map(|_| ()), Ok(()));
    }

    #[test]
    fn an_unclear_host_is_refused() {
        let table: [(&str, &[&str], BadAuthority); 12] = [
            ("/", &[], BadAuthority::Missing),
            ("/", &[""], BadAuthority::Invalid),
            ("/", &["a", "a"], BadAuthority::Repeated),
            ("/", &["a", "x.spin.internal"], BadAuthority::Repeated),
            ("/", &["a b"], BadAuthority::Invalid),
            ("/", &["a/b"], BadAuthority::Invalid),
            ("/", &["user@a"], BadAuthority::Invalid),
            ("/", &["a:99999"], BadAuthority::Invalid),
            ("/", &["a:+80"], BadAuthority::Invalid),
            ("/", &["\u{e9}"], BadAuthority::Invalid),
            ("http://a/", &["b"], BadAuthority::Different),
            ("http://a:81/", &["a"], BadAuthority::Different),
        ];
        for (target, hosts, expected) in table {
            assert_eq!(establish_for(target, hosts), Err(expected), "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_client_cannot_name_a_component() {
        for host in ["back.spin.internal", "back.spin.internal:80", "Back.SPIN.Internal", "back.spin.internal."] {
            assert_eq!(establish_for("/", &[host]), Err(BadAuthority::Missing), "{host}");
            assert_eq!(establish_for(&format!("http://{host}/"), &[]), Err(BadAuthority::Missing), "{host}");
            assert_eq!(establish_for("http://a/", &[host]), Ok("http://a/".to_owned()), "{host}");
            assert_eq!(establish_for(&format!("http://{host}/"), &["a"]), Ok("http://a/".to_owned()), "{host}");
        }
        for host in ["spin.internal", "a.b.spin.internal", "back.spin.internal.example.com"] {
            assert_eq!(establish_for("/", &[host]), Ok(format!("http://{host}/")), "{host}");
        }
    }
}
