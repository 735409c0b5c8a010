//! The rules of HTTP/2: frames that keep and break them, in `http2_rules.txt`.

use std::net::SocketAddr;

use spin_tests::http;

use super::frames::{
    CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, field, frame, request,
};
use super::{BOTH, serve};

const CORPUS: &str = include_str!("http2_rules.txt");

/// The stream of the request behind each row.
const FOLLOWER: u32 = 201;

const KINDS: [(&str, u8); 11] = [
    ("DATA", DATA),
    ("HEADERS", HEADERS),
    ("PRIORITY", PRIORITY),
    ("RST_STREAM", RST_STREAM),
    ("SETTINGS", SETTINGS),
    ("PUSH_PROMISE", PUSH_PROMISE),
    ("PING", PING),
    ("GOAWAY", GOAWAY),
    ("WINDOW_UPDATE", WINDOW_UPDATE),
    ("CONTINUATION", CONTINUATION),
    ("UNKNOWN", 0xbe),
];

/// RFC 9113, 7: the reasons by their numbers.
const REASONS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The bytes of one word of a row.
fn sent(word: &str) -> Vec<u8> {
    let (head, payload) = word.split_once('=').unwrap_or((word, ""));
    let payload = divided(payload, '+').into_iter().flat_map(part).collect::<Vec<u8>>();
    if head == "raw" {
        return payload;
    }
    let (kind, stream) = head.split_once('@').unwrap_or_else(|| panic!("no stream: {word}"));
    let (kind, flags) = kind.split_once(':').unwrap_or((kind, "0"));
    let (_, kind) = KINDS.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("no kind of frame: {word}"));
    frame(*kind, u8::from_str_radix(flags, 16).unwrap(), stream.parse().unwrap(), &payload)
}

/// The bytes of one part of a payload.
fn part(part: &str) -> Vec<u8> {
    if let Some((name, arguments)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        return match name {
            "get" => request("GET", arguments),
            "post" => request("POST", arguments),
            "field" => {
                let (name, value) = arguments.split_once(',').unwrap_or_else(|| panic!("no value: {part}"));
                let unescaped = |text: &str| text.replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0");
                field(&unescaped(name), &unescaped(value))
            }
            _ => panic!("a part that nobody knows: {part}"),
        };
    }
    let (digits, count) = part.split_once('*').unwrap_or((part, "1"));
    let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap());
    bytes.collect::<Vec<u8>>().repeat(count.parse().unwrap())
}

/// The parts of a text between `divider`s: those within brackets divide nothing.
fn divided(text: &str, divider: char) -> Vec<&str> {
    let mut depth = 0;
    let parts = text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == divider && depth == 0
    });
    parts.collect()
}

#[test]
fn every_rule_is_kept() {
    let rows: Vec<[&str; 3]> = CORPUS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.splitn(3, " | ").collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("not three fields: {line}"))
        })
        .collect();
    assert!(rows.len() >= 120, "{} rows", rows.len());
    let served = serve(BOTH, &[]);
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|[name, expected, frames]| {
            let found = outcome(served.address, expected, frames);
            (found != *expected).then(|| format!("{name}: {found} instead of {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    assert_eq!(http::get(served.address, "/p2/other").status, 200);
}

/// What becomes of a row, in its own words.
fn outcome(address: SocketAddr, expected: &str, frames: &str) -> String {
    let mut client = Connection::open(address);
    let bytes: Vec<u8> = divided(frames, ' ').into_iter().flat_map(sent).collect();
    let follower = frame(HEADERS, END_STREAM | END_HEADERS, FOLLOWER, &request("GET", "/p3/other"));
    // A server that has seen enough takes no more.
    let _ = client.send([bytes, follower].concat());
    let (mut followed, mut seen) = (false, None);
    while let Some(frame) = client.next_of(&[HEADERS, RST_STREAM, GOAWAY]) {
        let reason = |at: usize| {
            let number = u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
            REASONS.get(number as usize).copied().unwrap_or("a reason without a name")
        };
        match frame.kind {
            GOAWAY => return if expected == "closed" { expected.to_owned() } else { format!("goaway {}", reason(4)) },
            RST_STREAM => seen = Some(format!("reset {} {}", frame.stream, reason(0))),
            _ if frame.stream == FOLLOWER => followed = frame.status() == Some(200),
            _ => {
                let status = frame.status().map_or_else(|| "other".to_owned(), |status| status.to_string());
                seen.get_or_insert_with(|| format!("status {} {status}", frame.stream));
            }
        }
        // A response that comes although it doesn't matter is no outcome.
        let status_is_beside =
            seen.as_ref().is_some_and(|seen| seen.starts_with("status") && !expected.starts_with("status"));
        if followed
            && (seen.as_deref() == Some(expected) || (expected == "nothing" && (seen.is_none() || status_is_beside)))
        {
            return expected.to_owned();
        }
        if followed && seen.is_some() && !status_is_beside {
            break;
        }
    }
    match (seen, expected) {
        (_, "closed") if !followed => expected.to_owned(),
        (Some(seen), _) => seen,
        (None, _) => "nothing more".to_owned(),
    }
}
