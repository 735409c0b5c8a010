//! `wasi:http/types` and `outgoing-handler` of the two snapshots of 2023, by the functions of the release.
//!
//! November's types are the release's but for the trailers of a body. October's are older: what can fail in the release could
//! not then, so a guest that sets a header that isn't one traps; and there are four errors, of which the last tells all that
//! the others can't.

use wasmtime::component::{ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi::p2::bindings::io::streams;
use wasmtime_wasi_http::p2::bindings::http::types::{
    self, ErrorCode, FutureIncomingResponse, FutureTrailers, Host as _, HostFields, HostFutureIncomingResponse,
    HostFutureTrailers, HostIncomingBody, HostIncomingRequest, HostIncomingResponse, HostOutgoingBody,
    HostOutgoingRequest, HostOutgoingResponse, HostRequestOptions, HostResponseOutparam, IncomingBody, IncomingRequest,
    IncomingResponse, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, ResponseOutparam,
    Scheme,
};
use wasmtime_wasi_http::p2::{self, HeaderResult, HttpError};
use wasmtime_wasi_http::{WasiHttpCtxView, WasiHttpView as _};

use crate::host::wasi::told;
use crate::instance::HostState;

type Fields = Resource<types::Fields>;
type Store<'a> = StoreContextMut<'a, HostState>;
type Types<'a> = LinkerInstance<'a, HostState>;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut november = linker.instance("wasi:http/types@0.2.0-rc-2023-11-10")?;
    of_both(&mut november)?;
    november_messages(&mut november)?;
    november_options(&mut november)?;
    let mut october = linker.instance("wasi:http/types@0.2.0-rc-2023-10-18")?;
    of_both(&mut october)?;
    october_messages(&mut october)?;
    let mut handler = linker.instance("wasi:http/outgoing-handler@0.2.0-rc-2023-10-18")?;
    handler.func_wrap("handle", october_handle)
}

/// Links functions that are as in the release and have a result.
macro_rules! functions {
    ($types:ident: $($name:literal => $of:ident::$function:ident($($argument:ident: $ty:ty),*);)*) => {$(
        $types.func_wrap($name, |mut store: Store<'_>, ($($argument,)*): ($($ty,)*)| {
            Ok(($of::$function(&mut store.data_mut().http(), $($argument),*)?,))
        })?;
    )*};
}

/// Links functions that change headers, as in the release: what they refuse is their result.
macro_rules! headers {
    ($types:ident: $($name:literal => $function:ident($($argument:ident: $ty:ty),*);)*) => {$(
        $types.func_wrap($name, |mut store: Store<'_>, ($($argument,)*): ($($ty,)*)| {
            told(HostFields::$function(&mut store.data_mut().http(), $($argument),*), p2::HeaderError::downcast)
        })?;
    )*};
}

fn resource<T: 'static>(
    types: &mut Types<'_>,
    name: &str,
    drop: fn(&mut WasiHttpCtxView<'_>, Resource<T>) -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    types.resource(name, ResourceType::host::<T>(), move |mut store, rep| {
        drop(&mut store.data_mut().http(), Resource::new_own(rep))
    })
}

fn of_both(types: &mut Types<'_>) -> wasmtime::Result<()> {
    resource::<types::Fields>(types, "fields", |view, own| HostFields::drop(view, own))?;
    resource::<IncomingRequest>(types, "incoming-request", |view, own| HostIncomingRequest::drop(view, own))?;
    resource::<OutgoingRequest>(types, "outgoing-request", |view, own| HostOutgoingRequest::drop(view, own))?;
    resource::<ResponseOutparam>(types, "response-outparam", |view, own| HostResponseOutparam::drop(view, own))?;
    resource::<IncomingResponse>(types, "incoming-response", |view, own| HostIncomingResponse::drop(view, own))?;
    resource::<IncomingBody>(types, "incoming-body", |view, own| HostIncomingBody::drop(view, own))?;
    resource::<FutureTrailers>(types, "future-trailers", |view, own| HostFutureTrailers::drop(view, own))?;
    resource::<OutgoingResponse>(types, "outgoing-response", |view, own| HostOutgoingResponse::drop(view, own))?;
    resource::<OutgoingBody>(types, "outgoing-body", |view, own| HostOutgoingBody::drop(view, own))?;
    resource::<FutureIncomingResponse>(types, "future-incoming-response", |view, own| {
        HostFutureIncomingResponse::drop(view, own)
    })?;
    functions! { types:
        "[method]fields.get" => HostFields::get(own: Fields, name: String);
        "[method]fields.entries" => HostFields::entries(own: Fields);
        "[method]fields.clone" => HostFields::clone(own: Fields);
        "[method]incoming-request.method" => HostIncomingRequest::method(own: Resource<IncomingRequest>);
        "[method]incoming-request.path-with-query" =>
            HostIncomingRequest::path_with_query(own: Resource<IncomingRequest>);
        "[method]incoming-request.scheme" => HostIncomingRequest::scheme(own: Resource<IncomingRequest>);
        "[method]incoming-request.authority" => HostIncomingRequest::authority(own: Resource<IncomingRequest>);
        "[method]incoming-request.headers" => HostIncomingRequest::headers(own: Resource<IncomingRequest>);
        "[method]incoming-request.consume" => HostIncomingRequest::consume(own: Resource<IncomingRequest>);
        "[method]incoming-response.status" => HostIncomingResponse::status(own: Resource<IncomingResponse>);
        "[method]incoming-response.headers" => HostIncomingResponse::headers(own: Resource<IncomingResponse>);
        "[method]incoming-response.consume" => HostIncomingResponse::consume(own: Resource<IncomingResponse>);
        "[method]incoming-body.stream" => HostIncomingBody::stream(own: Resource<IncomingBody>);
        "[static]incoming-body.finish" => HostIncomingBody::finish(own: Resource<IncomingBody>);
        "[method]future-trailers.subscribe" => HostFutureTrailers::subscribe(own: Resource<FutureTrailers>);
        "[method]outgoing-body.write" => HostOutgoingBody::write(own: Resource<OutgoingBody>);
        "[method]future-incoming-response.subscribe" =>
            HostFutureIncomingResponse::subscribe(own: Resource<FutureIncomingResponse>);
    }
    Ok(())
}

fn november_messages(types: &mut Types<'_>) -> wasmtime::Result<()> {
    functions! { types:
        "[constructor]fields" => HostFields::new();
        "[constructor]outgoing-request" => HostOutgoingRequest::new(headers: Fields);
        "[method]outgoing-request.body" => HostOutgoingRequest::body(own: Resource<OutgoingRequest>);
        "[method]outgoing-request.method" => HostOutgoingRequest::method(own: Resource<OutgoingRequest>);
        "[method]outgoing-request.set-method" =>
            HostOutgoingRequest::set_method(own: Resource<OutgoingRequest>, method: Method);
        "[method]outgoing-request.path-with-query" =>
            HostOutgoingRequest::path_with_query(own: Resource<OutgoingRequest>);
        "[method]outgoing-request.set-path-with-query" =>
            HostOutgoingRequest::set_path_with_query(own: Resource<OutgoingRequest>, path: Option<String>);
        "[method]outgoing-request.scheme" => HostOutgoingRequest::scheme(own: Resource<OutgoingRequest>);
        "[method]outgoing-request.set-scheme" =>
            HostOutgoingRequest::set_scheme(own: Resource<OutgoingRequest>, scheme: Option<Scheme>);
        "[method]outgoing-request.authority" => HostOutgoingRequest::authority(own: Resource<OutgoingRequest>);
        "[method]outgoing-request.set-authority" =>
            HostOutgoingRequest::set_authority(own: Resource<OutgoingRequest>, authority: Option<String>);
        "[method]outgoing-request.headers" => HostOutgoingRequest::headers(own: Resource<OutgoingRequest>);
        "[constructor]outgoing-response" => HostOutgoingResponse::new(headers: Fields);
        "[method]outgoing-response.status-code" => HostOutgoingResponse::status_code(own: Resource<OutgoingResponse>);
        "[method]outgoing-response.set-status-code" =>
            HostOutgoingResponse::set_status_code(own: Resource<OutgoingResponse>, status: u16);
        "[method]outgoing-response.headers" => HostOutgoingResponse::headers(own: Resource<OutgoingResponse>);
        "[method]outgoing-response.body" => HostOutgoingResponse::body(own: Resource<OutgoingResponse>);
        "[method]future-incoming-response.get" =>
            HostFutureIncomingResponse::get(own: Resource<FutureIncomingResponse>);
    }
    headers! { types:
        "[static]fields.from-list" => from_list(entries: Vec<(String, Vec<u8>)>);
        "[method]fields.set" => set(own: Fields, name: String, values: Vec<Vec<u8>>);
        "[method]fields.delete" => delete(own: Fields, name: String);
        "[method]fields.append" => append(own: Fields, name: String, value: Vec<u8>);
    }
    types.func_wrap("[method]future-trailers.get", |mut store: Store<'_>, (own,): (Resource<FutureTrailers>,)| {
        Ok((trailers(&mut store.data_mut().http(), own)?,))
    })?;
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store: Store<'_>, (own, trailers): (Resource<OutgoingBody>, Option<Fields>)| {
            told(HostOutgoingBody::finish(&mut store.data_mut().http(), own, trailers), HttpError::downcast)
        },
    )?;
    types.func_wrap(
        "[static]response-outparam.set",
        |mut store: Store<'_>,
         (own, response): (Resource<ResponseOutparam>, Result<Resource<OutgoingResponse>, ErrorCode>)| {
            HostResponseOutparam::set(&mut store.data_mut().http(), own, response)
        },
    )?;
    types.func_wrap("http-error-code", |mut store: Store<'_>, (error,): (Resource<streams::Error>,)| {
        Ok((store.data_mut().http().http_error_code(error)?,))
    })
}

fn november_options(types: &mut Types<'_>) -> wasmtime::Result<()> {
    resource::<RequestOptions>(types, "request-options", |view, own| HostRequestOptions::drop(view, own))?;
    type Own = Resource<RequestOptions>;
    functions! { types:
        "[constructor]request-options" => HostRequestOptions::new();
        "[method]request-options.connect-timeout-ms" => HostRequestOptions::connect_timeout(own: Own);
        "[method]request-options.set-connect-timeout-ms" =>
            HostRequestOptions::set_connect_timeout(own: Own, timeout: Option<u64>);
        "[method]request-options.first-byte-timeout-ms" => HostRequestOptions::first_byte_timeout(own: Own);
        "[method]request-options.set-first-byte-timeout-ms" =>
            HostRequestOptions::set_first_byte_timeout(own: Own, timeout: Option<u64>);
        "[method]request-options.between-bytes-timeout-ms" => HostRequestOptions::between_bytes_timeout(own: Own);
        "[method]request-options.set-between-bytes-timeout-ms" =>
            HostRequestOptions::set_between_bytes_timeout(own: Own, timeout: Option<u64>);
    }
    Ok(())
}

/// The trailers of a body, once they are there. In the snapshots they can be asked for again, which is answered as a failure.
fn trailers(
    view: &mut WasiHttpCtxView<'_>,
    own: Resource<FutureTrailers>,
) -> wasmtime::Result<Option<Result<Option<Fields>, ErrorCode>>> {
    let taken = || Err(ErrorCode::InternalError(Some("the trailers were taken before".to_owned())));
    Ok(HostFutureTrailers::get(view, own)?.map(|found| found.unwrap_or_else(|()| taken())))
}

/// October's errors.
#[derive(Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "invalid-url")]
    InvalidUrl(String),
    #[component(name = "timeout-error")]
    Timeout(String),
    #[component(name = "protocol-error")]
    Protocol(String),
    #[component(name = "unexpected-error")]
    Unexpected(String),
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        let text = format!("{code:?}");
        match code {
            ErrorCode::HttpRequestUriInvalid => Self::InvalidUrl(text),
            ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout => Self::Timeout(text),
            ErrorCode::HttpProtocolError => Self::Protocol(text),
            _ => Self::Unexpected(text),
        }
    }
}

impl From<Error> for ErrorCode {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidUrl(_) => Self::HttpRequestUriInvalid,
            Error::Timeout(_) => Self::HttpResponseTimeout,
            Error::Protocol(_) => Self::HttpProtocolError,
            Error::Unexpected(text) => Self::InternalError(Some(text)),
        }
    }
}

fn october_messages(types: &mut Types<'_>) -> wasmtime::Result<()> {
    functions! { types:
        "[method]outgoing-request.write" => HostOutgoingRequest::body(own: Resource<OutgoingRequest>);
        "[method]outgoing-response.write" => HostOutgoingResponse::body(own: Resource<OutgoingResponse>);
    }
    types.func_wrap("[constructor]fields", |mut store: Store<'_>, (entries,): (Vec<(String, Vec<u8>)>,)| {
        Ok((sure(HostFields::from_list(&mut store.data_mut().http(), entries))?,))
    })?;
    types.func_wrap(
        "[method]fields.set",
        |mut store: Store<'_>, (own, name, values): (Fields, String, Vec<Vec<u8>>)| {
            sure(HostFields::set(&mut store.data_mut().http(), own, name, values))
        },
    )?;
    types.func_wrap("[method]fields.delete", |mut store: Store<'_>, (own, name): (Fields, String)| {
        sure(HostFields::delete(&mut store.data_mut().http(), own, name))
    })?;
    types.func_wrap(
        "[method]fields.append",
        |mut store: Store<'_>, (own, name, value): (Fields, String, Vec<u8>)| {
            sure(HostFields::append(&mut store.data_mut().http(), own, name, value))
        },
    )?;
    types.func_wrap("[constructor]outgoing-request", october_request)?;
    types.func_wrap("[constructor]outgoing-response", |mut store: Store<'_>, (status, headers): (u16, Fields)| {
        let mut view = store.data_mut().http();
        let headers = HostFields::clone(&mut view, headers)?;
        let response = HostOutgoingResponse::new(&mut view, headers)?;
        let own = Resource::new_own(response.rep());
        taken(HostOutgoingResponse::set_status_code(&mut view, own, status)?, "status", status)?;
        Ok((response,))
    })?;
    types.func_wrap(
        "[static]response-outparam.set",
        |mut store: Store<'_>,
         (own, response): (Resource<ResponseOutparam>, Result<Resource<OutgoingResponse>, Error>)| {
            HostResponseOutparam::set(&mut store.data_mut().http(), own, response.map_err(ErrorCode::from))
        },
    )?;
    types.func_wrap("[method]future-trailers.get", |mut store: Store<'_>, (own,): (Resource<FutureTrailers>,)| {
        let mut view = store.data_mut().http();
        // A body had trailers then, if none at all.
        let found = match trailers(&mut view, own)? {
            None => None,
            Some(Ok(Some(fields))) => Some(Ok(fields)),
            Some(Ok(None)) => Some(Ok(HostFields::new(&mut view)?)),
            Some(Err(code)) => Some(Err(Error::from(code))),
        };
        Ok((found,))
    })?;
    types.func_wrap(
        "[static]outgoing-body.finish",
        |mut store: Store<'_>, (own, trailers): (Resource<OutgoingBody>, Option<Fields>)| {
            Ok(HostOutgoingBody::finish(&mut store.data_mut().http(), own, trailers)?)
        },
    )?;
    types.func_wrap(
        "[method]future-incoming-response.get",
        |mut store: Store<'_>, (own,): (Resource<FutureIncomingResponse>,)| {
            let found = HostFutureIncomingResponse::get(&mut store.data_mut().http(), own)?;
            Ok((found.map(|once| once.map(|response| response.map_err(Error::from))),))
        },
    )
}

/// Traps where a guest's headers are refused.
fn sure<T>(result: HeaderResult<T>) -> wasmtime::Result<T> {
    result.map_err(|error| match error.downcast() {
        Ok(refusal) => wasmtime::format_err!("the host refuses these headers: {refusal:?}"),
        Err(trap) => trap,
    })
}

/// Traps where a guest sets something that isn't what it should be.
fn taken<T: std::fmt::Debug>(result: Result<(), ()>, what: &str, value: T) -> wasmtime::Result<()> {
    result.map_err(|()| wasmtime::format_err!("{value:?} is no {what}"))
}

type RequestParts = (Method, Option<String>, Option<Scheme>, Option<String>, Fields);

fn october_request(
    mut store: Store<'_>,
    (method, path, scheme, authority, headers): RequestParts,
) -> wasmtime::Result<(Resource<OutgoingRequest>,)> {
    let mut view = store.data_mut().http();
    let headers = HostFields::clone(&mut view, headers)?;
    let request = HostOutgoingRequest::new(&mut view, headers)?;
    let own = || Resource::new_own(request.rep());
    taken(HostOutgoingRequest::set_method(&mut view, own(), method.clone())?, "method", method)?;
    taken(HostOutgoingRequest::set_path_with_query(&mut view, own(), path.clone())?, "path", path)?;
    taken(HostOutgoingRequest::set_scheme(&mut view, own(), scheme.clone())?, "scheme", scheme)?;
    taken(HostOutgoingRequest::set_authority(&mut view, own(), authority.clone())?, "authority", authority)?;
    Ok((request,))
}

/// October's options of a request, in milliseconds.
#[derive(ComponentType, Lift)]
#[component(record)]
struct OctoberOptions {
    #[component(name = "connect-timeout-ms")]
    connect: Option<u32>,
    #[component(name = "first-byte-timeout-ms")]
    first_byte: Option<u32>,
    #[component(name = "between-bytes-timeout-ms")]
    between_bytes: Option<u32>,
}

impl From<OctoberOptions> for RequestOptions {
    fn from(options: OctoberOptions) -> Self {
        let duration = |milliseconds: Option<u32>| Some(std::time::Duration::from_millis(milliseconds?.into()));
        Self {
            connect_timeout: duration(options.connect),
            first_byte_timeout: duration(options.first_byte),
            between_bytes_timeout: duration(options.between_bytes),
        }
    }
}

type Handled = Result<Resource<FutureIncomingResponse>, Error>;

fn october_handle(
    mut store: Store<'_>,
    (request, options): (Resource<OutgoingRequest>, Option<OctoberOptions>),
) -> wasmtime::Result<(Handled,)> {
    let options = options.map(|options| store.data_mut().table.push(RequestOptions::from(options))).transpose()?;
    let lent = options.as_ref().map(|options| Resource::new_own(options.rep()));
    let handled = super::imports::handle(store.as_context_mut(), request, lent)?;
    if let Some(options) = options {
        store.data_mut().table.delete(options)?;
    }
    Ok((handled.map_err(Error::from),))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_october_tell_as_much_as_they_can() {
        let of = |code: ErrorCode| Error::from(code);
        assert_eq!(of(ErrorCode::DnsTimeout), Error::Timeout("ErrorCode::DnsTimeout".to_owned()));
        assert!(
            matches!(of(ErrorCode::HttpRequestDenied), Error::Unexpected(text) if text.contains("HttpRequestDenied"))
        );
        assert!(matches!(of(ErrorCode::HttpRequestUriInvalid), Error::InvalidUrl(_)));
        assert!(matches!(of(ErrorCode::HttpProtocolError), Error::Protocol(_)));
    }
}
