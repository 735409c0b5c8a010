//! Request smuggling: requests that a proxy could understand differently, in `smuggling.txt`.
//!
//! Whatever a row's bytes are, what comes behind them must be answered as if it were alone, or not at all.

use std::collections::BTreeSet;

use spin_tests::http;

use super::{BOTH, hostile_cases, serve};

const CORPUS: &str = include_str!("smuggling.txt");

/// Sent behind the bytes of each row.
const FOLLOWER: &str = "GET /p3/headers?follower HTTP/1.1\r\nhost: follower\r\nconnection: close\r\n\r\n";

struct Row {
    name: &'static str,
    expected: Expected,
    bytes: Vec<u8>,
}

enum Expected {
    Keep(u16, &'static str),
    Close(u16, &'static str),
    Cut,
}

fn rows() -> Vec<Row> {
    let lines = CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let mut fields = line.splitn(3, " | ");
            let mut field = || fields.next().unwrap_or_else(|| panic!("a field is missing: {line}"));
            Row { name: field(), expected: expected(field()), bytes: unescaped(field()) }
        })
        .collect()
}

fn expected(text: &'static str) -> Expected {
    let mut words = text.splitn(3, ' ');
    let word = words.next().unwrap();
    let mut status = || words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no status: {text}"));
    match word {
        "keep" => Expected::Keep(status(), words.next().unwrap_or("")),
        "close" => Expected::Close(status(), words.next().unwrap_or("")),
        "cut" if words.next().is_none() => Expected::Cut,
        _ => panic!("an expectation that nobody knows: {text}"),
    }
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.as_bytes());
        let simple = |byte| (vec![byte], &escape[1..]);
        let (unescaped, behind) = match escape.as_bytes().first() {
            Some(b'r') => simple(b'\r'),
            Some(b'n') => simple(b'\n'),
            Some(b't') => simple(b'\t'),
            Some(b'0') => simple(0),
            Some(b'\\') => simple(b'\\'),
            Some(b'x') => (vec![u8::from_str_radix(&escape[1..3], 16).unwrap()], &escape[3..]),
            Some(b'{') => {
                let (repeated, behind) = escape[1..].split_once('}').unwrap();
                let (what, count) = repeated.split_once('*').unwrap();
                (what.repeat(count.parse().unwrap()).into_bytes(), behind)
            }
            _ => panic!("an escape that nobody knows: \\{escape}"),
        };
        bytes.extend(unescaped);
        rest = behind;
    }
    bytes.extend(rest.as_bytes());
    bytes
}

#[test]
fn nothing_is_smuggled() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert!(names.len() == rows.len() && rows.len() >= 300, "{} rows, {} names", rows.len(), names.len());
    for case in hostile_cases::REQUESTS.all() {
        assert!(names.contains(case[0]), "{case:?} is missing");
    }
    // Some rows announce more than they send: these end when their time is over.
    let served = serve(BOTH, &["--body-timeout", "5s"]);
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let problem = wrong(served.address, row)?;
            Some(format!("{}: {problem}", row.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    for path in ["/p2/other", "/p3/other"] {
        assert_eq!(http::get(served.address, path).status, 200, "{path}: who comes later is served");
    }
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order() {
    let served = serve(BOTH, &[]);
    let mut client = http::Client::connect(served.address).unwrap();
    let requests: String = (0..50)
        .map(|number| {
            let generation = ["p2", "p3"][number % 2];
            let body = format!("GET /p3/trap HTTP/1.1\r\nhost: {number}\r\n\r\n");
            format!("POST /{generation}/echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        })
        .collect();
    client.send(requests).unwrap();
    for number in 0..50 {
        let response = client.read_response("POST").unwrap();
        assert!(response.status == 200 && response.text().contains(&format!("host: {number}\r\n")), "{number}");
    }
    client.finish_sending().unwrap();
    assert_eq!(client.read_to_close().unwrap(), b"", "fifty answers and no more");
}

/// What is wrong with the answer to a row.
fn wrong(address: std::net::SocketAddr, row: &Row) -> Option<String> {
    let mut client = http::Client::connect(address).unwrap();
    // A server that has closed already doesn't take all.
    let _ = client.send([&row.bytes, FOLLOWER.as_bytes()].concat());
    let method = if row.bytes.starts_with(b"HEAD ") { "HEAD" } else { "GET" };
    let first = client.read_response(method);
    let second = client.read_response("GET");
    let rest = client.read_to_close();
    if !matches!(&rest, Ok(rest) if rest.is_empty()) {
        return Some(format!("the connection doesn't end: {rest:?}"));
    }
    let is_first = |status: u16, body: &str| match &first {
        Ok(first) => first.status == status && first.complete && (body.is_empty() || first.text() == body),
        Err(_) => false,
    };
    let is_follower = second.as_ref().is_ok_and(|second| {
        let text = second.text();
        let ours = ["spin-", "x-request-id", "authority: follower", "scheme: http", "GET /p3/headers?follower"];
        second.complete
            && text.lines().all(|line| ours.iter().any(|ours| line.starts_with(ours)))
            && text.lines().count() > 5
    });
    let right = match row.expected {
        Expected::Keep(status, body) => is_first(status, body) && is_follower,
        Expected::Close(status, body) => is_first(status, body) && second.is_err(),
        Expected::Cut => second.is_err(),
    };
    let told = |response: &std::io::Result<http::Response>| match response {
        Ok(response) => format!("{} {:?} complete: {}", response.status, response.text(), response.complete),
        Err(error) => error.to_string(),
    };
    (!right).then(|| format!("{}, then {}", told(&first), told(&second)))
}
