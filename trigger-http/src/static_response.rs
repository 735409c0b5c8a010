//! Responses that stand in the manifest and are sent without running a component.
//!
//! Everything that could go wrong is found when the app starts, so that answering cannot fail.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use spin_trigger_kit::http::is_framing;

/// `static_response` as written.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct StaticResponse {
    /// The status; 200 if absent.
    #[serde(default = "ok")]
    pub status_code: u16,
    /// Headers, in the order given.
    #[serde(default, deserialize_with = "ordered")]
    pub headers: Vec<(String, String)>,
    /// The body; empty if absent.
    pub body: Option<String>,
}

/// A static response that is ready to be sent.
#[derive(Clone, Debug)]
pub struct PreparedResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Why a static response cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticResponseError {
    /// Not the status of a response.
    #[error("status_code {0} is not the status of a response; use one from 200 to 999")]
    Status(u16),
    /// Not a header's name.
    #[error("`{0}` is not a valid header name")]
    HeaderName(String),
    /// Not a header's value.
    #[error("the value of header `{0}` has a character that headers cannot have")]
    HeaderValue(String),
    /// A header that says how the message is framed, which only the server knows.
    #[error("header `{0}` is set by the server and cannot be given")]
    Framing(HeaderName),
}

fn ok() -> u16 {
    200
}

impl StaticResponse {
    /// Checks it and makes it ready.
    pub fn prepare(&self) -> Result<PreparedResponse, StaticResponseError> {
        let status = StatusCode::from_u16(self.status_code)
            .ok()
            .filter(|status| !status.is_informational())
            .ok_or(StaticResponseError::Status(self.status_code))?;
        let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let body = match &self.body {
            Some(body) if !bodiless => Bytes::from(body.clone()),
            _ => Bytes::new(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let header: HeaderName = name.parse().map_err(|_invalid| StaticResponseError::HeaderName(name.clone()))?;
            if header == header::CONTENT_LENGTH && *value == body.len().to_string() {
                continue; // right, and the server says it anyway
            }
            if is_framing(&header) {
                return Err(StaticResponseError::Framing(header));
            }
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_invalid| StaticResponseError::HeaderValue(name.clone()))?;
            headers.append(header, value);
        }
        Ok(PreparedResponse { status, headers, body })
    }
}

impl PreparedResponse {
    /// The response, the same for every method and path.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// A table as a list, in its own order.
fn ordered<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Ordered;

    impl<'de> Visitor<'de> for Ordered {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table of header names and values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut headers = Vec::new();
            while let Some(header) = map.next_entry()? {
                headers.push(header);
            }
            Ok(headers)
        }
    }

    deserializer.deserialize_map(Ordered)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn prepare(json: &str) -> Result<Response<Bytes>, String> {
        let config: StaticResponse = serde_json::from_str(json).map_err(|error| error.to_string())?;
        config.prepare().map(|ready| ready.response()).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_has_a_default() {
        let response = prepare("{}").unwrap();
        assert_eq!(response.status(), 200);
        assert!(response.headers().is_empty());
        assert!(response.body().is_empty());
    }

    #[test]
    fn a_redirect_with_headers_and_a_body() {
        let response =
            prepare(r#"{"status_code":302,"headers":{"Location":"/new","X-A":"é"},"body":"moved"}"#).unwrap();
        assert_eq!(response.status(), 302);
        assert_eq!(response.headers()["location"], "/new");
        assert_eq!(response.headers()["x-a"].as_bytes(), "é".as_bytes());
        assert_eq!(*response.body(), "moved");
    }

    #[test]
    fn framing_is_the_servers_business() {
        let response = prepare(r#"{"headers":{"content-length":"2"},"body":"ok"}"#).unwrap();
        assert!(response.headers().is_empty());
        let message = prepare(r#"{"headers":{"content-length":"3"},"body":"ok"}"#).unwrap_err();
        assert_eq!(message, "header `content-length` is set by the server and cannot be given");
        assert!(prepare(r#"{"headers":{"Transfer-Encoding":"chunked"}}"#).is_err());
        assert!(prepare(r#"{"status_code":204,"body":"x"}"#).unwrap().body().is_empty());
    }

    #[test]
    fn what_could_not_be_sent_is_refused_at_start() {
        for status in ["0", "99", "100", "101", "1000"] {
            let message = prepare(&format!(r#"{{"status_code":{status}}}"#)).unwrap_err();
            assert!(message.starts_with(&format!("status_code {status} is not")), "{message}");
        }
        assert_eq!(prepare(r#"{"headers":{"a b":"x"}}"#).unwrap_err(), "`a b` is not a valid header name");
        let message = prepare(r#"{"headers":{"a":"x\r\ny: z"}}"#).unwrap_err();
        assert!(message.starts_with("the value of header `a`"), "{message}");
        assert!(prepare(r#"{"stauts_code":200}"#).unwrap_err().contains("unknown field `stauts_code`"));
        assert!(prepare(r#"{"headers":["a"]}"#).unwrap_err().contains("expected a table of header names and values"));
    }
}
