//! Fetching from files and from a small server of its own that answers what the test says.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::testing::runtime;
use crate::{Network, Silent};

/// Serves one answer after the other, each on a connection of its own, then fetches from it.
fn fetch_from(answers: &[&str], limit: u64) -> Result<Vec<u8>, FetchError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let temp = tempfile::tempdir().unwrap();
    let target = temp.path().join("archive");
    runtime().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let count = stream.read(&mut request).await.unwrap();
                assert!(String::from_utf8_lossy(&request[..count]).starts_with("GET /package"));
                // The client may hang up as soon as it has seen enough.
                let _ = stream.write_all(answer.replace("ADDRESS", &address.to_string()).as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        };
        let source = PackageSource::Web(format!("http://{address}/package.tar.gz").parse().unwrap());
        let web = Web::new(Network::Online, Vec::new());
        let fetching = fetch(&source, &target, limit, &web, &Silent);
        let (fetched, ()) = tokio::join!(fetching, serve);
        let digest = fetched?;
        let bytes = std::fs::read(&target).unwrap();
        assert_eq!(digest, crate::hash::of(&bytes));
        Ok(bytes)
    })
}

fn code(answers: &[&str]) -> &'static str {
    fetch_from(answers, 100).map_or_else(|error| error.code(), |_| "fetched")
}

#[test]
fn whole_answers_only() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npackage";
    assert_eq!(fetch_from(&[ok], 100).unwrap(), b"package");
    assert_eq!(fetch_from(&[ok], 7).unwrap(), b"package");
    assert_eq!(fetch_from(&[ok], 6).unwrap_err().code(), "plugin::package-too-large");
    for status in ["206 Partial Content", "304 Not Modified", "404 Not Found", "204 No Content", "500 Oops"] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(code(&[&answer]), "web::status", "{status}");
    }
    assert_eq!(code(&["HTTP/1.1 200 OK\r\ncontent-length: 70\r\n\r\npackage"]), "web::failed", "cut short");
    assert_eq!(code(&["HTTP/1.1 200 OK\r\ncontent-length: 700\r\n\r\n"]), "plugin::package-too-large", "announced");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "40\r\n0123456789012345678901234567890123456789012345678901234567890123\r\n".repeat(100)
    );
    assert_eq!(code(&[&endless]), "plugin::package-too-large", "endless");
    assert_eq!(code(&["gibberish\r\n\r\n"]), "web::failed");
    assert_eq!(code(&[""]), "web::failed");
}

#[test]
fn redirects_are_followed_with_care() {
    let to = |place: &str| format!("HTTP/1.1 302 Found\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\npackage";
    assert_eq!(code(&[&to("http://ADDRESS/package-moved"), ok]), "fetched");
    assert_eq!(code(&[&to("file:///etc/passwd")]), "web::status", "the redirect itself is the answer");
    let again = to("/package-again");
    assert_eq!(code(&[again.as_str(); 6]), "web::failed", "a loop");
}

#[test]
fn files_are_copied_under_the_cap_and_progress_is_told() {
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);
    impl Progress for Told {
        fn start(&self, label: &str, total: Option<u64>) {
            self.0.lock().unwrap().push(format!("{label} {total:?}"));
        }
        fn advance(&self, bytes: u64) {
            self.0.lock().unwrap().push(bytes.to_string());
        }
        fn finish(&self) {
            self.0.lock().unwrap().push("finish".into());
        }
    }
    let temp = tempfile::tempdir().unwrap();
    let from = temp.path().join("from");
    std::fs::write(&from, "package").unwrap();
    let run = |from: &Path, to: &str, limit, told: &Told| {
        let source = PackageSource::File(from.to_owned());
        let web = Web::new(Network::Offline, Vec::new());
        runtime().block_on(fetch(&source, &temp.path().join(to), limit, &web, told))
    };
    let told = Told::default();
    assert_eq!(run(&from, "a", 7, &told).unwrap(), crate::hash::of(b"package"));
    assert_eq!(*told.0.lock().unwrap(), ["copying Some(7)", "7", "finish"]);
    assert_eq!(run(&from, "b", 6, &told).unwrap_err().code(), "plugin::package-too-large");
    assert_eq!(run(temp.path(), "c", 6, &told).unwrap_err().code(), "plugin::package-missing");
    assert_eq!(run(Path::new("/dev/zero"), "d", 6, &told).unwrap_err().code(), "plugin::package-missing");
    assert_eq!(run(&temp.path().join("absent"), "e", 6, &told).unwrap_err().code(), "plugin::package-missing");
    assert_eq!(run(&from, "a", 7, &told).unwrap_err().code(), "store::io", "never over something that is there");
}
