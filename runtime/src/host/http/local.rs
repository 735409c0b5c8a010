//! Requests to the app itself and to its components, in this process.

use http::Uri;
use http::uri::PathAndQuery;
use http_body_util::BodyExt;
use wasmtime_wasi_http::Error;

use super::client::address_not_available;
use super::{ComponentHttp, Timeouts};
use crate::http::{Answering, Chained, EventContext, MAX_DEPTH, Progressing, Request, Response};

impl ComponentHttp {
    pub(super) async fn send_to_app(
        &self,
        mut request: Request,
        timeouts: Timeouts,
        event: &EventContext,
    ) -> Result<Response, Error> {
        let loopback = self.network.loopback().ok_or(Error::HttpRequestUriInvalid)?;
        self.nest(&mut request, event)?;
        // Whose host it is, only the trigger knows.
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        answer(loopback.to_app(request), timeouts).await
    }

    pub(super) async fn send_to_component(
        &self,
        component: &str,
        mut request: Request,
        timeouts: Timeouts,
        event: &EventContext,
    ) -> Result<Response, Error> {
        // Nobody serves these names on a network.
        let loopback = self.network.loopback().ok_or_else(address_not_available)?;
        self.nest(&mut request, event)?;
        match loopback.to_component(component, request) {
            Some(answering) => answer(answering, timeouts).await,
            None => {
                tracing::error!(
                    component = %self.component,
                    "request to http://{component}.spin.internal failed: the trigger runs no component of this name"
                );
                Err(Error::DestinationNotFound)
            }
        }
    }

    /// Marks a request as one from the app, or ends what would nest too deep.
    fn nest(&self, request: &mut Request, event: &EventContext) -> Result<(), Error> {
        if event.depth >= MAX_DEPTH {
            tracing::error!(
                component = %self.component,
                "request to {} refused: {MAX_DEPTH} requests of this app to itself are nested, which looks like a loop",
                request.uri()
            );
            return Err(Error::LoopDetected);
        }
        event.name(request.headers_mut());
        request.extensions_mut().insert(Chained { depth: event.depth + 1 });
        Ok(())
    }
}

async fn answer(answering: Answering<'_>, timeouts: Timeouts) -> Result<Response, Error> {
    match tokio::time::timeout(timeouts.first_byte, answering).await {
        Ok(response) => {
            Ok(response.map(|body| Progressing::<_, Error>::new(body, timeouts.between_bytes).boxed_unsync()))
        }
        Err(_) => Err(Error::ConnectionReadTimeout),
    }
}
