//! What entries are, which destinations they allow, and the traps that addresses set.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use proptest::prelude::*;

use super::*;

fn allows(entry: &str, url: &str) -> bool {
    AllowedHost::parse(entry).unwrap().allows(&Destination::parse(url, "https").unwrap())
}

fn code(entry: &str) -> &'static str {
    AllowedHost::parse(entry).unwrap_err().code()
}

#[test]
fn every_rule_of_the_grammar_has_its_error() {
    for (entry, expected) in [
        ("", "empty"),
        ("  ", "empty"),
        ("insecure:allow-all", "allow-all"),
        ("*", "no-scheme"),
        (":", "no-scheme"),
        ("?", "no-scheme"),
        ("example.com", "no-scheme"),
        ("example.com:443", "no-scheme"),
        ("://example.com", "scheme"),
        ("h2+c://example.com", "scheme"),
        ("s3://example.com", "scheme"),
        ("{http,https}://example.com", "braces"),
        ("https://{a,b}.example.com", "braces"),
        ("https://example.com/path", "path"),
        ("https://example.com//", "path"),
        ("https://example.com?q", "path"),
        ("https://user:secret@example.com", "user"),
        ("https://", "no-host"),
        ("https://:80", "no-host"),
        ("https://a.*.com", "wildcard"),
        ("https://*a.com", "wildcard"),
        ("https://*.*.com", "wildcard"),
        ("https://*.", "host"),
        ("https://*.10.0.0.1", "host"),
        ("https://a b", "host"),
        ("https://a..b", "host"),
        ("https://[::1", "host"),
        ("https://[::1]x", "host"),
        ("https://10.0.0.0/33", "network"),
        ("https://10.0.0.0/:80", "network"),
        ("tcp://h", "no-port"),
        ("*://h", "no-port"),
        ("*://10.0.0.0/8", "no-port"),
        ("*://self", "no-port"),
        ("https://h:", "port"),
        ("https://h:+80", "port"),
        ("https://h:65536", "port"),
        ("https://h:80..", "port"),
        ("https://h:80..80", "empty-range"),
        ("https://h:90..80", "empty-range"),
    ] {
        assert_eq!(code(entry), format!("allowed-host::{expected}"), "{entry}");
        assert!(!AllowedHost::parse(entry).unwrap_err().help().is_empty());
    }
}

#[test]
fn schemes_hosts_and_ports_must_all_match() {
    for (entry, url) in [
        ("https://example.com", "https://example.com"),
        ("https://example.com/", "https://example.com/path?query"),
        ("https://example.com", "example.com/path"),
        (" https://example.com ", "https://EXAMPLE.com:443"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://example.com", "https://example.com."),
        ("https://example.com.", "https://example.com"),
        ("*://example.com:443", "https://example.com"),
        ("*://*:*", "mqtt://anything"),
        ("redis://*", "redis://cache:6379"),
        ("http://h:8000..8002", "http://h:8001"),
        ("http://h:65535", "http://h:65535"),
        ("http://*:*", "http://h:1"),
        ("https://*.example.com", "https://a.b.example.com"),
        ("http://10.0.0.0/8", "http://10.255.0.1"),
        ("http://10.9.9.9/8:*", "http://10.0.0.1:1"),
        ("http://0.0.0.0/0", "http://8.8.8.8"),
        ("http://[::1]", "http://[::1]"),
        ("http://[::1]:8080", "http://[0:0::1]:8080"),
        ("http://[fd00::]/8:80", "http://[fd12::1]"),
        ("http://[fd00::/8]:80", "http://[fd12::1]"),
        ("http://fd00::/8:80", "http://[fd12::1]"),
    ] {
        assert!(allows(entry, url), "{entry} should allow {url}");
    }
    for (entry, url) in [
        ("https://example.com", "http://example.com"),
        ("HTTPS://example.com:443", "https://example.com"),
        ("https://example.com", "https://example.com:8443"),
        ("https://example.com", "https://example.com.evil.org"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://notexample.com"),
        ("http://h:8000..8002", "http://h:8002"),
        ("http://10.0.0.0/8", "http://11.0.0.1"),
        ("http://::/0:80", "http://1.2.3.4"),
        ("http://self", "http://example.com"),
        ("foo://h:1", "foo://h"),
    ] {
        assert!(!allows(entry, url), "{entry} should not allow {url}");
    }
}

/// Hostile spellings of an address are that address; what only looks like a host is not one.
#[test]
fn spellings_do_not_matter() {
    for url in ["http://127.0.0.1", "http://2130706433", "http://0x7f.1", "http://0177.0.0.1", "http://127.0.0.1."] {
        assert!(allows("http://127.0.0.0/8", url), "{url}");
        assert!(!allows("http://*.example.com", url) && !allows("http://example.com", url), "{url}");
    }
    assert!(allows("http://127.0.0.1", "http://[::ffff:127.0.0.1]"));
    assert!(allows("http://[::ffff:127.0.0.1]", "http://127.0.0.1"));
    assert!(allows("http://[::ffff:127.0.0.0]/104:80", "http://127.9.9.9"));
    assert!(allows("redis://127.0.0.1", "redis://0x7f.1"), "also where URLs leave the host alone");
    assert!(!allows("https://good.example", "https://good.example@evil.example"));
    assert!(!allows("https://good.example", "https://evil.example/@good.example"));
    assert!(!allows("https://good.example", "https://evil.example\\@good.example"));
    assert!(!allows("https://good.example", "https://evil.example#@good.example"));
    assert!(Destination::parse("", "https").is_err());
    assert_eq!(Destination::parse("http://[", "https").unwrap_err().code(), "destination::no-url");
}

#[test]
fn what_no_resolver_and_no_log_has_room_for_is_no_destination() {
    let name = |bytes: usize| format!("{}.example", "n".repeat(bytes - ".example".len()));
    assert!(Destination::parse(&format!("https://{}.", name(253)), "https").is_ok());
    assert!(Destination::parse(&format!("https://{}", name(254)), "https").is_err());
    assert!(AllowedHost::parse(&format!("https://{}", name(254))).is_err());
    assert!(Destination::parse(&format!("{}://host", "s".repeat(64)), "https").is_ok());
    assert!(Destination::parse(&format!("{}://host", "s".repeat(65)), "https").is_err());
}

#[test]
fn the_application_itself_is_only_reached_by_its_own_entry_or_by_any() {
    let own = Destination::own("http");
    let entry = |text: &str| AllowedHost::parse(text).unwrap();
    for text in ["http://self", "http://self.alt", "http://self:1234", "http://*", "*://*:*", "*://self:*"] {
        assert!(entry(text).allows(&own), "{text}");
    }
    for text in ["https://self", "http://self.example.com", "http://localhost"] {
        assert!(!entry(text).allows(&own), "{text}");
    }
}

#[test]
fn sockets_are_matched_by_address() {
    let at = |address: &str| Destination::at("tcp", address.parse().unwrap());
    let allowed = AllowedHosts::parse(["tcp://10.0.0.0/24:5432", "tcp://name:1"], []).unwrap();
    assert!(allowed.allow(&at("10.0.0.7:5432")) && allowed.allow(&at("[::ffff:10.0.0.7]:5432")));
    assert!(!allowed.allow(&at("10.0.0.7:5433")) && !allowed.allow(&at("10.0.1.7:5432")));
}

#[test]
fn a_scheme_is_of_use_if_an_entry_has_it_for_any_host_but_the_application() {
    for (entries, tcp, udp) in [
        (&["tcp://10.0.0.1:5432"][..], true, false),
        (&["https://example.com", "udp://*:53"], false, true),
        (&["*://example.com:*"], true, true),
        (&["*://self:*", "http://self", "https://*:*"], false, false),
        (&[], false, false),
    ] {
        let allowed = AllowedHosts::parse(entries.iter().copied(), []).unwrap();
        assert_eq!((allowed.allow_some("tcp"), allowed.allow_some("udp")), (tcp, udp), "{entries:?}");
    }
}

#[test]
fn internal_names_are_spotted_and_spelled_out() {
    let internal = |text: &str| AllowedHost::parse(text).unwrap().internal().is_some();
    assert!(
        internal("http://back.spin.internal")
            && internal("*://*.spin.internal:*")
            && internal("http://A.SPIN.internal/")
    );
    assert!(!internal("http://spin.internal") && !internal("http://*") && !internal("http://xspin.internal"));

    let allowed = AllowedHosts::parse(["http://*.spin.internal", "", " "], ["front", "BACK"]).unwrap();
    let allow = |url: &str| allowed.allow(&Destination::parse(url, "http").unwrap());
    assert!(allow("http://front.spin.internal/x") && allow("http://back.spin.internal"));
    assert!(!allow("http://other.spin.internal") && !allow("http://a.front.spin.internal"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,30}", odd in "[a-z*:/.\\[\\]{}0-9@?#]{0,24}") {
        for text in [text, format!("http://{odd}"), odd] {
            let _ = AllowedHost::parse(&text);
            let _ = Destination::parse(&text, "https");
        }
    }

    /// The URL parser is the judge of what host and port a text names.
    #[test]
    fn an_entry_made_of_a_url_allows_that_url_and_no_other_host(
        scheme in "(http|https|redis|mysql|postgres|mqtt)",
        host in "([a-z]{1,5}\\.){0,2}[a-z]{1,5}|[1-9][0-9]?\\.[0-9]\\.[0-9]\\.[0-9]|\\[fd00::[1-9]\\]",
        port in prop::option::of(1u16..),
        other in "[a-z]{1,6}\\.example",
    ) {
        prop_assume!(host != "self" && host != "self.alt");
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("{scheme}://{host}{port}");
        let below = format!("{url}/path");
        prop_assert!(allows(&url, &below));
        let elsewhere = format!("{scheme}://{other}{port}");
        prop_assert!(!allows(&url, &elsewhere));
    }

    /// A naive model of names: an entry `*.x` allows what ends in `.x` and has something in front.
    #[test]
    fn wildcards_agree_with_the_end_of_the_text(name in "([ab]\\.){0,3}[ab]", below in "([ab]\\.){0,2}[ab]") {
        let expected = name.len() > below.len() + 1 && name.ends_with(&format!(".{below}"));
        prop_assert_eq!(allows(&format!("https://*.{below}"), &format!("https://{name}")), expected);
    }

    /// Networks agree with arithmetic on the bits of addresses.
    #[test]
    fn networks_agree_with_shifted_addresses(network: u32, address: u32, prefix in 1u32..=32) {
        let network_text = std::net::Ipv4Addr::from(network);
        let near = (network >> (32 - prefix) << (32 - prefix)) | (address & !(u32::MAX << ((32 - prefix) % 32)));
        for address in [address, near] {
            let expected = network >> (32 - prefix) == address >> (32 - prefix);
            let url = format!("http://{}", std::net::Ipv4Addr::from(address));
            prop_assert_eq!(allows(&format!("http://{network_text}/{prefix}"), &url), expected, "{} {}", network_text, url);
        }
    }

    #[test]
    fn ranges_agree_with_numbers(first: u16, end: u16, port: u16) {
        let entry = AllowedHost::parse(&format!("tcp://*:{first}..{end}"));
        match entry {
            Ok(entry) => {
                let destination = Destination::at("tcp", ([1, 2, 3, 4], port).into());
                prop_assert_eq!(entry.allows(&destination), (first..end).contains(&port));
            }
            Err(error) => prop_assert!(first >= end, "{}", error),
        }
    }
}

#[test]
fn networks_are_read_strictly() {
    for text in ["10.0.0.0/8", "10.1.2.3/8", "127.0.0.1", "fd00::/8", "::1", "::/0", "0.0.0.0/0", "::ffff:10.0.0.0/104"]
    {
        assert!(text.parse::<super::Network>().is_ok(), "{text}");
    }
    for text in ["", "private", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "10.0.0/8", "::/129", "[::1]", " ::1", "a/8"]
    {
        let error = text.parse::<super::Network>().unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?} is not a network")), "{error}");
    }
    let ten: super::Network = "10.1.2.3/8".parse().unwrap();
    assert!(ten.contains("10.255.0.1".parse().unwrap()) && !ten.contains("11.0.0.1".parse().unwrap()));
    assert_eq!("::ffff:10.0.0.0/104".parse::<super::Network>().unwrap(), ten);
}

#[test]
fn the_name_of_a_component_has_one_word_before_the_domain() {
    for (name, component) in [
        ("back.spin.internal", Some("back")),
        ("Back-End.SPIN.internal", Some("back-end")),
        ("spin.internal", None),
        (".spin.internal", None),
        ("a.b.spin.internal", None),
        ("back.spin.internal.example.com", None),
        ("backspin.internal", None),
    ] {
        assert_eq!(super::component_of(name).as_deref(), component, "{name}");
    }
}
