//! The little that a manifest must know about allowed hosts: converting the deprecated list, spotting requests
//! within the application, and refusing what can never match. Matching hosts is the runtime's business.

/// The entry that used to allow everything.
const ALLOW_ALL: &str = "insecure:allow-all";

/// The hosts of components of the same application.
const INTERNAL: &str = ".spin.internal";

/// The modern form of one entry of `allowed_http_hosts`, or why there is none.
pub(super) fn of_http_host(entry: &str) -> Result<Vec<String>, &'static str> {
    match entry {
        ALLOW_ALL => Ok(["http://*:*", "https://*:*", "http://self"].map(str::to_owned).to_vec()),
        "self" => Ok(vec!["http://self".to_owned()]),
        "" => Err("it is empty"),
        _ if entry.contains("://") => Err("it has a scheme"),
        _ if entry.contains(['/', '?', '#', '@']) => Err("it is more than a host and a port"),
        _ if entry.contains(char::is_whitespace) => Err("it has a blank"),
        _ => Ok(vec![format!("http://{entry}"), format!("https://{entry}")]),
    }
}

/// Why an entry of `allowed_outbound_hosts` can never match, and what to write. Templates are not looked at.
pub(super) fn check_outbound_host(entry: &str) -> Result<(), (&'static str, String)> {
    if entry.contains("{{") {
        return Ok(());
    }
    if entry == ALLOW_ALL {
        return Err(("this form is only known to allowed_http_hosts", "write `*://*:*`".to_owned()));
    }
    let Some((_, rest)) = entry.split_once("://") else {
        let example = if entry.is_empty() || entry == "*" { "*://*:*".to_owned() } else { format!("https://{entry}") };
        return Err(("it has no scheme", format!("write for example {}", super::problem::quoted(&example))));
    };
    match rest.split_once('/') {
        // What looks like a path may be the length of a network, as in `10.0.0.0/8`.
        Some((_, path)) if !path.is_empty() && !path.starts_with(|c: char| c.is_ascii_digit()) => {
            Err(("it has a path", "hosts are allowed as a whole; leave the path out".to_owned()))
        }
        _ => Ok(()),
    }
}

/// Whether an entry of `allowed_outbound_hosts` names a component of the same application. A template does not count:
/// what it will name is not known yet.
pub(super) fn is_internal(entry: &str) -> bool {
    if entry.contains("{{") {
        return false;
    }
    let Some((_, rest)) = entry.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    host.strip_suffix(INTERNAL).is_some_and(|component| !component.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    #[test]
    fn deprecated_hosts_become_two_modern_ones() {
        assert_eq!(of_http_host("example.com:8080").unwrap(), ["http://example.com:8080", "https://example.com:8080"]);
        assert_eq!(of_http_host("self").unwrap(), ["http://self"]);
        assert_eq!(of_http_host(ALLOW_ALL).unwrap(), ["http://*:*", "https://*:*", "http://self"]);
        for odd in ["", "https://example.com", "example.com/path", "a b"] {
            assert!(of_http_host(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn entries_that_can_never_match_are_refused() {
        for fine in ["https://example.com", "*://*:*", "https://example.com/", "redis://10.0.0.0/8:6379", "{{ host }}"]
        {
            assert_eq!(check_outbound_host(fine), Ok(()), "{fine}");
        }
        assert_eq!(check_outbound_host("example.com").unwrap_err().0, "it has no scheme");
        assert_eq!(check_outbound_host("https://example.com/path").unwrap_err().0, "it has a path");
        assert!(check_outbound_host(ALLOW_ALL).is_err());
    }

    #[test]
    fn internal_hosts_are_spotted_unless_templated() {
        for host in ["http://back.spin.internal", "http://*.spin.internal:80", "*://a.spin.internal/"] {
            assert!(is_internal(host), "{host}");
        }
        for host in ["http://{{ c }}.spin.internal", "http://.spin.internal", "http://spin.internal", "a.spin.internal"]
        {
            assert!(!is_internal(host), "{host}");
        }
    }
}
