//! Commands that are called as CGI scripts: components, and modules of preview 1.

use std::collections::BTreeMap;

use spin_tests::http;

use super::{Served, WAGI, entry, refused, serve, serve_with};

/// The same program, built as a component and as a module.
const BOTH: [&str; 2] = ["wagi-probe", "wagi-probe-module"];

fn probe(guest: &str, flags: &[&str]) -> Served {
    let environment = "environment = { OWN = \"manifest\", HTTP_X_MINE = \"manifest\" }\n";
    serve(&(entry("probe", "/base/:user-id/...", guest, WAGI) + environment), flags)
}

/// The command's arguments, its environment, and its input.
fn told(response: &http::Response) -> (String, BTreeMap<String, String>, String) {
    let text = response.text();
    let (arguments, rest) = text.split_once('\n').unwrap();
    let (variables, input) = rest.rsplit_once("body=").unwrap();
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (arguments.to_owned(), variables, input.trim_end().to_owned())
}

#[test]
fn a_request_is_told_as_cgi_tells_it() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        let address = served.address.to_string();
        let sent = [
            ("content-type", "text/x"),
            ("x-own", "first"),
            ("x-own", "last"),
            ("x-mine", "the client's"),
            ("authorization", "secret"),
            ("connection", "keep-alive"),
            ("proxy", "http://evil/"),
            ("spin-client-addr", "forged"),
        ];
        let path = "/base/anna/a%20b/headers?x=1&y=%20z";
        let response = http::request(served.address, "POST", path, &sent, b"the input");
        assert_eq!((response.status, response.header("content-type")), (200, Some("text/plain")), "{guest}");
        let (arguments, mut variables, input) = told(&response);
        assert_eq!(arguments, "args=[\"/base/anna/a%20b/headers\", \"x=1\", \"y=%20z\"]", "{guest}");
        assert_eq!(input, "the input", "{guest}");
        let client = variables.remove("X_CLIENT_ADDR").unwrap();
        assert!(client.starts_with("127.0.0.1:"), "{guest}: {client}");
        let port = served.address.port().to_string();
        let full_url = format!("http://{address}{path}");
        let expected = [
            ("AUTH_TYPE", ""),
            ("CONTENT_LENGTH", "9"),
            ("CONTENT_TYPE", "text/x"),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("HTTP_CONTENT_LENGTH", "9"),
            ("HTTP_CONTENT_TYPE", "text/x"),
            ("HTTP_HOST", &address),
            ("HTTP_X_MINE", "manifest"),
            ("HTTP_X_OWN", "last"),
            ("HTTP_X_REQUEST_ID", "ID"),
            ("OWN", "manifest"),
            ("PATH_INFO", "/a%20b/headers"),
            ("PATH_TRANSLATED", "/a b/headers"),
            ("QUERY_STRING", "x=1&y=%20z"),
            ("REMOTE_ADDR", "127.0.0.1"),
            ("REMOTE_HOST", "127.0.0.1"),
            ("REMOTE_USER", ""),
            ("REQUEST_METHOD", "POST"),
            ("SCRIPT_NAME", "/base/:user-id"),
            ("SERVER_NAME", "127.0.0.1"),
            ("SERVER_PORT", &port),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", "WAGI/1"),
            ("X_BASE_PATH", "/"),
            ("X_COMPONENT_ROUTE", "/base/:user-id"),
            ("X_FULL_URL", &full_url),
            ("X_MATCHED_ROUTE", "/base/:user-id/..."),
            ("X_PATH_MATCH_USER_ID", "anna"),
            ("X_RAW_COMPONENT_ROUTE", "/base/:user-id/..."),
            ("X_RAW_PATH_INFO", "/a%20b/headers"),
        ];
        let found: Vec<(&str, &str)> = variables
            .iter()
            .map(|(name, value)| match name.as_str() {
                // Another one for each request.
                "HTTP_X_REQUEST_ID" => (name.as_str(), "ID"),
                name => (name, value.as_str()),
            })
            .collect();
        assert_eq!(found, expected, "{guest}");
    }
}

#[test]
fn no_input_and_no_query_are_fine() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        let (arguments, variables, input) = told(&http::get(served.address, "/base/1/headers"));
        assert_eq!((arguments.as_str(), input.as_str()), ("args=[\"/base/1/headers\", \"\"]", ""), "{guest}");
        assert_eq!((variables["CONTENT_LENGTH"].as_str(), variables["QUERY_STRING"].as_str()), ("0", ""), "{guest}");
        assert_eq!(http::request(served.address, "PURGE", "/base/1/headers", &[], b"").status, 200, "any method");
    }
}

#[test]
fn what_is_no_text_or_is_not_named_is_told_so() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        let mut client = http::Client::connect(served.address).unwrap();
        client.send(b"GET /base/1/headers HTTP/1.0\r\nhost: example.com\r\nx-odd: a\xff\r\n\r\n").unwrap();
        let (_, variables, _) = told(&client.read_response("GET").unwrap());
        for (name, value) in [
            ("HTTP_X_ODD", "CORRUPT VALUE"),
            ("SERVER_NAME", "example.com"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.0"),
            ("CONTENT_TYPE", ""),
        ] {
            assert_eq!(variables.get(name).map(String::as_str), Some(value), "{guest}: {name}");
        }
    }
}

/// Output, and the status and body that it becomes.
const OUTPUT: &[(&str, u16, &str)] = &[
    ("content-type: a/b\n\nbody\n\nmore", 200, "body\n\nmore"),
    ("Content-Type: a/b\r\n\r\nbody\r\n", 200, "body\r\n"),
    ("status: 404 Not Found\n\nx", 404, "x"),
    ("location: /x\n\n", 302, ""),
    ("status: 307\nlocation: /x\n\n", 307, ""),
    ("location: /x\nstatus: 307\n\n", 307, ""),
    ("content-type: a/b\n\n", 200, ""),
    ("status: many\ncontent-type: a/b\n\nx", 502, ""),
    ("x-own: 1\n\nx", 500, "Exactly one of 'location' or 'content-type' must be specified"),
    ("no header at all", 500, "Exactly one of 'location' or 'content-type' must be specified"),
    ("", 500, ""),
];

#[test]
fn output_becomes_a_response() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        let send = |output: &str| http::request(served.address, "POST", "/base/1/raw", &[], output.as_bytes());
        for (output, status, body) in OUTPUT {
            let response = send(output);
            assert_eq!((response.status, response.text().as_str()), (*status, *body), "{guest}: {output:?}");
        }
        served.up.stderr().wait_for("the command wrote nothing to its standard output");
        let response = send(
            "content-type: a/b\nX-Own:  two words \nconnection: close\ncontent-length: 1\ntransfer-encoding: chunked\n\
             not valid\nx-a: 1\nx-a: 2\nset-cookie: a\nset-cookie: b\n\nwhole",
        );
        assert_eq!((response.status, response.text().as_str(), response.complete), (200, "whole", true), "{guest}");
        let headers: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(headers[..5], ["content-type", "x-own", "x-a", "set-cookie", "set-cookie"], "{guest}");
        assert_eq!(response.header("x-own"), Some("two words"), "{guest}");
        assert_eq!(response.header("x-a"), Some("2"), "{guest}");
        assert!(response.header("connection").is_none() && response.header("transfer-encoding").is_none(), "{guest}");
        served.up.stderr().wait_for("not valid");
    }
}

#[test]
fn the_exit_code_decides_whether_there_is_a_response() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        let get = |path: &str| http::get(served.address, &format!("/base/1/{path}"));
        let response = get("exit/0");
        assert_eq!((response.status, response.text().as_str()), (200, "the response has started\n"), "{guest}");
        let response = get("exit/3");
        assert_eq!((response.status, response.text().as_str()), (500, ""), "{guest}");
        served.up.stderr().wait_for("the command exited with code");
    }
}

#[test]
fn a_run_that_says_it_failed_is_only_logged() {
    const FAILS: &str = r#"(component
        (core module $m (func (export "run") (result i32) (i32.const 1)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $out (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $out)))"#;
    let served = serve_with(&entry("probe", "/...", "fails", WAGI), &[], |app| {
        std::fs::write(app.dir().join("fails.wasm"), wat::parse_str(FAILS).unwrap()).unwrap();
    });
    // It wrote nothing besides.
    assert_eq!(http::get(served.address, "/").status, 500);
    served.up.stderr().wait_for("the command says that it failed");
    served.up.stderr().wait_for("wrote nothing");
}

#[test]
fn input_output_and_time_are_limited() {
    for guest in BOTH {
        let served = probe(guest, &["--max-whole-body", "100000", "--request-timeout", "2s"]);
        let send = |size: usize| http::request(served.address, "POST", "/base/1/echo", &[], &vec![b'x'; size]);
        assert_eq!(send(90_000).body.len(), 90_000, "{guest}");
        assert_eq!(send(100_001).status, 413, "{guest}");
        assert_eq!(http::get(served.address, "/base/1/large-body?n=99000").body.len(), 99_000, "{guest}");
        let response = http::get(served.address, "/base/1/large-body?n=1000000000");
        assert_eq!((response.status, response.text().as_str()), (500, ""), "{guest}");
        served.up.stderr().wait_for("more than 100000 bytes");
        assert_eq!(http::get(served.address, "/base/1/sleep?ms=20000").status, 504, "{guest}");
    }
}

#[test]
fn the_error_stream_goes_to_the_log_and_instances_are_fresh() {
    for guest in BOTH {
        let served = probe(guest, &[]);
        for _ in 0..2 {
            assert_eq!(http::get(served.address, "/base/1/count").text(), "1\n", "{guest}");
        }
        assert_eq!(http::get(served.address, "/base/1/file/read?path=/file").text(), "a file\n", "{guest}");
        assert_eq!(http::get(served.address, "/base/1/print").text(), "printed\n", "{guest}");
        served.up.stderr().wait_for("probe: a line on stderr");
        let logs = served.app.dir().join(".spin/logs");
        assert_eq!(std::fs::read_to_string(logs.join("probe_stderr.txt")).unwrap(), "probe: a line on stderr\n");
        let stdout = std::fs::read_to_string(logs.join("probe_stdout.txt")).unwrap_or_default();
        assert_eq!(stdout, "", "{guest}: the response is not a log");
    }
}

#[test]
fn modules_that_are_no_commands_are_refused() {
    for (module, reason) in [
        ("(module (func (export \"main\")))", "says nothing of its interfaces"),
        ("(module (func (export \"_start\")) (func (export \"cabi_realloc\")))", "says nothing of its interfaces"),
        ("(module (import \"env\" \"odd\" (func)) (func (export \"_start\")))", "can't be made a component"),
    ] {
        let ended = refused(&entry("probe", "/...", "odd", WAGI), |app| {
            std::fs::write(app.dir().join("odd.wasm"), wat::parse_str(module).unwrap()).unwrap();
        });
        assert!(ended.stderr.contains(reason) && ended.stderr.contains("odd.wasm"), "{}", ended.snapshot());
    }
}
