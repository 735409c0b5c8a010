//! From the output of a command to a response, by the rules of CGI.

use bytes::Bytes;
use http::{Response, StatusCode};
use spin_app_model::ComponentId;

use super::super::error::EventError;
use super::super::whole::WholeResponse;

/// What a client is told about output without any of the headers that make it a response.
const NO_RESPONSE: &str = "Exactly one of 'location' or 'content-type' must be specified";

/// The response that `output` is.
///
/// # Errors
/// For no output at all, and for more of a body than `limit`.
pub(super) fn of_output(component: &ComponentId, output: Bytes, limit: usize) -> Result<Response<Bytes>, EventError> {
    if output.is_empty() {
        return Err(EventError::BadResponse(
            "the command wrote nothing to its standard output, where the response belongs; its log may say why"
                .to_owned(),
        ));
    }
    let (head, body) = split(&output);
    let mut response = WholeResponse::new(component, limit);
    let (mut status, mut moved, mut typed) = (None, false, false);
    for line in head.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            let line = String::from_utf8_lossy(line);
            tracing::warn!(%component, "a line of the output's head is no header and is left out: {line:?}");
            continue;
        };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"status") {
            let Some(code) = code(value) else {
                let value = String::from_utf8_lossy(value);
                tracing::error!(%component, "the command answered with `Status: {value}`, which is none");
                return Ok(refusal(StatusCode::BAD_GATEWAY, ""));
            };
            status = Some(code);
            continue;
        }
        moved |= name.eq_ignore_ascii_case(b"location");
        typed |= name.eq_ignore_ascii_case(b"content-type");
        response.header(name, value)?;
    }
    if status.is_none() && !moved && !typed {
        tracing::error!(%component, "the output has none of the headers content-type, location and status");
        return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, NO_RESPONSE));
    }
    let unless_told = if moved { StatusCode::FOUND } else { StatusCode::OK };
    response.finish(status.unwrap_or(unless_told.as_u16()), output.slice_ref(body))
}

/// The lines before the first empty one, without carriage returns and the last line's end, and everything behind it.
fn split(output: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut head = Vec::new();
    for (at, &byte) in output.iter().enumerate() {
        match byte {
            b'\r' => {}
            b'\n' if head.is_empty() || head.ends_with(b"\n") => {
                head.pop();
                return (head, &output[at + 1..]);
            }
            byte => head.push(byte),
        }
    }
    if head.ends_with(b"\n") {
        head.pop();
    }
    (head, &[])
}

/// The code of a status line such as `404 Not Found`.
fn code(value: &[u8]) -> Option<u16> {
    let first = value.split(|&byte| byte == b' ').next()?;
    let code = StatusCode::from_bytes(first).ok()?.as_u16();
    (200..=600).contains(&code).then_some(code)
}

fn refusal(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(output: &'static str) -> Response<Bytes> {
        let component = "c".parse().expect("an id");
        of_output(&component, Bytes::from_static(output.as_bytes()), 64).expect("a response")
    }

    #[test]
    fn status_and_body_by_the_headers() {
        let table = [
            ("content-type: a/b\n\nbody\n\nmore", 200, "body\n\nmore"),
            ("Content-Type: a/b\r\n\r\nbody\r\n", 200, "body\r\n"),
            ("content-type: a/b\n", 200, ""),
            ("content-type: a/b", 200, ""),
            ("status: 404 Not Found\n\n", 404, ""),
            ("Status: 201\ncontent-type: a/b\n\nx", 201, "x"),
            ("location: /x\n\n", 302, ""),
            ("status: 307\nlocation: /x\n\n", 307, ""),
            ("location: /x\nstatus: 307\n\n", 307, ""),
            ("status: 404\nstatus: 405\n\n", 405, ""),
            ("status: nonsense\ncontent-type: a/b\n\nx", 502, ""),
            ("status: 99\n\n", 502, ""),
            ("status: 601\n\n", 502, ""),
            ("status: 101\n\n", 502, ""),
            ("status:\n\n", 502, ""),
            ("x-own: 1\n\nbody", 500, NO_RESPONSE),
            ("\nbody", 500, NO_RESPONSE),
            ("\n", 500, NO_RESPONSE),
            ("just text", 500, NO_RESPONSE),
        ];
        for (output, status, body) in table {
            let response = answer(output);
            assert_eq!((response.status().as_u16(), &response.body()[..]), (status, body.as_bytes()), "{output:?}");
        }
    }

    #[test]
    fn headers_are_those_that_are_valid() {
        let response = answer("content-type:a/b\nno header\nX-Own :  two words \nx y: 1\nContent-Length: 7\n\n");
        let headers: Vec<_> =
            response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("content-type", &b"a/b"[..]), ("x-own", b"two words")]);
    }

    #[test]
    fn no_output_is_no_response() {
        let component = "c".parse().expect("an id");
        let error = of_output(&component, Bytes::new(), 64).expect_err("nothing");
        assert!(error.to_string().contains("wrote nothing to its standard output"), "{error}");
    }
}
