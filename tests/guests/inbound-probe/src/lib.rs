//! A component for tests that exports `fermyon:spin/inbound-http` (no version).
//!
//! The path chooses what it does; see `tests/guests/README.md`.

#[path = "../../greedy-shared/greed.rs"]
mod greed;
#[allow(dead_code)] // this generation knows fewer behaviours
#[path = "../../probe-shared/request.rs"]
mod request;

use greed::Greed;
use request::Behaviour;
use wasip2::clocks::monotonic_clock::subscribe_duration;

wit_bindgen::generate!({
    inline: "package probe:inbound;
             world probe { export fermyon:spin/inbound-http; }",
    path: ["../../../wit/fermyon-spin"],
    generate_all,
});
use exports::fermyon::spin::inbound_http::{Guest, Request, Response};

struct Probe;
export!(Probe);

impl Guest for Probe {
    fn handle_request(request: Request) -> Response {
        if let Some((greed, number)) = greed::asked(&request.uri) {
            return greedy(greed, number);
        }
        if request.uri.ends_with("/odd-headers") {
            return odd_headers();
        }
        let header =
            |name: &str| request.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        match request::behaviour(&request.uri, header("spin-path-info")) {
            Behaviour::Headers => answer(200, listing(&request)),
            Behaviour::Environment(name) => match std::env::var(name) {
                Ok(value) => answer(200, value),
                Err(_) => answer(404, "not set\n"),
            },
            Behaviour::Print { escapes } => {
                request::print(escapes);
                answer(200, "printed\n")
            }
            Behaviour::Sleep { milliseconds } => {
                subscribe_duration(milliseconds * 1_000_000).block();
                answer(200, "slept\n")
            }
            Behaviour::Loop => loop {
                std::hint::spin_loop();
            },
            Behaviour::Grow => answer(200, request::grow()),
            Behaviour::Trap | Behaviour::TrapAfter => core::arch::wasm32::unreachable(),
            Behaviour::NoResponse => Response { status: 200, headers: None, body: None },
            Behaviour::Echo => Response { status: 200, headers: None, body: request.body },
            Behaviour::Status(code) => answer(code, ""),
            Behaviour::Count => answer(200, request::count()),
            Behaviour::File(file_use) => {
                let (status, text) = request::file(file_use);
                answer(status, text)
            }
            Behaviour::Hello => answer(200, "hello from a component\n"),
            _ => answer(404, "not here\n"),
        }
    }
}

fn answer(status: u16, text: impl Into<String>) -> Response {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Response { status, headers: Some(headers), body: Some(text.into().into_bytes()) }
}

fn listing(request: &Request) -> String {
    let method = format!("{:?}", request.method).rsplit("::").next().unwrap_or_default().to_ascii_uppercase();
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let order: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    format!(
        "{}order: {}\nparams: {}\nbody: {:?}\n",
        request::listing(&method, &request.uri, "-", "-", headers),
        order.join(" "),
        request.params.len(),
        request.body.as_ref().map(|body| String::from_utf8_lossy(body)),
    )
}

fn odd_headers() -> Response {
    let headers = [
        ("X-Own", "first"),
        ("connection", "close"),
        ("content-length", "1"),
        ("transfer-encoding", "chunked"),
        ("x-split", "a\r\nx-evil: 1"),
        ("x bad", "1"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-own", "last"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Response { status: 200, headers: Some(headers.to_vec()), body: Some(b"whole".to_vec()) }
}

fn greedy(greed: Greed, number: usize) -> Response {
    match greed {
        Greed::Headers => {
            let headers = (0..number).map(|index| (format!("x-{index}"), "value".to_owned())).collect();
            Response { status: 200, headers: Some(headers), body: None }
        }
        Greed::Resources => {
            let held: Vec<_> = (0..number).map(|_| subscribe_duration(1)).collect();
            answer(200, format!("{}\n", held.len()))
        }
        Greed::Body => Response { status: 200, headers: None, body: Some(vec![b'x'; number]) },
    }
}
