//! Requests that components send over TLS.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use spin_tests::certificates::{Certificates, Key};
use spin_tests::{Upstream, World, http, probes, repository, upstream};

use super::{Served, both_allowed, forward, serve_in};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A server for the name `localhost` that offers these protocols. It answers HTTP/1.1, and only notes how HTTP/2 begins.
fn tls_server(protocols: &[&str]) -> Upstream {
    let file = |name: &str| repository().join("tests/data/tls").join(name);
    let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let config = Arc::new(config);
    Upstream::start(move |heads, stream| {
        let mut session = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
        session.complete_io(stream)?;
        let http2 = session.alpn_protocol() == Some(b"h2");
        let mut stream = Stream::new(&mut session, stream);
        if http2 {
            let mut preface = [0; PREFACE.len()];
            stream.read_exact(&mut preface)?;
            let _ = heads.send(String::from_utf8_lossy(&preface).into_owned());
            return Ok(());
        }
        while let Some(head) = upstream::read_head(&mut stream)? {
            upstream::read_body(&head, &mut stream)?;
            let _ = heads.send(head);
            stream.write_all(OK)?;
        }
        Ok(())
    })
}

/// A server for the names of an authority that shows itself and wants to be shown a certificate. It answers with the one of
/// `names` that stands in it.
fn mutual_server(authority: &Certificates, names: &'static [&'static str]) -> Upstream {
    let own = authority.issue("server", Key::Pkcs8);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.root()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let chain: Vec<_> = CertificateDer::pem_file_iter(&own.certificate).unwrap().map(Result::unwrap).collect();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&own.key).unwrap())
        .unwrap();
    let config = Arc::new(config);
    Upstream::start(move |_, stream| {
        let mut session = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
        session.complete_io(stream)?;
        let shown = session.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
        let shown = shown.unwrap_or_default();
        let is_in = |name: &&&str| shown.windows(name.len()).any(|part| part == name.as_bytes());
        let name = names.iter().find(is_in).copied().unwrap_or("nobody");
        let mut stream = Stream::new(&mut session, stream);
        while let Some(head) = upstream::read_head(&mut stream)? {
            upstream::read_body(&head, &mut stream)?;
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len())?;
        }
        Ok(())
    })
}

/// The probes, in a process that trusts the authority of the tests, or only those of the platform.
fn serve(trusting: bool) -> Served {
    let world = World::new();
    world.install("trigger-http");
    let manifest = both_allowed(r#"["https://*:*"]"#);
    let app = probes::app(&world, &manifest);
    let mut up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir());
    if trusting {
        up = up.env("SSL_CERT_FILE", repository().join("tests/data/tls/ca.pem"));
    }
    let up = up.start();
    let address = up.serving();
    Served { address, up, app, _world: world }
}

#[test]
fn a_server_whose_authority_the_platform_trusts_is_spoken_to() {
    let (old, new, none) = (tls_server(&["http/1.1"]), tls_server(&["h2", "http/1.1"]), tls_server(&[]));
    let served = serve(true);
    for generation in ["p2", "p3"] {
        for server in [&old, &none] {
            let url = format!("https://localhost:{}/path", server.address().port());
            let response = http::get(served.address, &forward(generation, &url, ""));
            assert_eq!((response.status, response.text().as_str()), (200, "ok"), "{generation}");
            let head = server.next_head();
            let host = format!("host: localhost:{}", server.address().port());
            assert!(head.starts_with("GET /path HTTP/1.1\r\n") && head.contains(&host), "{head}");
        }
        // The server prefers HTTP/2, and gets it; it says no more in it.
        let url = format!("https://localhost:{}/", new.address().port());
        assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "error: http-protocol-error\n");
        assert_eq!(new.next_head().as_bytes(), PREFACE);
        // The certificate is for a name, not for this address.
        let url = format!("https://127.0.0.1:{}/", old.address().port());
        assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "error: tls-protocol-error\n");
    }
}

#[test]
fn a_server_that_nobody_vouches_for_is_not() {
    let server = tls_server(&["http/1.1"]);
    let served = serve(false);
    for generation in ["p2", "p3"] {
        let url = format!("https://localhost:{}/", server.address().port());
        assert_eq!(http::get(served.address, &forward(generation, &url, "")).text(), "error: tls-protocol-error\n");
    }
    served.up.stderr().wait_for("UnknownIssuer");
}

#[test]
fn a_component_shows_its_own_certificate_to_the_hosts_that_it_is_for_and_to_no_other() {
    let world = World::new();
    let authority = Certificates::new(world.path("etc/tls"));
    let server = mutual_server(&authority, &["certificate-one", "certificate-two"]);
    let entry = |component: &str, hosts: &str, name: &str| {
        authority.issue(name, Key::Pkcs8);
        // Paths are seen from the file's folder, and roots are the authority's alone.
        format!(
            "[[client_tls]]\ncomponent_ids = [\"{component}\"]\nhosts = [{hosts}]\nca_roots_file = \"tls/root.pem\"\n\
             client_cert_file = \"tls/{name}.chain.pem\"\nclient_private_key_file = \"tls/{name}.key\"\n"
        )
    };
    let entries = [
        entry("old", "\"localhost\"", "certificate-one"),
        entry("new", "\"LOCALHOST\", \"127.0.0.1\"", "certificate-two"),
        entry("typo", "\"localhost\"", "certificate-two"),
    ];
    let config = world.write("etc/config.toml", entries.concat());
    let served =
        serve_in(world, &both_allowed(r#"["https://*:*"]"#), &["--runtime-config-file", config.to_str().unwrap()]);
    let ask = |generation: &str, host: &str| {
        let url = format!("https://{host}:{}/", server.address().port());
        http::get(served.address, &forward(generation, &url, "")).text()
    };
    served.up.stderr().wait_for_text("is for \"typo\", and the app has no such component");
    // In turns, so that a connection of one could be taken for the other.
    for _ in 0..3 {
        assert_eq!(ask("p2", "localhost"), "certificate-one");
        assert_eq!(ask("p3", "localhost"), "certificate-two");
        assert_eq!(ask("p3", "127.0.0.1"), "certificate-two");
    }
    // Without an entry the server isn't trusted, nor would it be shown anything.
    assert_eq!(ask("p2", "127.0.0.1"), "error: tls-protocol-error\n");
}
