//! A component for tests that exports `wasi:http/handler` of WASI 0.3.
//!
//! The path chooses what it does; see `tests/guests/README.md`.

#[path = "../../probe-shared/request.rs"]
mod request;

use request::Behaviour;
use wasip3::clocks::monotonic_clock::wait_for;
use wasip3::exports::http::handler::Guest;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, RequestOptions, Response, Scheme};
use wasip3::wit_bindgen::{StreamReader, StreamResult, StreamWriter};
use wasip3::{wit_future, wit_stream};

mod spin {
    wit_bindgen::generate!({
        inline: "package probe:p3;
                 world imports { import spin:variables/variables@3.0.0; }",
        path: ["../../../wit/spin-variables-3.0.0"],
        generate_all,
    });
}
use spin::spin::variables::variables;

struct Probe;
wasip3::http::service::export!(Probe);

impl Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let path = request.get_path_with_query().unwrap_or_default();
        let path_info = request.get_headers().get("spin-path-info").into_iter().next();
        let path_info = path_info.map(|value| String::from_utf8_lossy(&value).into_owned());
        if path_info.as_deref() == Some("/bodiless") {
            let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
            let (response, _sent) = Response::new(plain_text(), None, trailers);
            return Ok(response);
        }
        match request::behaviour(&path, path_info.as_deref()) {
            Behaviour::Headers => answer(200, listing(&request, &path)),
            Behaviour::Environment(name) => match std::env::var(name) {
                Ok(value) => answer(200, value),
                Err(_) => answer(404, "not set\n"),
            },
            Behaviour::Variable(name) => match variables::get(name).await {
                Ok(value) => answer(200, value),
                Err(error) => answer(404, why_not(error)),
            },
            Behaviour::File(file_use) => {
                let (status, text) = request::file(file_use);
                answer(status, text)
            }
            Behaviour::Print { escapes } => {
                request::print(escapes);
                answer(200, "printed\n")
            }
            Behaviour::Sleep { milliseconds } => {
                sleep(milliseconds).await;
                answer(200, "slept\n")
            }
            Behaviour::Drip { milliseconds, chunks } => stream(async move |body| {
                for chunk in 1..=chunks {
                    if chunk > 1 {
                        sleep(milliseconds).await;
                    }
                    if !body.write_all(format!("chunk {chunk}\n").into_bytes()).await.is_empty() {
                        break;
                    }
                }
            }),
            Behaviour::Loop => loop {
                std::hint::spin_loop();
            },
            Behaviour::Grow => answer(200, request::grow()),
            Behaviour::Trap => core::arch::wasm32::unreachable(),
            Behaviour::TrapAfter => stream(async move |body| {
                body.write_all(b"the response has started\n".to_vec()).await;
                core::arch::wasm32::unreachable()
            }),
            Behaviour::NoResponse | Behaviour::Refuse => {
                Err(ErrorCode::InternalError(Some("the probe gives no response".to_owned())))
            }
            Behaviour::Echo => {
                let headers = plain_text();
                // Over HTTP/1.1 only trailers are sent that were announced.
                let _ = headers.set("trailer", &request.get_headers().get("trailer"));
                let (_received, outcome) = wit_future::new(|| Ok(()));
                let (reader, trailers) = Request::consume_body(request, outcome);
                let (writer, body) = wit_stream::new();
                let (response, _sent) = Response::new(headers, Some(body), trailers);
                produce(writer, async move |body| echo(reader, body).await);
                Ok(response)
            }
            Behaviour::OddHeaders => {
                let headers = plain_text();
                let tried = request::ODD_HEADERS.map(|(name, value)| {
                    let outcome = headers.append(name, value.as_bytes());
                    format!("{name}: {}\n", if outcome.is_ok() { "taken" } else { "refused" })
                });
                Ok(with_text(headers, tried.concat()))
            }
            Behaviour::Length(length) => {
                let headers = plain_text();
                headers.set("content-length", &[length.to_string().into_bytes()]).expect("a valid header");
                Ok(with_text(headers, "hello".to_owned()))
            }
            Behaviour::Status(code) => answer(code, ""),
            Behaviour::Count => answer(200, request::count()),
            Behaviour::Outbound(target) => answer(200, outbound(target).await),
            Behaviour::Forward(forward) => match self::forward(request, forward).await {
                Ok(response) => Ok(response),
                Err(text) => answer(502, text),
            },
            Behaviour::Hello => answer(200, "hello from a component\n"),
        }
    }
}

/// A whole response. A status that the host refuses becomes a 400 that says so.
fn answer(status: u16, text: impl Into<String>) -> Result<Response, ErrorCode> {
    let mut text = text.into();
    let (response, writer) = response();
    if response.set_status_code(status).is_err() {
        response.set_status_code(400).expect("400 is a status");
        text = format!("status {status} refused\n");
    }
    produce_text(writer, text);
    Ok(response)
}

fn with_text(headers: Fields, text: String) -> Response {
    let (response, writer) = with_headers(headers);
    produce_text(writer, text);
    response
}

fn produce_text(writer: StreamWriter<u8>, text: String) {
    produce(writer, async move |body| {
        // A reader that went away is the reader's business.
        body.write_all(text.into_bytes()).await;
    });
}

/// A response whose body `write` produces after the head was sent.
fn stream(write: impl AsyncFnOnce(&mut StreamWriter<u8>) + 'static) -> Result<Response, ErrorCode> {
    let (response, writer) = response();
    produce(writer, write);
    Ok(response)
}

fn plain_text() -> Fields {
    let headers = Fields::new();
    headers.set("content-type", &[b"text/plain".to_vec()]).expect("a valid header");
    headers
}

fn response() -> (Response, StreamWriter<u8>) {
    with_headers(plain_text())
}

fn with_headers(headers: Fields) -> (Response, StreamWriter<u8>) {
    let (writer, reader) = wit_stream::new();
    let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
    let (response, _sent) = Response::new(headers, Some(reader), trailers);
    (response, writer)
}

/// Runs `write` in a task of its own: a body is read only after the handler has returned.
fn produce(mut writer: StreamWriter<u8>, write: impl AsyncFnOnce(&mut StreamWriter<u8>) + 'static) {
    wasip3::wit_bindgen::spawn(async move { write(&mut writer).await });
}

async fn sleep(milliseconds: u64) {
    wait_for(milliseconds * 1_000_000).await;
}

async fn echo(mut reader: StreamReader<u8>, body: &mut StreamWriter<u8>) {
    loop {
        let (outcome, bytes) = reader.read(Vec::with_capacity(64 * 1024)).await;
        if !bytes.is_empty() && !body.write_all(bytes).await.is_empty() {
            break;
        }
        if !matches!(outcome, StreamResult::Complete(_)) {
            break;
        }
    }
}

fn listing(request: &Request, path: &str) -> String {
    let method = match request.get_method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(name) => name,
    };
    let scheme = match request.get_scheme() {
        None => "-".to_owned(),
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Https) => "https".to_owned(),
        Some(Scheme::Other(name)) => name,
    };
    let authority = request.get_authority().unwrap_or_else(|| "-".to_owned());
    request::listing(&method, path, &scheme, &authority, request.get_headers().copy_all())
}

async fn outbound(target: Option<request::Target>) -> String {
    let Some(target) = target else { return "error: no usable url\n".to_owned() };
    let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
    let (request, _sent) = Request::new(Fields::new(), None, trailers, None);
    if aim(&request, &target).is_err() {
        return "error: no usable url\n".to_owned();
    }
    match client::send(request).await {
        Ok(response) => format!("status {}\n", response.get_status_code()),
        Err(code) => format!("error: {}\n", request::kebab(&format!("{code:?}"))),
    }
}

fn aim(request: &Request, target: &request::Target) -> Result<(), ()> {
    let scheme = target.scheme.as_deref().map(|scheme| match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    });
    request.set_scheme(scheme.as_ref())?;
    request.set_authority(target.authority.as_deref())?;
    request.set_path_with_query(Some(&target.path_with_query))
}

/// Sends a request on, and its response back: the streams themselves, so that both go on while they are still coming.
async fn forward(request: Request, forward: Option<request::Forward>) -> Result<Response, String> {
    let unusable = || "error: no usable url\n".to_owned();
    let forward = forward.ok_or_else(unusable)?;
    let headers = Fields::new();
    for (name, value) in &forward.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("error: header {name}: {error:?}\n"))?;
    }
    let options = RequestOptions::new();
    let nanoseconds = |milliseconds: Option<u64>| milliseconds.map(|milliseconds| milliseconds * 1_000_000);
    options.set_connect_timeout(nanoseconds(forward.connect_timeout)).map_err(|_| unusable())?;
    options.set_first_byte_timeout(nanoseconds(forward.first_byte_timeout)).map_err(|_| unusable())?;
    options.set_between_bytes_timeout(nanoseconds(forward.between_bytes_timeout)).map_err(|_| unusable())?;
    let method = forward.method.map_or_else(|| request.get_method(), |name| method_of(&name));
    let (_received, outcome) = wit_future::new(|| Ok(()));
    let (body, trailers) = Request::consume_body(request, outcome);
    let (outgoing, _sent) = Request::new(headers, Some(body), trailers, Some(options));
    aim(&outgoing, &forward.target).map_err(|()| unusable())?;
    outgoing.set_method(&method).map_err(|()| "error: no usable method\n".to_owned())?;

    let upstream = client::send(outgoing).await.map_err(|code| request::failure(&format!("{code:?}")))?;
    let headers = Fields::new();
    for (name, value) in upstream.get_headers().copy_all() {
        if request::is_forwarded(&name) {
            let _ = headers.append(&name, &value);
        }
    }
    let status = upstream.get_status_code();
    let (_received, outcome) = wit_future::new(|| Ok(()));
    let (body, trailers) = Response::consume_body(upstream, outcome);
    let (response, _sent) = Response::new(headers, Some(body), trailers);
    response.set_status_code(status).expect("it was a status");
    Ok(response)
}

fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        other => Method::Other(other.to_owned()),
    }
}

/// The name of the error's case and its text.
fn why_not(error: variables::Error) -> String {
    let (case, text) = match error {
        variables::Error::InvalidName(text) => ("invalid-name", text),
        variables::Error::Undefined(text) => ("undefined", text),
        variables::Error::Provider(text) => ("provider", text),
        variables::Error::Other(text) => ("other", text),
    };
    format!("error: {case}: {text}\n")
}
