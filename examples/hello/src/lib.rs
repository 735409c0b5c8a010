//! The smallest useful app: it answers every request with a greeting.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Hello;
wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::new();
        let plain_text = [b"text/plain".to_vec()];
        headers.set("content-type", &plain_text).expect("a valid header");

        let (mut body, body_reader) = wit_stream::new();
        let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(body_reader), trailers);

        // The body is read after this function has returned: a task of its own writes it.
        wit_bindgen::spawn(async move {
            body.write_all(b"hello from a component\n".to_vec()).await;
        });
        Ok(response)
    }
}
