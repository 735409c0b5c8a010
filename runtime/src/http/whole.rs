//! Requests and responses that are held whole: those of guests that know no streams.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use spin_app_model::ComponentId;
use wasmtime_wasi_http::WasiBody;

use super::error::{BadRequest, EventError};

/// The most bytes of a request, and of a response, that is held whole unless set otherwise.
pub const DEFAULT_WHOLE_BODY: usize = 32 << 20;

/// The most bytes of the names and values of a response's headers: what the engine allows to guests that stream.
const LARGEST_HEAD: usize = 128 << 10;

/// Reads a body of at most `limit` bytes; the client has `patience` for all of it.
pub(super) async fn read(body: WasiBody, limit: usize, patience: Duration) -> Result<Bytes, BadRequest> {
    // One that says how long it will be need not be sent.
    if body.size_hint().lower() > limit as u64 {
        return Err(BadRequest::TooLarge { limit });
    }
    match tokio::time::timeout(patience, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BadRequest::TooLarge { limit }),
        Ok(Err(error)) => Err(BadRequest::Broken(error)),
        Err(_) => Err(BadRequest::Slow(patience)),
    }
}

/// A response while a guest's headers are put into it.
pub(super) struct WholeResponse<'a> {
    component: &'a ComponentId,
    limit: usize,
    headers: HeaderMap,
    // Bytes of all names and values that were given.
    size: usize,
}

impl<'a> WholeResponse<'a> {
    pub(super) fn new(component: &'a ComponentId, limit: usize) -> Self {
        Self { component, limit, headers: HeaderMap::new(), size: 0 }
    }

    /// Adds a header. Of a name that comes again the last value counts, except for cookies, which nothing could join
    /// to one. What is no header is logged and left out; so is what the server itself says about the connection.
    ///
    /// # Errors
    /// When all of them together are too large.
    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) -> Result<(), EventError> {
        self.size += name.len() + value.len();
        if self.size > LARGEST_HEAD {
            let message = format!("the response's headers have more than {LARGEST_HEAD} bytes");
            return Err(EventError::BadResponse(message));
        }
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
            let name = String::from_utf8_lossy(name);
            tracing::warn!(component = %self.component, "a header of the response is not valid and is left out: {name:?}");
            return Ok(());
        };
        if is_framing(&name) {
            tracing::debug!(component = %self.component, "the response's header {name} is the server's and is left out");
        } else if name == SET_COOKIE {
            self.headers.append(name, value);
        } else {
            self.headers.insert(name, value);
        }
        Ok(())
    }

    /// The response.
    ///
    /// # Errors
    /// For a status that no response can have, and a body that is too large.
    pub(super) fn finish(self, status: u16, body: Bytes) -> Result<Response<Bytes>, EventError> {
        let status = StatusCode::from_u16(status).ok().filter(|code| code.as_u16() <= 600).ok_or_else(|| {
            EventError::BadResponse(format!("the guest answered with status {status}, which is none"))
        })?;
        if body.len() > self.limit {
            return Err(too_large(self.limit));
        }
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }
}

pub(super) fn too_large(limit: usize) -> EventError {
    EventError::BadResponse(format!("the response has more than {limit} bytes, which are held whole"))
}

/// Whether a header says how a message is framed or what becomes of the connection: that is the server's to say.
pub fn is_framing(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TRAILER,
        header::TE,
    ]
    .contains(name)
        || name == "keep-alive"
        || name == "proxy-connection"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&'static str]) -> WasiBody {
        let frames = parts.iter().map(|part| Ok(http_body::Frame::data(Bytes::from_static(part.as_bytes()))));
        http_body_util::StreamBody::new(futures_util::stream::iter(frames.collect::<Vec<_>>())).boxed_unsync()
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        let read = |parts| read(body(parts), 4, PATIENCE);
        assert_eq!(read(&["ab", "cd"]).await.expect("four bytes"), "abcd");
        assert!(matches!(read(&["ab", "cde"]).await, Err(BadRequest::TooLarge { limit: 4 })));
        assert_eq!(read(&[]).await.expect("nothing"), "");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        const SHORT: Duration = Duration::from_millis(20);
        let silent = http_body_util::StreamBody::new(futures_util::stream::pending()).boxed_unsync();
        assert!(matches!(super::read(silent, 4, SHORT).await, Err(BadRequest::Slow(SHORT))));
    }

    fn response(headers: &[(&str, &str)], status: u16, body: &'static str) -> Result<Response<Bytes>, EventError> {
        let component = "c".parse().expect("an id");
        let mut response = WholeResponse::new(&component, 4);
        for (name, value) in headers {
            response.header(name.as_bytes(), value.as_bytes())?;
        }
        response.finish(status, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn headers_are_kept_in_order_and_those_of_the_connection_are_not() {
        let sent = [
            ("X-A", "1"),
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a"),
            ("x-a", "2"),
            ("set-cookie", "b"),
            ("x-b", "a\r\nx-evil: 1"),
            ("x c", ""),
            ("keep-alive", "1"),
        ];
        let response = response(&sent, 200, "body").expect("a response");
        let got: Vec<_> = response.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(got, [("x-a", &b"2"[..]), ("set-cookie", b"a"), ("set-cookie", b"b")]);
    }

    #[test]
    fn headers_have_a_limit_together() {
        let value = "x".repeat(LARGEST_HEAD / 2 - 1);
        assert!(response(&[("a", &value), ("b", &value)], 200, "").is_ok());
        let error = response(&[("a", &value), ("b", &value), ("c", "")], 200, "").expect_err("one byte more");
        assert!(error.to_string().contains("more than 131072 bytes"), "{error}");
    }

    #[test]
    fn only_a_status_of_a_response_is_one() {
        for status in [200, 404, 599, 600] {
            assert_eq!(response(&[], status, "").expect("a response").status(), status);
        }
        for status in [0, 99, 601, 1000, u16::MAX] {
            let error = response(&[], status, "").expect_err("no status");
            assert!(error.to_string().contains(&format!("status {status},")), "{error}");
        }
        assert!(response(&[], 200, "5 byt").expect_err("five").to_string().contains("more than 4 bytes"));
    }
}
