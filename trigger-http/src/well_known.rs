//! The paths that the trigger answers itself, whatever the app's routes are.

use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Bytes;
use serde::Serialize;

/// Everything below it is reserved.
pub const PREFIX: &str = "/.well-known/spin/";

/// The answers, made once.
#[derive(Clone, Debug)]
pub struct WellKnown {
    info: Bytes,
}

/// What `info` tells about the app.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AppInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// The digest of the image that it came from, if it came from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oci_image_digest: Option<&'a str>,
}

impl WellKnown {
    /// Prepares the answers.
    pub fn new(app: AppInfo<'_>) -> Self {
        let info = serde_json::to_vec_pretty(&app).expect("a struct of strings is always valid JSON");
        WellKnown { info: info.into() }
    }

    /// The answer, for any method, if the path is reserved.
    pub fn answer(&self, path: &str) -> Option<Response<Bytes>> {
        let mut response = Response::new(Bytes::new());
        match path.strip_prefix(PREFIX)? {
            "health" => *response.body_mut() = Bytes::from_static(b"OK"),
            "info" => {
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                *response.body_mut() = self.info.clone();
            }
            _ => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn well_known() -> WellKnown {
        WellKnown::new(AppInfo { name: "app", version: Some("1.0"), oci_image_digest: None })
    }

    #[test]
    fn health_says_ok_without_a_content_type() {
        let response = well_known().answer("/.well-known/spin/health").unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(*response.body(), "OK");
        assert!(response.headers().is_empty());
    }

    #[test]
    fn info_names_the_app() {
        let response = well_known().answer("/.well-known/spin/info").unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(*response.body(), "{\n  \"name\": \"app\",\n  \"version\": \"1.0\"\n}");
        let from_image = WellKnown::new(AppInfo { name: "a", version: None, oci_image_digest: Some("sha256:00") });
        let body = from_image.answer("/.well-known/spin/info").unwrap().into_body();
        assert_eq!(body, "{\n  \"name\": \"a\",\n  \"oci_image_digest\": \"sha256:00\"\n}");
    }

    #[test]
    fn the_rest_below_the_prefix_is_not_found_and_all_else_is_not_ours() {
        for path in ["/.well-known/spin/", "/.well-known/spin/health/", "/.well-known/spin/x"] {
            assert_eq!(well_known().answer(path).unwrap().status(), 404, "{path}");
        }
        for path in ["/", "/.well-known/spin", "/.well-known/other", "//.well-known/spin/health"] {
            assert!(well_known().answer(path).is_none(), "{path}");
        }
    }
}
