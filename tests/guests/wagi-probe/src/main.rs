//! A command for tests, called as a CGI script. Built twice: as a component, and as a module of WASI preview 1.
//!
//! The path chooses what it does; see `tests/guests/README.md`.

#[path = "../../greedy-shared/greed.rs"]
mod greed;
#[allow(dead_code)] // a command knows fewer behaviours
#[path = "../../probe-shared/request.rs"]
mod request;

use std::io::{Read, Write};

use greed::Greed;
use request::Behaviour;

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let path = variable("PATH_INFO");
    let target = format!("{path}?{}", variable("QUERY_STRING"));
    if let Some((greed, number)) = greed::asked(&target) {
        return greedy(greed, number);
    }
    if path.ends_with("/raw") {
        // What was sent is the output, with nothing before it.
        return put(&input());
    }
    if let Some((_, code)) = path.split_once("/exit/") {
        answer(200, "the response has started\n");
        std::process::exit(code.parse().unwrap_or(0));
    }
    match request::behaviour(&target, None) {
        Behaviour::Headers => answer(200, listing()),
        Behaviour::Environment(name) => match std::env::var(name) {
            Ok(value) => answer(200, value),
            Err(_) => answer(404, "not set\n"),
        },
        Behaviour::Print { .. } => {
            eprintln!("probe: a line on stderr");
            answer(200, "printed\n");
        }
        Behaviour::Sleep { milliseconds } => {
            std::thread::sleep(std::time::Duration::from_millis(milliseconds));
            answer(200, "slept\n");
        }
        Behaviour::Loop => loop {
            std::hint::spin_loop();
        },
        Behaviour::Grow => answer(200, request::grow()),
        Behaviour::Trap => core::arch::wasm32::unreachable(),
        Behaviour::TrapAfter => {
            answer(200, "the response has started\n");
            core::arch::wasm32::unreachable()
        }
        Behaviour::NoResponse => {}
        Behaviour::Echo => answer(200, input()),
        Behaviour::Status(code) => answer(code, ""),
        Behaviour::Count => answer(200, request::count()),
        Behaviour::File(file_use) => {
            let (status, text) = request::file(file_use);
            answer(status, text);
        }
        Behaviour::Hello => answer(200, "hello from a component\n"),
        _ => answer(404, "not here\n"),
    }
}

fn answer(status: u16, body: impl AsRef<[u8]>) {
    put(format!("status: {status}\ncontent-type: text/plain\n\n").as_bytes());
    put(body.as_ref());
}

fn put(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).expect("standard output takes everything");
}

fn input() -> Vec<u8> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).expect("standard input can be read");
    input
}

fn listing() -> String {
    let arguments: Vec<String> = std::env::args().collect();
    let mut variables: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect();
    variables.sort();
    format!("args={arguments:?}\n{}body={}\n", variables.concat(), String::from_utf8_lossy(&input()))
}

fn greedy(greed: Greed, number: usize) {
    match greed {
        Greed::Headers => {
            let headers: String = (0..number).map(|index| format!("x-{index}: value\n")).collect();
            put(headers.as_bytes());
            put(b"content-type: text/plain\n\n");
        }
        Greed::Resources => hold(number),
        Greed::Body => {
            put(b"content-type: text/plain\n\n");
            let part = vec![b'x'; 64 * 1024];
            let mut left = number;
            while left > 0 {
                let length = left.min(part.len());
                put(&part[..length]);
                left -= length;
            }
        }
    }
}

#[cfg(target_env = "p2")]
fn hold(number: usize) {
    let held: Vec<_> = (0..number).map(|_| wasip2::clocks::monotonic_clock::subscribe_duration(1)).collect();
    answer(200, format!("{}\n", held.len()));
}

/// Preview 1 has no resources but files: as many as the host gives.
#[cfg(target_env = "p1")]
fn hold(number: usize) {
    let held: Vec<_> = (0..number).map_while(|_| std::fs::File::open("/file").ok()).collect();
    answer(200, format!("{}\n", held.len()));
}
