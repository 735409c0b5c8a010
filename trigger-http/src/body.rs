//! The bodies that the server reads from and writes to connections.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Incoming};
use spin_trigger_kit::http::{Progressing, Stalled};
use spin_trigger_kit::wasmtime_wasi_http::{Error, WasiBody};

use crate::current::Served;

/// A response's body: one made here, or one that a component streams.
pub type ResponseBody = Either<Full<Bytes>, Served<Progressing<WasiBody, ResponseError>>>;

/// A request's body as components take it: one that fails when the client sends nothing for `limit`.
pub fn for_component(body: Incoming, limit: Duration) -> WasiBody {
    Progressing::<_, Error>::new(body.map_err(Error::Hyper), limit).boxed_unsync()
}

/// A response's body as the component takes it that sent the request.
pub fn for_caller(body: ResponseBody) -> WasiBody {
    let cut = |error: Box<dyn std::error::Error + Send + Sync>| match error.downcast::<ResponseError>() {
        Ok(error) => match *error {
            ResponseError::Component(error) => error,
            ResponseError::Stalled(stalled) => stalled.into(),
        },
        Err(_) => Error::HttpResponseIncomplete,
    };
    body.map_err(cut).boxed_unsync()
}

/// Takes the body from a response that has none on the wire: to HEAD, and by its status (RFC 9110 §9.3.2, §15).
pub fn withhold(response: &mut Response<ResponseBody>, method: &Method) {
    let is_bodiless = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !is_bodiless && method != Method::HEAD {
        return;
    }
    let length = response.body().size_hint().exact().filter(|_| !is_bodiless);
    if let Some(length) = length {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert(length.into());
    }
    *response.body_mut() = Either::Left(Full::default());
}

/// Why the body of a response is cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The component failed.
    #[error(transparent)]
    Component(#[from] Error),
    /// The component forgot it.
    #[error(transparent)]
    Stalled(#[from] Stalled),
}
