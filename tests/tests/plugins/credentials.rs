//! Servers that want to see something first, over TLS: who is shown what, and what is said of a server nobody trusts.

use std::io::Write;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use spin_tests::{Invocation, Upstream, World, repository, upstream};

use super::{catalogue, configured, pack_stub};

/// A server for the name `localhost` that answers each path by what `answer` says, and notes the heads of requests.
fn server(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Upstream {
    let file = |name: &str| repository().join("tests/data/tls").join(name);
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()],
            PrivateKeyDer::from_pem_file(file("server.key")).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    Upstream::start(move |heads, stream| {
        let mut session = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
        session.complete_io(stream)?;
        let mut stream = Stream::new(&mut session, stream);
        while let Some(head) = upstream::read_head(&mut stream)? {
            let content = answer(head.split(' ').nth(1).unwrap_or_default());
            let _ = heads.send(head);
            stream.write_all(&content)?;
        }
        Ok(())
    })
}

fn ok(content: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len()).as_bytes(), content].concat()
}

fn moved(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

fn url(server: &Upstream, path: &str) -> String {
    format!("https://localhost:{}{path}", server.address().port())
}

/// `spin` that trusts the authority of the tests.
fn trusting(world: &World, arguments: &[&str]) -> Invocation {
    configured(world, arguments).env("SSL_CERT_FILE", repository().join("tests/data/tls/ca.pem"))
}

/// The world's catalogue, as a server has it.
fn files(world: &World) -> impl Fn(&str) -> Vec<u8> + Send + Sync + use<> {
    let root = catalogue(world);
    move |path| match std::fs::read(root.join(path.trim_start_matches('/'))) {
        Ok(content) => ok(&content),
        Err(_) => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    }
}

fn authorization(head: &str) -> Option<&str> {
    head.lines().find_map(|line| line.strip_prefix("authorization: "))
}

#[test]
fn a_credential_goes_to_its_host_and_to_nobody_it_redirects_to() {
    let world = World::new();
    pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let other = server(files(&world));
    let elsewhere = url(&other, "");
    let own = files(&world);
    // The archives are somewhere else, as they often are.
    let ours =
        server(move |path| if path.ends_with(".tar.gz") { moved(&format!("{elsewhere}{path}")) } else { own(path) });
    let (ours_host, ours_url) = (format!("localhost:{}", ours.address().port()), url(&ours, "/"));
    let config = format!(
        "[[catalogue]]\nname = \"ours\"\nurl = \"{ours_url}\"\n[[credential]]\nhost = \"{ours_host}\"\nauthorization_env = \"TOKEN\"\n"
    );
    world.write("config/spin/config.toml", config);
    let install = trusting(&world, &["plugins", "install", "trigger-stub", "--yes"]).env("TOKEN", "Bearer hush");
    let installed = install.run().success();
    assert!(!installed.snapshot().contains("hush"));
    for _ in 0..3 {
        let head = ours.next_head();
        assert_eq!(authorization(&head), Some("Bearer hush"), "{head}");
    }
    let head = other.next_head();
    assert!(head.starts_with("GET /manifests/trigger-stub/") && authorization(&head).is_none(), "{head}");
    assert!(
        !std::fs::read_to_string(world.data().join("plugin-store/v1/catalogues/ours/state.json"))
            .unwrap()
            .contains("hush")
    );
}

#[test]
fn the_authorization_of_a_manifest_goes_to_no_other_server() {
    let world = World::new();
    let packed = pack_stub(&world, "trigger-stub", "1.0.0", ">=4.0");
    let other = server(files(&world));
    let archive = packed.archive.strip_prefix(catalogue(&world)).unwrap().display().to_string();
    let name = packed.archive.file_name().unwrap().to_str().unwrap();
    let manifest = std::fs::read_to_string(&packed.manifest).unwrap();
    let manifest = manifest.replace(&format!("\"{name}\""), &format!("\"{}\"", url(&other, &format!("/{archive}"))));
    let ours = server(move |_| ok(manifest.as_bytes()));
    let manifest_url = url(&ours, "/manifest.json");
    let arguments = ["plugins", "install", "--url", &manifest_url, "--auth-header-value", "Bearer hush", "--yes"];
    let installed = trusting(&world, &arguments).run().success();
    assert!(!installed.stdout.contains("hush") && !installed.stderr.contains("hush"));
    assert_eq!(authorization(&ours.next_head()), Some("Bearer hush"));
    assert_eq!(authorization(&other.next_head()), None);
    let record = std::fs::read_to_string(world.data().join("plugin-store/v1/installed/trigger-stub.json")).unwrap();
    assert!(record.contains(&format!("\"manifest-url\": \"{manifest_url}\"")) && !record.contains("hush"), "{record}");
}

#[test]
fn a_server_that_nobody_vouches_for_and_a_way_back_to_http_are_refused() {
    let world = World::new();
    let ours = server(|path| if path.contains("index") { moved("http://127.0.0.1:9/index.json") } else { ok(b"{}") });
    let address = url(&ours, "/");
    configured(&world, &["plugins", "catalogue", "add", "ours", "--url", &address]).run().success();
    let unknown = configured(&world, &["plugins", "update"]).run();
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.stderr.contains("certificate") && unknown.stderr.contains("web::failed"), "{}", unknown.snapshot());
    let back = trusting(&world, &["plugins", "update"]).run();
    assert_eq!(back.code, Some(1));
    assert!(back.stderr.contains("redirect from https to http"), "{}", back.snapshot());
}
