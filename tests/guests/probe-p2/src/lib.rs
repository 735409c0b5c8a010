//! A component for tests that exports `wasi:http/incoming-handler` of WASI 0.2.
//!
//! The path chooses what it does; see `tests/guests/README.md`.

#[path = "../../probe-shared/request.rs"]
mod request;

use request::Behaviour;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam, Scheme,
};
use wasip2::io::poll::poll;
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

mod spin {
    wit_bindgen::generate!({
        inline: "package probe:p2;
                 world imports { import fermyon:spin/variables@2.0.0; }",
        path: ["../../../wit/fermyon-spin-2.0.0"],
        generate_all,
    });
}
use spin::fermyon::spin::variables;

struct Probe;
wasip2::http::proxy::export!(Probe);

impl Guest for Probe {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let path_info = request.headers().get("spin-path-info").into_iter().next();
        let path_info = path_info.map(|value| String::from_utf8_lossy(&value).into_owned());
        // What only this generation can do.
        let (_, query) = path.split_once('?').unwrap_or_default();
        match path_info.as_deref().unwrap_or_default() {
            "/body-first" => return body_first(outparam, query),
            "/bodiless" => return ResponseOutparam::set(outparam, Ok(response())),
            "/denied-where" => return answer(outparam, 200, denied_where()),
            _ => {}
        }
        match request::behaviour(&path, path_info.as_deref()) {
            Behaviour::Headers => answer(outparam, 200, &listing(&request, &path)),
            Behaviour::Environment(name) => match std::env::var(name) {
                Ok(value) => answer(outparam, 200, &value),
                Err(_) => answer(outparam, 404, "not set\n"),
            },
            Behaviour::Variable(name) => match variables::get(&name) {
                Ok(value) => answer(outparam, 200, &value),
                Err(error) => answer(outparam, 404, &&why_not(error)),
            },
            Behaviour::File(file_use) => {
                let (status, text) = request::file(file_use);
                answer(outparam, status, &text);
            }
            Behaviour::Print { escapes } => {
                request::print(escapes);
                answer(outparam, 200, "printed\n");
            }
            Behaviour::Sleep { milliseconds } => {
                sleep(milliseconds);
                answer(outparam, 200, "slept\n");
            }
            Behaviour::Drip { milliseconds, chunks } => {
                stream(outparam, |body| {
                    for chunk in 1..=chunks {
                        if chunk > 1 {
                            sleep(milliseconds);
                        }
                        write(body, format!("chunk {chunk}\n").as_bytes())?;
                    }
                    Ok(())
                });
            }
            Behaviour::Loop => loop {
                std::hint::spin_loop();
            },
            Behaviour::Grow => answer(outparam, 200, &request::grow()),
            Behaviour::Trap => core::arch::wasm32::unreachable(),
            Behaviour::TrapAfter => stream(outparam, |body| {
                write(body, b"the response has started\n")?;
                core::arch::wasm32::unreachable()
            }),
            Behaviour::NoResponse => {}
            Behaviour::Refuse => {
                let reason = "the probe refuses".to_owned();
                ResponseOutparam::set(outparam, Err(ErrorCode::InternalError(Some(reason))));
            }
            Behaviour::Echo => echo(outparam, &request),
            Behaviour::OddHeaders => {
                let headers = plain_text();
                let tried = request::ODD_HEADERS.map(|(name, value)| {
                    let outcome = headers.append(name, value.as_bytes());
                    format!("{name}: {}\n", if outcome.is_ok() { "taken" } else { "refused" })
                });
                send(outparam, OutgoingResponse::new(headers), &tried.concat());
            }
            Behaviour::Length(length) => {
                let headers = plain_text();
                headers.set("content-length", &[length.to_string().into_bytes()]).expect("a valid header");
                send(outparam, OutgoingResponse::new(headers), "hello");
            }
            Behaviour::Status(code) => answer(outparam, code, ""),
            Behaviour::Count => answer(outparam, 200, &request::count()),
            Behaviour::Outbound(target) => answer(outparam, 200, &outbound(target)),
            Behaviour::Forward(forward) => self::forward(outparam, request, forward),
            Behaviour::Hello => answer(outparam, 200, "hello from a component\n"),
        }
    }
}

/// Sends a whole response. A status that the host refuses becomes a 400 that says so.
fn answer(outparam: ResponseOutparam, status: u16, text: &str) {
    let mut text = text.to_owned();
    let response = response();
    if response.set_status_code(status).is_err() {
        response.set_status_code(400).expect("400 is a status");
        text = format!("status {status} refused\n");
    }
    send(outparam, response, &text);
}

/// Sends a response with this text as its body.
fn send(outparam: ResponseOutparam, response: OutgoingResponse, text: &str) {
    let body = response.body().expect("the body is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let writer = body.write().expect("the stream is taken once");
    // A reader that went away is the reader's business.
    let _ = write(&writer, text.as_bytes());
    drop(writer);
    let _ = OutgoingBody::finish(body, None);
}

/// Writes the body, of as many bytes as the query says, and gives the response only then. With `flush` the guest waits
/// until the bytes are on their way.
fn body_first(outparam: ResponseOutparam, query: &str) {
    let (length, flush) = query.split_once('&').map_or((query, false), |(length, _)| (length, true));
    let bytes = vec![b'x'; length.parse().unwrap_or_default()];
    let response = response();
    let body = response.body().expect("the body is taken once");
    let writer = body.write().expect("the stream is taken once");
    let written = match flush {
        true => writer.blocking_write_and_flush(&bytes),
        false => writer.check_write().and_then(|_| writer.write(&bytes)),
    };
    drop(writer);
    match written.map_err(|error| format!("{error:?}")).and_then(|()| {
        OutgoingBody::finish(body, None).map_err(|error| format!("{error:?}"))
    }) {
        Ok(()) => ResponseOutparam::set(outparam, Ok(response)),
        Err(error) => answer(outparam, 500, &error),
    }
}

/// Where the error of a request arrives that may not be sent.
fn denied_where() -> &'static str {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    request.set_authority(Some("denied.test")).expect("an authority");
    request.set_path_with_query(Some("/")).expect("a path");
    match outgoing_handler::handle(request, None) {
        Err(_) => "the call",
        Ok(pending) => {
            pending.subscribe().block();
            match pending.get() {
                Some(Ok(Err(ErrorCode::HttpRequestDenied))) => "the future: http-request-denied",
                _ => "nowhere",
            }
        }
    }
}

/// Starts a response, then lets `produce` write its body.
fn stream(outparam: ResponseOutparam, produce: impl FnOnce(&OutputStream) -> Result<(), StreamError>) {
    let response = response();
    let body = response.body().expect("the body is taken once");
    let writer = body.write().expect("the stream is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let outcome = produce(&writer);
    drop(writer);
    // Without `finish` the reader sees that the body was cut.
    if outcome.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
}

fn response() -> OutgoingResponse {
    OutgoingResponse::new(plain_text())
}

fn plain_text() -> Fields {
    let headers = Fields::new();
    headers.set("content-type", &[b"text/plain".to_vec()]).expect("a valid header");
    headers
}

fn write(body: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    // The interface allows no more than 4096 bytes in such a call.
    bytes.chunks(4096).try_for_each(|part| body.blocking_write_and_flush(part))
}

fn sleep(milliseconds: u64) {
    subscribe_duration(milliseconds * 1_000_000).block();
}

/// Sends the request's body back, and its trailers.
fn echo(outparam: ResponseOutparam, request: &IncomingRequest) {
    let headers = plain_text();
    // Over HTTP/1.1 only trailers are sent that were announced.
    let _ = headers.set("trailer", &request.headers().get("trailer"));
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the body is taken once");
    let writer = body.write().expect("the stream is taken once");
    ResponseOutparam::set(outparam, Ok(response));
    let outcome = echo_body(request, &writer);
    drop(writer);
    // Without `finish` the reader sees that the body was cut.
    if let Ok(trailers) = outcome {
        let _ = OutgoingBody::finish(body, trailers);
    }
}

fn echo_body(request: &IncomingRequest, body: &OutputStream) -> Result<Option<Fields>, StreamError> {
    let incoming = request.consume().expect("the body is taken once");
    let reader = incoming.stream().expect("the stream is taken once");
    loop {
        match reader.blocking_read(64 * 1024) {
            Ok(bytes) => write(body, &bytes)?,
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error),
        }
    }
    drop(reader);
    let trailers = IncomingBody::finish(incoming);
    trailers.subscribe().block();
    let trailers = trailers.get().expect("they are there").expect("they are taken once");
    trailers.map_err(|_| StreamError::Closed)
}

fn listing(request: &IncomingRequest, path: &str) -> String {
    let method = match request.method() {
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
    let scheme = match request.scheme() {
        None => "-".to_owned(),
        Some(Scheme::Http) => "http".to_owned(),
        Some(Scheme::Https) => "https".to_owned(),
        Some(Scheme::Other(name)) => name,
    };
    let authority = request.authority().unwrap_or_else(|| "-".to_owned());
    request::listing(&method, path, &scheme, &authority, request.headers().entries())
}

fn outbound(target: Option<request::Target>) -> String {
    let Some(target) = target else { return "error: no usable url\n".to_owned() };
    let request = OutgoingRequest::new(Fields::new());
    if aim(&request, &target).is_err() {
        return "error: no usable url\n".to_owned();
    }
    let outcome = outgoing_handler::handle(request, None).and_then(|pending| {
        pending.subscribe().block();
        pending.get().expect("it is ready").expect("it is taken once")
    });
    match outcome {
        Ok(response) => format!("status {}\n", response.status()),
        Err(code) => format!("error: {}\n", request::kebab(&format!("{code:?}"))),
    }
}

fn aim(request: &OutgoingRequest, target: &request::Target) -> Result<(), ()> {
    let scheme = target.scheme.as_deref().map(|scheme| match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    });
    request.set_scheme(scheme.as_ref())?;
    request.set_authority(target.authority.as_deref())?;
    request.set_path_with_query(Some(&target.path_with_query))
}

/// Sends a request on, and its response back, both while they are still coming.
fn forward(outparam: ResponseOutparam, request: IncomingRequest, forward: Option<request::Forward>) {
    let mut outparam = Some(outparam);
    match exchange(&mut outparam, &request, forward) {
        Ok(()) => {}
        // Once the response has begun, all that is left is to cut it.
        Err(text) => {
            if let Some(outparam) = outparam {
                answer(outparam, 502, &text);
            }
        }
    }
}

fn exchange(
    outparam: &mut Option<ResponseOutparam>,
    request: &IncomingRequest,
    forward: Option<request::Forward>,
) -> Result<(), String> {
    let unusable = || "error: no usable url\n".to_owned();
    let failure = |code: ErrorCode| request::failure(&format!("{code:?}"));
    let forward = forward.ok_or_else(unusable)?;
    let headers = Fields::new();
    for (name, value) in &forward.headers {
        headers.append(name, value.as_bytes()).map_err(|error| format!("error: header {name}: {error:?}\n"))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    aim(&outgoing, &forward.target).map_err(|()| unusable())?;
    let method = forward.method.map_or_else(|| request.method(), |name| method_of(&name));
    outgoing.set_method(&method).map_err(|()| "error: no usable method\n".to_owned())?;
    let options = RequestOptions::new();
    let nanoseconds = |milliseconds: Option<u64>| milliseconds.map(|milliseconds| milliseconds * 1_000_000);
    options.set_connect_timeout(nanoseconds(forward.connect_timeout)).map_err(|()| unusable())?;
    options.set_first_byte_timeout(nanoseconds(forward.first_byte_timeout)).map_err(|()| unusable())?;
    options.set_between_bytes_timeout(nanoseconds(forward.between_bytes_timeout)).map_err(|()| unusable())?;

    let mut to_upstream = Some(outgoing.body().expect("the body is taken once"));
    // Dropped before what it came from, as it must be.
    let stream = to_upstream.as_ref().expect("it is there").write();
    let mut upstream = Some(stream.expect("the stream is taken once"));
    let pending = outgoing_handler::handle(outgoing, Some(options)).map_err(failure)?;
    let from_client = request.consume().expect("the body is taken once");
    let mut client = Some(from_client.stream().expect("the stream is taken once"));
    let mut answering: Option<Answering> = None;
    loop {
        enum Source {
            Client,
            Head,
            Upstream,
        }
        let mut sources = Vec::new();
        let mut pollables = Vec::new();
        if let Some(client) = &client {
            sources.push(Source::Client);
            pollables.push(client.subscribe());
        }
        match &answering {
            None => {
                sources.push(Source::Head);
                pollables.push(pending.subscribe());
            }
            Some(answering) => {
                sources.push(Source::Upstream);
                pollables.push(answering.from.subscribe());
            }
        }
        let ready = poll(&pollables.iter().collect::<Vec<_>>());
        drop(pollables);
        for index in ready {
            match sources[index as usize] {
                Source::Client => {
                    let stream = client.as_ref().expect("it was waited for");
                    let writer = upstream.as_ref().expect("it is open as long as the client's stream");
                    match read(stream) {
                        // Whether upstream has gone is seen by its response.
                        Some(bytes) => drop(write(writer, &bytes)),
                        None => {
                            drop((client.take(), upstream.take()));
                            let _ = OutgoingBody::finish(to_upstream.take().expect("finished once"), None);
                        }
                    }
                }
                Source::Head => {
                    let Some(response) = head(&pending) else { continue };
                    let response = response.map_err(failure)?;
                    answering = Some(Answering::begin(outparam.take().expect("answered once"), response));
                }
                Source::Upstream => {
                    let streams = answering.as_ref().expect("it was waited for");
                    match streams.from.read(64 * 1024) {
                        Ok(bytes) => write(&streams.to, &bytes).map_err(|_| String::new())?,
                        Err(StreamError::Closed) => {
                            answering.take().expect("it is there").finish();
                            return Ok(());
                        }
                        Err(_) => return Err(String::new()),
                    }
                }
            }
        }
    }
}

/// A response that is being handed on. Fields are dropped in this order: children before what they came from.
struct Answering {
    from: InputStream,
    _from: IncomingBody,
    to: OutputStream,
    body: OutgoingBody,
}

impl Answering {
    fn begin(outparam: ResponseOutparam, upstream: IncomingResponse) -> Self {
        let headers = Fields::new();
        for (name, value) in upstream.headers().entries() {
            if request::is_forwarded(&name) {
                let _ = headers.append(&name, &value);
            }
        }
        let response = OutgoingResponse::new(headers);
        response.set_status_code(upstream.status()).expect("it was a status");
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        let from = upstream.consume().expect("the body is taken once");
        let stream = from.stream().expect("the stream is taken once");
        let to = body.write().expect("the stream is taken once");
        Self { from: stream, _from: from, to, body }
    }

    fn finish(self) {
        drop(self.to);
        let _ = OutgoingBody::finish(self.body, None);
    }
}

fn head(pending: &FutureIncomingResponse) -> Option<Result<IncomingResponse, ErrorCode>> {
    Some(pending.get()?.expect("it is taken once"))
}

/// What has come; `None` at the end.
fn read(stream: &InputStream) -> Option<Vec<u8>> {
    stream.read(64 * 1024).ok()
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
