//! Requests that are refused whatever they are for, and connections that end after their answer.

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::limits;

/// Why a request goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// More headers than [`limits::HEADERS`].
    #[error("the request has more than {} headers", limits::HEADERS)]
    TooManyHeaders,
    /// The body is not only chunked. The library beneath undoes no other coding, so a component would get bytes that it
    /// takes for something else.
    #[error("the request's transfer coding is not `chunked`")]
    TransferCoding,
    /// It wants a tunnel, and this server is no proxy. A component that answered it with 200 would end HTTP.
    #[error("the request is a CONNECT")]
    Tunnel,
}

impl Refused {
    /// What the client is told.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refused::TransferCoding | Refused::Tunnel => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// Looks at what all requests must fulfil.
///
/// # Errors
/// See [`Refused`].
pub fn check<B>(request: &Request<B>) -> Result<(), Refused> {
    let headers = request.headers();
    if request.method() == Method::CONNECT {
        return Err(Refused::Tunnel);
    }
    if headers.len() > limits::HEADERS {
        return Err(Refused::TooManyHeaders);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refused::TransferCoding),
    }
}

/// What becomes of a connection after a request on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It serves on.
    Keep,
    /// It ends.
    Close,
}

impl Afterwards {
    /// A server must end a connection after a request with both `Transfer-Encoding` and `Content-Length`, because a proxy
    /// before it may have understood the latter (RFC 9112, 6.1). The library beneath hides that there were both, so the
    /// connection ends after every request that is chunked. After a CONNECT, what follows may not be HTTP.
    pub fn of<B>(request: &Request<B>) -> Self {
        let unclear = request.headers().contains_key(TRANSFER_ENCODING) || request.method() == Method::CONNECT;
        match request.version() <= Version::HTTP_11 && unclear {
            true => Self::Close,
            false => Self::Keep,
        }
    }

    /// Says so with the response.
    pub fn say<B>(self, response: &mut Response<B>) {
        if self == Self::Close {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, values: &[&'static str]) -> Request<()> {
        let mut request = Request::new(());
        for value in values {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn only_chunked_and_only_once() {
        for (codings, expected) in [
            (&[][..], Ok(())),
            (&["chunked"], Ok(())),
            (&["Chunked"], Ok(())),
            (&["gzip, chunked"], Err(Refused::TransferCoding)),
            (&["identity"], Err(Refused::TransferCoding)),
            (&["chunked", "chunked"], Err(Refused::TransferCoding)),
        ] {
            assert_eq!(check(&with("transfer-encoding", codings)), expected, "{codings:?}");
        }
    }

    #[test]
    fn headers_are_counted_with_their_repetitions() {
        assert_eq!(check(&with("a", &[""; limits::HEADERS])), Ok(()));
        assert_eq!(check(&with("a", &[""; limits::HEADERS + 1])), Err(Refused::TooManyHeaders));
    }

    #[test]
    fn a_connection_ends_where_its_next_request_is_unclear() {
        assert_eq!(Afterwards::of(&with("content-length", &["5"])), Afterwards::Keep);
        let mut chunked = with("transfer-encoding", &["chunked"]);
        assert_eq!(Afterwards::of(&chunked), Afterwards::Close);
        *chunked.version_mut() = Version::HTTP_2;
        assert_eq!(Afterwards::of(&chunked), Afterwards::Keep);
        let mut tunnel = with("a", &[]);
        *tunnel.method_mut() = Method::CONNECT;
        assert_eq!((check(&tunnel), Afterwards::of(&tunnel)), (Err(Refused::Tunnel), Afterwards::Close));
    }
}
