//! Requests that leave, in three generations. `send METHOD URL` and a body that may be left out; the answer is the status, the
//! headers and the body.

use wasip2::http::outgoing_handler;
use wasip2::http::types as second;
use wasip2::io::streams::StreamError;
use wasip3::http::client;
use wasip3::http::types as third;
use wasip3::{wit_future, wit_stream};

use crate::shown::{Shown, result, unknown};

mod bindings {
    wit_bindgen::generate!({
        inline: "package probe:http;
                 world imports { import fermyon:spin/http; }",
        path: ["../../../wit/fermyon-spin"],
        generate_all,
    });
}

/// A response.
struct Received {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Shown for Received {
    fn shown(&self) -> String {
        format!("{} {} {}", self.status, self.headers.shown(), self.body.shown())
    }
}

/// The parts of a URL as WASI has them: scheme, authority, path and query.
fn parts(url: &str) -> (&str, &str, String) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    (scheme, authority, format!("/{path}"))
}

fn text((name, value): (String, Vec<u8>)) -> (String, String) {
    (name, String::from_utf8_lossy(&value).into_owned())
}

pub fn generation1(calls: &[Vec<&str>]) -> Vec<String> {
    use bindings::fermyon::spin::http;
    use bindings::fermyon::spin::http_types::{Method, Request};
    let call = |call: &[&str]| match call {
        ["send", method, url, body @ ..] => {
            let method = match *method {
                "GET" => Method::Get,
                "POST" => Method::Post,
                other => return unknown(&[other]),
            };
            let request = Request {
                method,
                uri: (*url).to_owned(),
                headers: Vec::new(),
                params: Vec::new(),
                body: body.first().map(|body| body.as_bytes().to_vec()),
            };
            let received = |response: bindings::fermyon::spin::http_types::Response| Received {
                status: response.status,
                headers: response.headers.unwrap_or_default(),
                body: response.body.unwrap_or_default(),
            };
            match http::send_request(&request) {
                Ok(response) => result::<_, ()>(Ok(received(response))),
                // It shows itself with all that its documentation says; its name is enough.
                Err(error) => format!("err({})", error.name()),
            }
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

pub fn generation2(calls: &[Vec<&str>]) -> Vec<String> {
    let call = |call: &[&str]| match call {
        ["send", method, url, body @ ..] => {
            let (scheme, authority, path) = parts(url);
            let scheme = match scheme {
                "http" => second::Scheme::Http,
                "https" => second::Scheme::Https,
                other => second::Scheme::Other(other.to_owned()),
            };
            let request = second::OutgoingRequest::new(second::Fields::new());
            let set = request
                .set_method(&second::Method::Other((*method).to_owned()))
                .and_then(|()| request.set_scheme(Some(&scheme)))
                .and_then(|()| request.set_authority(Some(authority)))
                .and_then(|()| request.set_path_with_query(Some(&path)));
            if set.is_err() {
                return "err(not settable)".to_owned();
            }
            result(second_exchange(request, body.first().copied()))
        }
        other => unknown(other),
    };
    calls.iter().map(|words| call(words)).collect()
}

fn second_exchange(request: second::OutgoingRequest, body: Option<&str>) -> Result<Received, second::ErrorCode> {
    let outgoing = request.body().expect("the body is taken once");
    let pending = outgoing_handler::handle(request, None)?;
    if let Some(text) = body {
        let stream = outgoing.write().expect("the stream is taken once");
        // Who doesn't read it says why in the response.
        let _ = stream.blocking_write_and_flush(text.as_bytes());
    }
    let _ = second::OutgoingBody::finish(outgoing, None);
    pending.subscribe().block();
    let response = pending.get().expect("it is ready").expect("it is taken once")?;
    let incoming = response.consume().expect("the body is taken once");
    let stream = incoming.stream().expect("the stream is taken once");
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(65_536) {
            Ok(part) => body.extend(part),
            Err(StreamError::Closed) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    let headers = response.headers().entries().into_iter().map(text).collect();
    Ok(Received { status: response.status(), headers, body })
}

pub async fn generation3(calls: &[Vec<&str>]) -> Vec<String> {
    let mut answers = Vec::new();
    for words in calls {
        answers.push(match words.as_slice() {
            ["send", method, url, body @ ..] => third_send(method, url, body.first().copied()).await,
            other => unknown(other),
        });
    }
    answers
}

async fn third_send(method: &str, url: &str, body: Option<&str>) -> String {
    let (scheme, authority, path) = parts(url);
    let scheme = match scheme {
        "http" => third::Scheme::Http,
        "https" => third::Scheme::Https,
        other => third::Scheme::Other(other.to_owned()),
    };
    let (no_trailers, trailers) = wit_future::new(|| Ok(None));
    // The request ends with its trailers.
    drop(no_trailers);
    let (mut writer, reader) = wit_stream::new();
    let (request, _sent) = third::Request::new(third::Fields::new(), body.map(|_| reader), trailers, None);
    let set = request
        .set_method(&third::Method::Other(method.to_owned()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(&path)));
    if set.is_err() {
        return "err(not settable)".to_owned();
    }
    if let Some(text) = body {
        let bytes = text.as_bytes().to_vec();
        wasip3::wit_bindgen::spawn(async move { drop(writer.write_all(bytes).await) });
    }
    let response = match client::send(request).await {
        Ok(response) => response,
        Err(error) => return result::<(), _>(Err(error)),
    };
    let (status, headers) = (response.get_status_code(), response.get_headers().copy_all());
    let (_received, outcome) = wit_future::new(|| Ok(()));
    let (body, trailers) = third::Response::consume_body(response, outcome);
    let body = body.collect().await;
    let headers = headers.into_iter().map(text).collect();
    result(trailers.await.map(|_| Received { status, headers, body }))
}
