//! What only the snapshots of 2023 have, and `wasi:config`: called, where `generations` only imports it.

use std::io::Write;

use spin_tests::http;
use spin_tests::upstream::{Upstream, read_body, read_head};
use spin_tests::worlds::{self, Worlds};

use super::{Served, entry, serve_with};

/// Serves a guest of this world, made of this code, with further lines for its component.
#[track_caller]
fn guest(world: &str, version: &str, code: &str, lines: &str) -> Served {
    let worlds = Worlds::read(
        "world config {
            import wasi:config/store@0.2.0-draft-2024-09-27;
            import wasi:http/types@0.2.12;
            export wasi:http/incoming-handler@0.2.12;
        }",
    );
    let component = worlds::component(&worlds.module(world, "", &code.replace("VERSION", version)));
    serve_with(&format!("{}{lines}", entry("guest", "/...", "guest", "")), &[], |app| {
        std::fs::write(app.dir().join("guest.wasm"), component).unwrap();
    })
}

/// A server that answers 201 with what it was sent.
fn upstream() -> Upstream {
    Upstream::start(|heads, stream| {
        while let Some(head) = read_head(stream)? {
            let body = read_body(&head, stream)?;
            stream.write_all(format!("HTTP/1.1 201 x\r\ncontent-length: {}\r\n\r\n", 5 + body.len()).as_bytes())?;
            stream.write_all(&[b"got: ", body.as_slice()].concat())?;
            let _ = heads.send(head);
        }
        Ok(())
    })
}

/// What a guest that sends a request answers, allowed and not. The letter is that of the error's case.
#[track_caller]
fn sends(world: &str, version: &str, code: &str, answer: &str, letter: &str) {
    let upstream = upstream();
    let path = format!("/{}", upstream.address());
    let denied = http::get(guest(world, version, code, "").address, &path);
    assert_eq!((denied.status, denied.text().as_str()), (502, letter));
    assert_eq!(upstream.connections(), 0);
    let served = guest(world, version, code, &format!("allowed_outbound_hosts = [\"http:/{path}\"]\n"));
    let response = http::get(served.address, &path);
    assert_eq!((response.status, response.text().as_str()), (201, answer));
    let head = upstream.next_head();
    assert!(head.starts_with("POST /up HTTP/1.1\r\n"), "{head}");
}

#[test]
fn a_component_of_october_uses_what_later_ones_have_not() {
    const CODE: &str = include_str!("../../guests/generations/october-calls.wat");
    // The fourth case of four: `unexpected-error`.
    sends("spin2-october", "0.2.0-rc-2023-10-18", CODE, "got: a file\n", "d");
}

#[test]
fn a_component_of_november_sends_requests() {
    const CODE: &str = include_str!("../../guests/generations/november-calls.wat");
    // The sixteenth: `HTTP-request-denied`.
    sends("november", "0.2.0-rc-2023-11-10", CODE, "got: a file", "p");
}

#[test]
fn variables_are_to_be_had_as_configuration() {
    const CODE: &str = include_str!("../../guests/generations/config.wat");
    let served = guest("config", "0.2.12", CODE, "variables = { one = \"1\", other = \"two\" }\n");
    let get = |path: &str| {
        let response = http::get(served.address, path);
        (response.status, response.text())
    };
    assert_eq!(get("/one"), (200, "1".to_owned()));
    assert_eq!(get("/other"), (200, "two".to_owned()));
    // What is not there is none, and so is what could not be.
    assert_eq!(get("/absent"), (404, String::new()));
    assert_eq!(get("/No-Name"), (404, String::new()));
    assert_eq!(get("/"), (200, "one=1\nother=two\n".to_owned()));
}
