//! What `examples/hello` answers, by `wasi:http/incoming-handler` of WASI 0.2: for measurements.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Hello;
wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(_request: IncomingRequest, outparam: ResponseOutparam) {
        let headers = Fields::new();
        headers.set("content-type", &[b"text/plain".to_vec()]).expect("a valid header");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("it is asked for once");
        ResponseOutparam::set(outparam, Ok(response));
        let stream = body.write().expect("it is asked for once");
        stream.blocking_write_and_flush(b"hello from a component\n").expect("somebody reads it");
        drop(stream);
        OutgoingBody::finish(body, None).expect("it is whole");
    }
}
