//! Requests that components send over TLS.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use spin_tests::{Upstream, World, http, probes, repository, upstream};

use super::{Served, both_allowed, forward};

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
            upstream::skip_body(&head, &mut stream)?;
            let _ = heads.send(head);
            stream.write_all(OK)?;
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
