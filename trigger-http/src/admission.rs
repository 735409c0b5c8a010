//! Requests that are refused whatever they are for, and connections that end after their answer.

use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};

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
}

impl Refused {
    /// What the client is told.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Refused::TransferCoding => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// Looks at what all requests must fulfil.
///
/// # Errors
/// See [`Refused`].
pub fn check(headers: &HeaderMap) -> Result<(), Refused> {
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
    /// connection ends after every request that is chunked.
    pub fn of<B>(request: &Request<B>) -> Self {
        match request.version() <= Version::HTTP_11 && request.headers().contains_key(TRANSFER_ENCODING) {
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
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(TRANSFER_ENCODING, HeaderValue::from_static(coding));
            }
            assert_eq!(check(&headers), expected, "{codings:?}");
        }
    }

    #[test]
    fn headers_are_counted_with_their_repetitions() {
        let mut headers = HeaderMap::new();
        for _ in 0..limits::HEADERS {
            headers.append("a", HeaderValue::from_static(""));
        }
        assert_eq!(check(&headers), Ok(()));
        headers.append("a", HeaderValue::from_static(""));
        assert_eq!(check(&headers), Err(Refused::TooManyHeaders));
    }
}
