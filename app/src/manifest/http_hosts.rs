//! The deprecated list `allowed_http_hosts`, and what its entries mean in `allowed_outbound_hosts`.

use super::schema::Component;
use crate::document::Located;
use crate::hosts::{ALLOW_ALL, AllowedHost};

impl Component {
    /// Everywhere that it may connect to, as in `allowed_outbound_hosts`; what is written in the deprecated form comes last.
    #[must_use]
    pub fn outbound_hosts(&self) -> Vec<Located<String>> {
        let converted = modern_list(&self.allowed_http_hosts);
        self.allowed_outbound_hosts.iter().cloned().chain(converted).collect()
    }
}

/// The modern form of a list; entries that have none are left out. One that allows everything makes the others moot.
pub(super) fn modern_list(entries: &[Located<String>]) -> Vec<Located<String>> {
    let everything = entries.iter().position(|entry| entry.value == ALLOW_ALL);
    let counting = everything.map_or(entries, |at| &entries[at..=at]);
    let converted = counting.iter().flat_map(|entry| {
        let modern = modern(&entry.value).unwrap_or_default().into_iter();
        modern.map(|value| Located { value, at: entry.at })
    });
    converted.collect()
}

/// The modern form of one entry, or why there is none.
pub(super) fn modern(entry: &str) -> Result<Vec<String>, &'static str> {
    match entry {
        ALLOW_ALL => Ok(["http://*:*", "https://*:*", "http://self"].map(str::to_owned).to_vec()),
        "self" => Ok(vec!["http://self".to_owned()]),
        "" => Err("it is empty"),
        _ if entry.contains("://") => Err("it has a scheme"),
        _ if entry.contains(['/', '?', '#', '@', '\\']) => Err("it is more than a host and a port"),
        _ if entry.contains(char::is_whitespace) => Err("it has a blank"),
        _ if AllowedHost::parse(&format!("http://{entry}")).is_err() => Err("it is not a host, with or without a port"),
        _ => Ok(vec![format!("http://{entry}"), format!("https://{entry}")]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn deprecated_hosts_become_two_modern_ones() {
        assert_eq!(modern("example.com:8080").unwrap(), ["http://example.com:8080", "https://example.com:8080"]);
        assert_eq!(modern("self").unwrap(), ["http://self"]);
        assert_eq!(modern(ALLOW_ALL).unwrap(), ["http://*:*", "https://*:*", "http://self"]);
        for odd in ["", "https://example.com", "example.com/path", "a b", "a.*.com", "a:b", "a:99999", ":80"] {
            assert!(modern(odd).is_err(), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_is_converted_can_be_read(entry in "[a-z0-9.:*-]{0,12}") {
            for modern in modern(&entry).unwrap_or_default() {
                prop_assert!(AllowedHost::parse(&modern).is_ok(), "{}", modern);
            }
        }
    }
}
