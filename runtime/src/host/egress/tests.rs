//! What the gate lets through, and where a connection may end. Nothing here connects to anything but loopback.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use spin_app_model::lock::LockedApp;

use super::*;
use crate::variables::Variables;

/// The gate of a component with these entries, of an app that has another one.
pub(crate) fn gate(entries: &str) -> Gate {
    let json = format!(
        r#"{{"spin_lock_version":0,"variables":{{"host":{{"default":"api.example.com"}},"none":{{"default":""}}}},"triggers":[],
            "components":[{{"id":"one","source":{{"content_type":"application/wasm","source":"file:///one.wasm"}},
            "metadata":{{"allowed_outbound_hosts":{entries}}}}},
            {{"id":"Two_3","source":{{"content_type":"application/wasm","source":"file:///two.wasm"}}}}]}}"#
    );
    let app = LockedApp::from_json(json.as_bytes()).expect("a lock");
    let variables = Variables::resolve(&app, &BTreeMap::new(), &[]).now_or_never().expect("nobody to wait for");
    let variables = variables.expect("resolved");
    let one = app.component(&"one".parse().expect("an id")).expect("it is there");
    Gate::new(&app, one, &variables)
}

#[test]
fn what_a_component_may_reach() {
    // entries, URL, whether it is let through
    let table = [
        (r#"["https://example.com"]"#, "https://example.com/a?b", true),
        (r#"["https://example.com"]"#, "https://example.com:443/", true),
        (r#"["https://example.com"]"#, "HTTPS://EXAMPLE.COM./", true),
        (r#"["https://example.com"]"#, "https://example.com:444/", false),
        (r#"["https://example.com"]"#, "http://example.com/", false),
        (r#"["https://example.com"]"#, "https://example.com.evil.test/", false),
        (r#"["https://example.com"]"#, "https://example.com@evil.test/", false),
        (r#"["https://example.com"]"#, "https://evil.test/#@example.com", false),
        (r#"["https://example.com"]"#, "https://evil.test\\@example.com/", false),
        (r#"["https://user.example.com"]"#, "https://me:secret@user.example.com/", true),
        (r#"["https://{{ host }}", " {{ none }} "]"#, "https://api.example.com", true),
        (r#"["http://*.spin.internal"]"#, "http://one.spin.internal", true),
        (r#"["http://*.spin.internal"]"#, "http://two_3.spin.internal:8080", false),
        (r#"["http://*.spin.internal"]"#, "http://two_3.spin.internal", true),
        (r#"["http://*.spin.internal"]"#, "http://other.spin.internal", false),
        (r#"["http://127.0.0.1:*"]"#, "http://0x7f.1:80/", true),
        (r#"["http://127.0.0.1:*"]"#, "http://2130706433/", true),
        (r#"["http://127.0.0.1:*"]"#, "http://0177.0.0.1/", true),
        (r#"["http://127.0.0.1:*"]"#, "http://localhost/", false),
        (r#"["http://b\u00fccher.example"]"#, "http://xn--bcher-kva.example", true),
        (r#"["http://xn--bcher-kva.example"]"#, "http://b\u{fc}cher.example", true),
        (r#"["*://*:*"]"#, "http://anything.test:1", true),
        (r#"["http://self"]"#, "http://self.alt/", true),
        (r#"["http://self"]"#, "http://x@SELF.alt.:99/", true),
        (r#"["http://self"]"#, "http://self/", false),
        ("[]", "http://example.com", false),
        ("null", "http://example.com", false),
        // What can't be read allows nothing, not even what the rest would.
        (r#"["https://example.com", "nonsense"]"#, "https://example.com", false),
        (r#"["https://example.com", "https://{{ nobody }}"]"#, "https://example.com", false),
        (r#"["*://*:*"]"#, "http://", false),
        (r#"["*://*:*"]"#, "http://a b/", false),
        (r#"["*://*:*"]"#, "http://[::1", false),
        (r#"["*://*:*"]"#, "http://300.0.0.1/", false),
    ];
    for (entries, url, expected) in table {
        assert_eq!(gate(entries).check(url, "https").is_ok(), expected, "{entries} {url}");
    }
    for (entries, expected) in [
        (r#"["http://self"]"#, true),
        (r#"["https://self.alt"]"#, true),
        (r#"["*://*:*"]"#, true),
        (r#"["http://*.spin.internal", "http://localhost:*"]"#, false),
        ("[]", false),
    ] {
        assert_eq!(
            gate(entries).check("https://self.alt", "https").is_ok_and(|own| own.is_own()),
            expected,
            "{entries}"
        );
    }
}

/// Answers each look-up with the next list.
struct Answers(Vec<&'static [&'static str]>, AtomicUsize);

impl Resolve for Answers {
    fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let answer = self.0.get(self.1.fetch_add(1, Ordering::Relaxed)).copied();
        let answer = answer.ok_or_else(|| io::Error::other("no such name"))?;
        Ok(answer.iter().map(|address| address.parse().expect("an address")).collect())
    }
}

/// Blocks networks, and has a resolver that answers with one list after another.
pub(crate) fn egress(blocked: &[&str], answers: &[&'static [&'static str]]) -> Egress {
    let blocked = blocked.iter().map(|entry| entry.parse().expect("an entry")).collect();
    let options = EgressOptions { blocked, ..EgressOptions::default() };
    Egress::with_resolver(&options, Answers(answers.to_vec(), AtomicUsize::new(0)))
}

/// A name that has a blocked address and one of this machine, and then only the blocked one.
pub(crate) struct Rebinding {
    pub(crate) egress: std::sync::Arc<Egress>,
    listener: tokio::net::TcpListener,
}

impl Rebinding {
    pub(crate) async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let egress = std::sync::Arc::new(egress(&["10.0.0.0/8"], &[&["10.0.0.1", "127.0.0.1"], &["10.0.0.1"]]));
        Self { egress, listener }
    }

    /// Host and port.
    pub(crate) fn host(&self) -> String {
        format!("rebinding.test:{}", self.listener.local_addr().expect("bound").port())
    }

    /// Looks whether a client, which says why it fails, goes to the address that was looked at, and then nowhere.
    pub(crate) async fn check(&self, connect: impl AsyncFn() -> Result<(), String>) {
        let answer = async {
            let (stream, _) = self.listener.accept().await.expect("the client comes here");
            drop(stream);
        };
        let (connected, ()) = tokio::join!(connect(), answer);
        connected.expect_err("nobody answers");
        let refused = connect().await.expect_err("there is no address any more");
        assert!(refused.contains("is in a blocked network"), "{refused}");
    }
}

async fn addresses(egress: &Egress, url: &str) -> Result<Vec<String>, ConnectError> {
    let destination = Destination::parse(url, "http").expect("a destination");
    let addresses = egress.addresses(&destination).await?;
    Ok(addresses.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn every_address_of_a_name_is_looked_at() {
    let egress = egress(
        &["private", "8.8.4.0/24"],
        &[&["8.8.8.8", "127.0.0.1", "2606:4700::1"], &["127.0.0.1"], &["8.8.4.4", "64:ff9b::a00:1"], &[]],
    );
    // A name that answers with a public address first and a private one then: each answer is looked at by itself.
    assert_eq!(addresses(&egress, "http://a.test").await.expect("two"), ["8.8.8.8:80", "[2606:4700::1]:80"]);
    assert!(matches!(addresses(&egress, "http://a.test").await, Err(ConnectError::Blocked { .. })));
    assert!(matches!(addresses(&egress, "http://a.test").await, Err(ConnectError::Blocked { .. })));
    assert!(matches!(addresses(&egress, "http://a.test").await, Err(ConnectError::Dns { .. })), "no address");
    assert!(matches!(addresses(&egress, "http://a.test").await, Err(ConnectError::Dns { .. })), "no such name");
}

#[tokio::test]
async fn a_connection_goes_to_the_answer_that_was_looked_at() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    // A second look-up, if there were one, would fail.
    let egress = egress(&["10.0.0.0/8"], &[&["10.0.0.1", "127.0.0.1"]]);
    let destination = Destination::parse(&format!("http://rebinding.test:{port}"), "http").expect("a destination");
    let connection = egress.connect(&destination).await.expect("connected");
    assert_eq!(connection.stream.peer_addr().expect("connected").to_string(), format!("127.0.0.1:{port}"));
}

#[tokio::test]
async fn addresses_are_looked_at_in_whatever_way_they_are_written() {
    let blocked = [
        "http://127.0.0.1",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0177.0.0.1",
        "http://0",
        "http://0.0.0.0",
        "http://[::]",
        "http://[::1]",
        "http://[::ffff:127.0.0.1]",
        "http://[::ffff:7f00:1]",
        "http://[::127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://[64:ff9b::169.254.169.254]",
        "http://[2002:7f00:1::]",
        "http://[fd00::1]",
        "http://[fe80::1]",
        "http://169.254.169.254",
        "http://user@10.0.0.1",
        "http://10.0.0.1.",
        "http://\u{ff11}27.0.0.1",
        "http://127\u{3002}0.0.1",
    ];
    let egress = egress(&["private"], &[]);
    for url in blocked {
        let outcome = addresses(&egress, url).await;
        assert!(matches!(outcome, Err(ConnectError::Blocked { .. })), "{url}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_permit_is_kept_while_the_connection_is_open() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let destination = Destination::parse(&url, "http").expect("a destination");
    let egress = Egress::new(&EgressOptions { max_connections: Some(1), ..EgressOptions::default() });
    let first = egress.connect(&destination).await.expect("connected");
    let mut second = std::pin::pin!(egress.connect(&destination));
    assert!(tokio::time::timeout(Duration::from_millis(50), second.as_mut()).await.is_err(), "it waits");
    drop(first);
    second.await.expect("connected");
}

#[tokio::test]
async fn connections_of_one_kind_are_limited_among_all() {
    let all = Egress::new(&EgressOptions { max_connections: Some(2), ..EgressOptions::default() });
    let (one, other) = (all.limited(Some(1)), all.limited(None));
    let place = one.place().await;
    {
        let mut second = std::pin::pin!(one.place());
        assert!(tokio::time::timeout(Duration::from_millis(20), second.as_mut()).await.is_err(), "of its kind");
        // Who waits for that keeps nobody else waiting.
        let last = other.place().await;
        assert!(tokio::time::timeout(Duration::from_millis(20), all.place()).await.is_err(), "of all kinds");
        drop(last);
        drop(place);
        second.await;
    }
    let free = Egress::new(&EgressOptions::default());
    assert!(!free.is_bounded() && free.limited(Some(1)).is_bounded() && other.is_bounded());
}
