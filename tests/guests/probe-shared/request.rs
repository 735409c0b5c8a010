//! What both probes do with a request before their generations of WASI differ:
//! choosing the behaviour from the path, and the texts that must be equal in both.
//!
//! The table of behaviours is in `tests/guests/README.md`.

use std::sync::atomic::{AtomicU64, Ordering};

/// A behaviour, chosen by the last part of the request's path.
pub enum Behaviour {
    Headers,
    Environment(String),
    Variable(String),
    Print { escapes: bool },
    Sleep { milliseconds: u64 },
    Drip { milliseconds: u64, chunks: u64 },
    Loop,
    Grow,
    Trap,
    TrapAfter,
    NoResponse,
    Refuse,
    Echo,
    OddHeaders,
    Length(u64),
    Status(u16),
    Count,
    File(FileUse),
    Outbound(Option<Target>),
    Forward(Option<Forward>),
    Hello,
}

/// What `/file` does, all with the path of the query.
pub enum FileUse {
    Read(String),
    List(String),
    Write(String),
    Remove(String),
    Link { target: String, link: String },
    Rename { from: String, to: String },
}

/// Where an outgoing request goes, taken apart as `wasi:http` wants it. A URL that is only a path has neither scheme nor
/// authority.
pub struct Target {
    pub scheme: Option<String>,
    pub authority: Option<String>,
    pub path_with_query: String,
}

/// What `/forward` sends, besides the body of its own request.
pub struct Forward {
    pub target: Target,
    /// The method of its own request unless the query names one.
    pub method: Option<String>,
    pub headers: Vec<(String, String)>,
    /// In milliseconds.
    pub connect_timeout: Option<u64>,
    pub first_byte_timeout: Option<u64>,
    pub between_bytes_timeout: Option<u64>,
}

/// Chooses the behaviour by the first part of the path that names one. `path_info` is the value of
/// `spin-path-info`: what is left of the path behind the route's prefix. It decides unless nothing is left.
pub fn behaviour(path_with_query: &str, path_info: Option<&str>) -> Behaviour {
    let (whole_path, query) = path_with_query.split_once('?').unwrap_or((path_with_query, ""));
    let path = path_info.filter(|info| !info.trim_matches('/').is_empty()).unwrap_or(whole_path);
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        if let Some(behaviour) = named(part, parts.peek().copied().unwrap_or(""), query) {
            return behaviour;
        }
    }
    Behaviour::Hello
}

/// The behaviour of this name; `second` is the part of the path after it.
fn named(name: &str, second: &str, query: &str) -> Option<Behaviour> {
    Some(match name {
        "headers" => Behaviour::Headers,
        "env" => Behaviour::Environment(second.to_owned()),
        "variable" => Behaviour::Variable(second.to_owned()),
        "print" => Behaviour::Print { escapes: parameter(query, "esc").is_some() },
        "sleep" => Behaviour::Sleep { milliseconds: number(query, "ms", 100) },
        "drip" => Behaviour::Drip { milliseconds: number(query, "ms", 100), chunks: number(query, "n", 3) },
        "loop" => Behaviour::Loop,
        "grow" => Behaviour::Grow,
        "trap" => Behaviour::Trap,
        "trap-after" => Behaviour::TrapAfter,
        "no-response" => Behaviour::NoResponse,
        "refuse" => Behaviour::Refuse,
        "echo" => Behaviour::Echo,
        "odd-headers" => Behaviour::OddHeaders,
        "length" => Behaviour::Length(number(query, "n", 0)),
        "status" => Behaviour::Status(second.parse().unwrap_or(0)),
        "count" => Behaviour::Count,
        "file" => Behaviour::File(file_use(second, query)?),
        "outbound" => Behaviour::Outbound(parameter(query, "url").and_then(|url| target(&decoded(url)))),
        "forward" => Behaviour::Forward(forward(query)),
        _ => return None,
    })
}

fn forward(query: &str) -> Option<Forward> {
    let milliseconds = |name: &str| parameter(query, name).and_then(|value| value.parse().ok());
    let header = |pair: &str| {
        let pair = decoded(pair.strip_prefix("header=")?);
        let (name, value) = pair.split_once(':')?;
        Some((name.to_owned(), value.to_owned()))
    };
    Some(Forward {
        target: target(&decoded(parameter(query, "url")?))?,
        method: parameter(query, "method").map(str::to_owned),
        headers: query.split('&').filter_map(header).collect(),
        connect_timeout: milliseconds("connect-ms"),
        first_byte_timeout: milliseconds("first-byte-ms"),
        between_bytes_timeout: milliseconds("between-bytes-ms"),
    })
}

/// Whether `/forward` hands a header of a response on: what the host or the framing of the body decides, it doesn't.
pub fn is_forwarded(name: &str) -> bool {
    !["content-length", "date", "connection", "transfer-encoding"].contains(&name)
}

/// What `/forward` answers, with 502, if there is no response: the error's name, and what is known of a failed look-up.
pub fn failure(debug: &str) -> String {
    let name = kebab(debug);
    match debug.split_once("rcode: Some(\"") {
        Some((_, rest)) => format!("error: {name} ({})\n", rest.split('"').next().unwrap_or_default()),
        None => format!("error: {name}\n"),
    }
}

/// The body of `/headers`: the request as this component sees it.
pub fn listing(method: &str, path: &str, scheme: &str, authority: &str, headers: Vec<(String, Vec<u8>)>) -> String {
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value))).collect();
    lines.sort();
    format!("{method} {path}\nscheme: {scheme}\nauthority: {authority}\n{}", lines.concat())
}

/// What `/odd-headers` tries to set: headers that are the server's, and some that no server may send.
pub const ODD_HEADERS: [(&str, &str); 8] = [
    ("connection", "close"),
    ("keep-alive", "timeout=5"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "h2c"),
    ("host", "evil.test"),
    ("x-split", "a\r\nx-evil: 1"),
    ("x bad", "1"),
    ("x-good", "1"),
];

/// What `/print` writes: a line on each of standard output and standard error.
pub fn print(escapes: bool) {
    // Sets the clipboard and the window's title, colours, and moves up a line: what a terminal must not be told.
    let tail = if escapes { " \x1b]52;c;aGk=\x07\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[1A" } else { "" };
    println!("probe: a line on stdout{tail}");
    eprintln!("probe: a line on stderr{tail}");
}

fn file_use(verb: &str, query: &str) -> Option<FileUse> {
    let path = decoded(parameter(query, "path").unwrap_or("/"));
    Some(match verb {
        "read" => FileUse::Read(path),
        "list" => FileUse::List(path),
        "write" => FileUse::Write(path),
        "remove" => FileUse::Remove(path),
        "rename" => FileUse::Rename { from: path, to: decoded(parameter(query, "to").unwrap_or("")) },
        "link" => FileUse::Link { target: decoded(parameter(query, "to").unwrap_or("")), link: path },
        _ => return None,
    })
}

/// What `/file` answers: what was asked for, or `error: KIND` with 409.
pub fn file(file_use: FileUse) -> (u16, String) {
    use std::fs;
    let done = |()| "done\n".to_owned();
    let outcome = match file_use {
        FileUse::Read(path) => fs::read_to_string(path),
        FileUse::List(path) => fs::read_dir(path).and_then(|entries| {
            let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
            let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names.join(" "))
        }),
        FileUse::Write(path) => fs::write(path, "written by the guest\n").map(done),
        FileUse::Remove(path) => fs::remove_file(path).map(done),
        FileUse::Rename { from, to } => fs::rename(from, to).map(done),
        FileUse::Link { target, link } => fs::hard_link(target, link).map(done),
    };
    match outcome {
        Ok(text) => (200, text),
        Err(error) => (409, format!("error: {:?}\n", error.kind())),
    }
}

/// How often `/count` was called in this instance, this time included.
pub fn count() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    format!("{}\n", CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Allocates and touches memory until no more is to be had. Says how much that was, having given it back.
pub fn grow() -> String {
    const STEP: usize = 1 << 20;
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block = Vec::new();
        if held.try_reserve(1).is_err() || block.try_reserve_exact(STEP).is_err() {
            break;
        }
        block.resize(STEP, 0xa5);
        held.push(std::hint::black_box(block));
    }
    let reached = held.len();
    drop(held);
    format!("memory ended after {reached} MiB\n")
}

/// The name of an `error-code` in lower case, from the name that the bindings give it:
/// `HttpRequestBodySize(None)` is `http-request-body-size`.
pub fn kebab(debug: &str) -> String {
    let name = debug.rsplit("ErrorCode::").next().unwrap_or(debug);
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or(name);
    let mut kebab = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}

/// The value of a query parameter, as it was sent; empty if only its name is there.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(key, _)| *key == name).map(|p| p.1)
}

fn number(query: &str, name: &str, otherwise: u64) -> u64 {
    parameter(query, name).and_then(|value| value.parse().ok()).unwrap_or(otherwise)
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn target(url: &str) -> Option<Target> {
    if url.starts_with('/') {
        return Some(Target { scheme: None, authority: None, path_with_query: url.to_owned() });
    }
    let (scheme, rest) = url.split_once("://")?;
    let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    let path_with_query = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some(Target { scheme: Some(scheme.to_owned()), authority: Some(authority.to_owned()), path_with_query })
}
