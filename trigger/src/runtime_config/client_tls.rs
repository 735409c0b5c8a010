//! `[[client_tls]]`: whom some components trust at some hosts, and what they show there.

use std::path::Path;
use std::sync::Arc;

use spin_app_model::ComponentId;
use spin_app_model::document::{Located, Table, quoted};
use spin_app_model::hosts::Destination;
use spin_component_runtime::{ClientTls, ClientTlsError, Identity, Trust};

const COMPONENTS: &str = "component_ids";
const HOSTS: &str = "hosts";
const PLATFORM_ROOTS: &str = "ca_use_platform_roots";
const WEBPKI_ROOTS: &str = "ca_use_webpki_roots";
const ROOTS_FILE: &str = "ca_roots_file";
const CERTIFICATE: &str = "client_cert_file";
const KEY: &str = "client_private_key_file";

const KEYS: &[&str] = &[COMPONENTS, HOSTS, PLATFORM_ROOTS, WEBPKI_ROOTS, ROOTS_FILE, CERTIFICATE, KEY];

/// Reads one table, and the files that it names; `folder` is where their paths are seen from.
pub(super) fn read(table: &Table<'_, '_>, folder: &Path) -> Option<ClientTls> {
    table.expect_only(KEYS, &[]);
    let components = items(table, COMPONENTS, "the components that it is for", |id| {
        id.parse::<ComponentId>().map_err(|error| error.to_string())
    });
    let hosts = items(table, HOSTS, "the hosts that it is for, without scheme and port", host);
    let (trust, identity) = (trust(table, folder), identity(table, folder));
    Some(ClientTls { components: components?, hosts: hosts?, trust: Arc::new(trust?), identity: identity? })
}

/// A list that may not be empty.
fn items<T>(table: &Table<'_, '_>, key: &str, what: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
    let Some(value) = table.get(key) else {
        table.missing(key, &format!("list {what}"));
        return None;
    };
    let texts = table.texts(key);
    if value.get_ref().as_array().is_some_and(|items| items.is_empty()) {
        let message = format!("{} must not be empty", table.field_name(key));
        table.report.problem_with_help(&value.span(), message, format!("list {what}"));
    }
    let read = |text: &Located<String>| match parse(&text.value) {
        Ok(item) => Some(item),
        Err(reason) => {
            let message = format!("{} in {}: {reason}", quoted(&text.value), table.field_name(key));
            table.report.add(text.at, message, None);
            None
        }
    };
    Some(texts.iter().filter_map(read).collect())
}

/// A host by name or address, in the form in which destinations are compared.
fn host(text: &str) -> Result<Destination, String> {
    let no_host = || "write a name or an address, without scheme and port".to_owned();
    let address = match text.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) if text.is_empty() || text.contains([':', '/', '@', '?', '#', '*']) => return Err(no_host()),
        Err(_) => text.to_owned(),
    };
    Destination::parse(&format!("https://{address}"), "https").map_err(|_| no_host())
}

/// Without a word about roots, those of the platform.
fn trust(table: &Table<'_, '_>, folder: &Path) -> Option<Trust> {
    let file = table.get(ROOTS_FILE).is_some();
    let mut trust = match file {
        true => {
            let (text, pem) = file_of(table, ROOTS_FILE, folder)?;
            Trust::of_bundle(&pem).map_err(|error| unusable(table, ROOTS_FILE, &text, &error)).ok()?
        }
        false => Trust::default(),
    };
    trust.webpki = table.flag(WEBPKI_ROOTS).unwrap_or(false);
    trust.platform = table.flag(PLATFORM_ROOTS).unwrap_or(!file && !trust.webpki);
    if !file && !trust.webpki && !trust.platform {
        let message = format!("{} trusts nobody, so that no server could be connected to", table.name());
        let help = format!("leave out `{PLATFORM_ROOTS} = false`, or name a `{ROOTS_FILE}`");
        table.report.problem_with_help(table.header(), message, help);
    }
    Some(trust)
}

/// The certificate and its key; neither, if there is none of them.
fn identity(table: &Table<'_, '_>, folder: &Path) -> Option<Option<Identity>> {
    let both = "a certificate and its key come together";
    match (table.get(CERTIFICATE).is_some(), table.get(KEY).is_some()) {
        (false, false) => return Some(None),
        (true, true) => {}
        (true, false) => table.missing(KEY, both),
        (false, true) => table.missing(CERTIFICATE, both),
    }
    let (chain, key) = (file_of(table, CERTIFICATE, folder), file_of(table, KEY, folder));
    let ((certificate, chain), (key_text, key)) = (chain?, key?);
    match Identity::new(&chain, &key) {
        Ok(identity) => Some(Some(identity)),
        Err(error @ ClientTlsError::Nothing("private key")) => {
            unusable(table, KEY, &key_text, &error);
            None
        }
        Err(error) => {
            unusable(table, CERTIFICATE, &certificate, &error);
            None
        }
    }
}

/// A file that a key names, with the place of its name.
fn file_of(table: &Table<'_, '_>, key: &str, folder: &Path) -> Option<(Located<String>, Vec<u8>)> {
    let text = table.text(key)?;
    let path = folder.join(&text.value);
    match std::fs::read(&path) {
        Ok(bytes) => Some((text, bytes)),
        Err(error) => {
            table.report.add(text.at, format!("{}: {}: {error}", table.field_name(key), path.display()), None);
            None
        }
    }
}

fn unusable(table: &Table<'_, '_>, key: &str, text: &Located<String>, error: &ClientTlsError) {
    table.report.add(text.at, format!("{}: {error}", table.field_name(key)), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_alone() {
        for (text, name) in
            [("example.com", "example.com"), ("EXAMPLE.com.", "example.com"), ("b\u{fc}r.test", "xn--br-xka.test")]
        {
            assert_eq!(host(text).expect("a host").name().map(String::as_str), Some(name), "{text}");
        }
        for (text, address) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::ffff:127.0.0.1", "127.0.0.1")] {
            let address = address.parse().expect("an address");
            assert_eq!(host(text).expect("a host").address(), Some(address), "{text}");
        }
        for text in
            ["", "a.test:443", "https://a.test", "a.test/x", "me@a.test", "*.a.test", "[::1]", "a b", "300.1.1.1"]
        {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
