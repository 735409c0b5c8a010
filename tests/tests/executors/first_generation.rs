//! Core modules of the first generation of SDKs, of before the component model.

use std::io::Write;

use spin_tests::upstream::{Upstream, read_body, read_head};
use spin_tests::{App, http};

use super::{Served, entry, refused, serve_with};

const MODULE: &str = include_str!("../../guests/first-generation/http.wat");

/// As it is compiled: the way by which text is taken is tested elsewhere.
fn put_module(app: &App) {
    std::fs::write(app.dir().join("first-generation.wasm"), wat::parse_str(MODULE).unwrap()).unwrap();
}

/// Serves the module at `/base/...`; what it sends goes to this URL.
#[track_caller]
fn module(url: &str, hosts: &str, flags: &[&str]) -> Served {
    let component = format!(
        "key_value_stores = [\"default\"]\nallowed_outbound_hosts = [{hosts}]\n\
         variables = {{ greeting = \"{{{{ name }}}} greets\", url = \"{url}\" }}\n[variables]\nname = {{ default = \"somebody\" }}\n"
    );
    serve_with(&(entry("old", "/...", "first-generation", "") + &component), flags, put_module)
}

/// A server that redirects `/first` to `/second`, and answers that with what it was sent and many bytes after it.
fn upstream() -> Upstream {
    Upstream::start(|heads, stream| {
        while let Some(head) = read_head(stream)? {
            let mut body = read_body(&head, stream)?;
            if head.starts_with("POST /first ") {
                stream.write_all(b"HTTP/1.1 307 x\r\nlocation: /second\r\ncontent-length: 0\r\n\r\n")?;
            } else {
                body.resize(LARGE, b'.');
                stream.write_all(b"HTTP/1.1 201 x\r\nx-up: a\r\nx-up: b\r\nx-odd: \xff\r\n")?;
                write!(stream, "content-length: {LARGE}\r\n\r\n")?;
                stream.write_all(&body)?;
            }
            let _ = heads.send(head);
        }
        Ok(())
    })
}

/// More than the module's memory has at first.
const LARGE: usize = 1_000_000;

#[test]
fn a_module_answers_with_what_it_is_asked() {
    let served = module("", "", &[]);
    for _ in 0..2 {
        let response = http::request(served.address, "PUT", "/some/path?q=1", &[("x-own", "1")], b"");
        assert_eq!((response.status, response.text().as_str()), (200, "/some/path?q=1"));
        assert_eq!(response.header("x-own"), Some("1"), "{:?}", response.headers);
    }
    assert_eq!(http::get(served.address, "/print").text(), "hello");
    served.up.stderr().wait_for("hello");
    let text = http::request(served.address, "POST", "/keep", &[], "gr\u{fc}n".as_bytes());
    assert_eq!((text.status, text.text().as_str()), (200, "gr\u{fc}n"));
    let large = vec![b'x'; LARGE];
    let response = http::request(served.address, "POST", "/keep", &[], &large);
    assert_eq!((response.status, response.body == large), (200, true), "memory grows on the way in and out");
    served.up.stop().success();
}

#[test]
fn a_module_reads_variables() {
    let served = module("", "", &[]);
    assert_eq!(http::get(served.address, "/variable").text(), "somebody greets");
    let missing = http::get(served.address, "/missing");
    // The error's number is that of `provider`, of 0 to 3.
    assert_eq!(missing.status, 410);
    assert!(missing.text().contains("no variable \"absent\""), "{}", missing.text());
}

#[test]
fn a_module_sends_requests_and_follows_redirects() {
    let upstream = upstream();
    let url = format!("http://{}", upstream.address());
    let served = module(&format!("{url}/first"), &format!("\"{url}\""), &[]);
    let response = http::request(served.address, "POST", "/out", &[("x-own", "1")], b"a body");
    assert_eq!((response.status, response.body.len()), (201, LARGE));
    assert!(response.text().starts_with("a body..."));
    let up: Vec<_> = response.headers.iter().filter(|(name, _)| name == "x-up").map(|(_, value)| value).collect();
    assert_eq!(up, ["b"], "the server takes the last one");
    assert_eq!(response.header("x-odd"), None, "the interface has text only");
    for path in ["/first", "/second"] {
        let head = upstream.next_head();
        assert!(head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{head}");
        for line in ["x-own: 1", &format!("host: {}", upstream.address()), "content-length: 6"] {
            assert_eq!(head.lines().filter(|found| found == &line).count(), 1, "{line}: {head}");
        }
    }
}

#[test]
fn requests_of_a_module_pass_its_gate() {
    let upstream = upstream();
    let elsewhere = format!("http://{}/first", upstream.address());
    // The numbers are those of the interface: 1 is `destination-not-allowed`, 2 `invalid-url`, 4 `runtime-error`.
    let answer = |url: &str, hosts: &str, flags: &[&str]| {
        let served = module(url, hosts, flags);
        let response = http::request(served.address, "POST", "/out", &[], b"");
        (response.status, response.text())
    };
    let failed = |number: &str| (502, number.to_owned());
    assert_eq!(answer(&elsewhere, "", &[]), failed("1"));
    assert_eq!(answer("no-url", "\"*://*:*\"", &[]), failed("2"));
    assert_eq!(answer("http://127.0.0.1:1/", "\"*://*:*\"", &[]), failed("4"));
    assert_eq!(answer("/there", "", &[]), failed("1"), "the app itself must be granted too");
    assert_eq!(answer("/there?q", "\"*://self:*\"", &[]), (200, "/there?q".to_owned()));
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_redirect_out_of_what_is_granted_is_not_followed() {
    let forbidden = Upstream::answering("HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n");
    let port = forbidden.address().port();
    let redirecting = Upstream::answering(format!(
        "HTTP/1.1 302 x\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ));
    let url = format!("http://{}", redirecting.address());
    let served = module(&url, &format!("\"{url}\""), &[]);
    let response = http::request(served.address, "POST", "/out", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (502, "1"));
    assert_eq!((redirecting.connections(), forbidden.connections()), (1, 0));
    // And one that goes round and round is given up.
    let round = Upstream::answering("HTTP/1.1 302 x\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n");
    let url = format!("http://{}", round.address());
    let served = module(&url, &format!("\"{url}\""), &[]);
    let response = http::request(served.address, "POST", "/out", &[], b"");
    assert_eq!((response.status, response.text().as_str()), (502, "4"));
}

#[test]
fn a_module_that_cannot_be_adapted_is_told_why() {
    for (import, message) in [
        (
            "(import \"wasi-cache\" \"get\" (func))",
            "imports \"get\" of \"wasi-cache\", which this version of the trigger",
        ),
        ("(import \"spin-config\" \"get-config\" (func))", "expected `[I32, I32, I32] -> []` but found `[] -> []`"),
    ] {
        let text = MODULE.replacen("(module", &format!("(module {import}"), 1);
        let ended = refused(&entry("old", "/...", "first-generation", ""), |app| {
            std::fs::write(app.dir().join("first-generation.wasm"), wat::parse_str(text).unwrap()).unwrap();
        });
        for part in ["component \"old\"", "first-generation.wasm can't be made a component", message, "newer SDK"] {
            assert!(ended.stderr.contains(part), "no `{part}`\n{}", ended.snapshot());
        }
    }
}
