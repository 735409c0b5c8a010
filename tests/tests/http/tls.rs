//! HTTPS: the certificates that are taken, the protocols that are offered, and a certificate that changes.

use spin_tests::certificates::{Certificates, Issued, Key, replace};
use std::time::Duration;

use spin_tests::{World, http, probes, timing};
use tokio::io::AsyncReadExt;

use super::client::{ask, converse, get, http1_over, http2_over, read, tls};
use super::{BOTH, Served, hostile_cases, serve_in};

/// Serves HTTPS with files that are copies: `Issued` names those in use.
fn serve_with(world: World, issued: &Issued, flags: &[&str]) -> Served {
    let files = ["--tls-cert", issued.certificate.to_str().unwrap(), "--tls-key", issued.key.to_str().unwrap()];
    serve_in(world, BOTH, &[&files, flags].concat())
}

#[test]
fn every_kind_of_key_and_both_protocols_are_served() {
    for kind in [Key::Pkcs8, Key::Pkcs1, Key::Sec1] {
        let world = World::new();
        let authority = Certificates::new(world.path("certificates"));
        let served = serve_with(world, &authority.issue("server", kind), &[]);
        assert!(served.up.stdout().text().contains("Serving https://127.0.0.1:"), "{}", served.up.stdout().text());
        converse(async {
            // An unmodified client believes the chain, and gets the best protocol that both know.
            let stream = tls(served.address, &authority.root(), &["h2", "http/1.1"]).await.unwrap();
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "{kind:?}");
            let url = format!("https://localhost:{}/p3/headers", served.address.port());
            let answer = ask(&mut http2_over(stream).await, get(&url)).await;
            assert_eq!(answer.status, 200, "{kind:?}");
            assert!(answer.text.contains("scheme: https\n"), "{}", answer.text);
            assert!(answer.text.contains(&format!("spin-full-url: {url}\n")), "{}", answer.text);

            for protocols in [&["http/1.1"][..], &[]] {
                let stream = tls(served.address, &authority.root(), protocols).await.unwrap();
                let mut request = get("/p2/headers");
                request.headers_mut().insert("host", "localhost".parse().unwrap());
                let answer = read(http1_over(stream).await.send_request(request).await.unwrap()).await;
                assert!(answer.text.contains("spin-full-url: https://localhost/p2/headers\n"), "{}", answer.text);
            }
        });
    }
}

#[test]
fn the_address_and_the_files_can_be_named_by_variables() {
    let world = World::new();
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let authority = Certificates::new(world.path("certificates"));
    let issued = authority.issue("server", Key::Pkcs8);
    let up = world.spin(["up"]).env("SPIN_HTTP_LISTEN_ADDR", "localhost:0").in_dir(app.dir());
    let alone = up.clone().env("SPIN_TLS_CERT", &issued.certificate).run();
    assert_eq!(alone.code, Some(2), "a certificate needs its key: {}", alone.snapshot());
    let up = up.env("SPIN_TLS_CERT", &issued.certificate).env("SPIN_TLS_KEY", &issued.key);
    let served = up.clone().start();
    assert_ne!(served.serving().port(), 3000);
    assert!(served.stdout().text().contains("Serving https://"), "{}", served.stdout().text());
    served.stop().success();
    // The flag wins.
    let address = format!("127.0.0.1:{}", spin_tests::free_port());
    let served = up.args(["--listen", &address]).start();
    assert_eq!(served.serving().to_string(), address);
    served.stop().success();
}

#[test]
fn what_is_no_tls_disturbs_nobody() {
    let world = World::new();
    let authority = Certificates::new(world.path("certificates"));
    let served = serve_with(world, &authority.issue("server", Key::Pkcs8), &[]);
    for nonsense in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", b"\0"] {
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(nonsense).unwrap();
        client.finish_sending().unwrap();
        let answer = client.read_to_close().unwrap();
        assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    }
    converse(async { tls(served.address, &authority.root(), &[]).await.unwrap() });
}

/// The common name of the certificate that is shown.
fn shown(served: &Served, authority: &Certificates) -> String {
    let certificate = converse(async {
        let stream = tls(served.address, &authority.root(), &[]).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    });
    let is_in = |name: &str| certificate.windows(name.len()).any(|window| window == name.as_bytes());
    ["first", "second", "third"].into_iter().find(|name| is_in(name)).unwrap_or("none").to_owned()
}

#[test]
fn a_certificate_that_changes_is_shown_and_a_broken_one_is_not() {
    let world = World::new();
    let authority = Certificates::new(world.path("certificates"));
    let [first, second, third] = ["first", "second", "third"].map(|name| authority.issue(name, Key::Pkcs8));
    let served = serve_with(world, &first, &[]);
    assert_eq!(shown(&served, &authority), "first");
    // A connection from before goes on with what it has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut old =
        runtime.block_on(async { http2_over(tls(served.address, &authority.root(), &["h2"]).await.unwrap()).await });
    let until = |name: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while shown(&served, &authority) != name {
            assert!(std::time::Instant::now() < deadline, "{name} is not shown");
        }
    };
    second.replace(&first);
    until("second");
    let key = std::fs::read(&first.key).unwrap();
    replace(&first.key, b"nonsense");
    let warning = served.up.stderr().wait_for("the old one stays in use");
    assert!(warning.contains("--tls-key") && warning.contains(first.key.to_str().unwrap()), "{warning}");
    assert_eq!(shown(&served, &authority), "second");
    replace(&first.key, &key);
    third.replace(&first);
    until("third");
    assert_eq!(runtime.block_on(ask(&mut old, get("https://localhost/p3/other"))).status, 200);
    assert_eq!(served.up.stop().stderr.matches("the old one stays").count(), 1, "said once");
}

#[test]
fn files_that_cannot_be_used_are_errors_that_name_them() {
    let world = World::new();
    let authority = Certificates::new(world.path("certificates"));
    let [one, other] = ["one", "other"].map(|name| authority.issue(name, Key::Pkcs8));
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let up = |arguments: &[&str]| {
        let arguments = ["up", "--listen", "127.0.0.1:0"].into_iter().chain(arguments.iter().copied());
        world.spin(arguments).in_dir(app.dir()).run()
    };
    let (cert, key) = (one.certificate.to_str().unwrap(), one.key.to_str().unwrap());
    for (alone, option) in [(["--tls-cert", cert], "--tls-key"), (["--tls-key", key], "--tls-cert")] {
        let refused = up(&alone);
        assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
        assert!(refused.stderr.contains(option), "{}", refused.snapshot());
    }
    let nowhere = world.path("nowhere.pem");
    for (cert, key, expected) in [
        (cert, nowhere.to_str().unwrap(), "nowhere.pem: No such file"),
        (cert, other.key.to_str().unwrap(), "the key is not that of the first certificate"),
        (key, key, "no certificate is in it"),
        (cert, cert, "no private key is in it"),
    ] {
        let refused = up(&["--tls-cert", cert, "--tls-key", key]);
        assert_eq!(refused.code, Some(1), "{}", refused.snapshot());
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.snapshot());
        assert!(refused.stderr.contains("http::tls"), "{}", refused.snapshot());
    }
}

#[test]
fn the_files_can_be_named_by_variables() {
    let world = World::new();
    let authority = Certificates::new(world.path("certificates"));
    let issued = authority.issue("server", Key::Pkcs8);
    world.install("trigger-http");
    let app = probes::app(&world, BOTH);
    let up = world
        .spin(["up", "--listen", "127.0.0.1:0"])
        .env("SPIN_TLS_CERT", &issued.certificate)
        .env("SPIN_TLS_KEY", &issued.key)
        .in_dir(app.dir())
        .start();
    let address = up.serving();
    let chain = converse(async {
        tls(address, &authority.root(), &[]).await.map(|stream| stream.get_ref().1.is_handshaking())
    });
    assert!(matches!(chain, Ok(false)), "{chain:?}");
}

#[test]
fn a_handshake_keeps_nobody_waiting_and_has_its_time() {
    let world = World::new();
    let authority = Certificates::new(world.path("certificates"));
    let served = serve_with(world, &authority.issue("server", Key::Pkcs8), &[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut silent = Vec::new();
    runtime.block_on(async {
        for _ in 0..hostile_cases::SILENT_HANDSHAKES.only()[0].parse().unwrap() {
            silent.push(tokio::net::TcpStream::connect(served.address).await.unwrap());
        }
    });
    timing::assert_median_below(Duration::from_millis(50), 5, || {
        runtime.block_on(async {
            let stream = tls(served.address, &authority.root(), &["h2"]).await.unwrap();
            let answer = ask(&mut http2_over(stream).await, get("https://localhost/.well-known/spin/health")).await;
            assert_eq!(answer.text, "OK");
        });
    });
    for stream in &silent {
        let still_there = stream.try_read(&mut [0]);
        assert!(
            still_there.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "they were silent all the time"
        );
    }
    // They are told that their time is over.
    runtime.block_on(async {
        for mut stream in silent {
            let _ = stream.read(&mut [0]).await;
        }
    });
}
