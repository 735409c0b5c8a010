//! A component for tests that exports `wasi:http/incoming-handler` of WASI 0.2 and asks for too much.

#[path = "../../greedy-shared/greed.rs"]
mod greed;

use greed::Greed;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Greedy;
wasip2::http::proxy::export!(Greedy);

impl Guest for Greedy {
    fn handle(request: IncomingRequest, outparam: ResponseOutparam) {
        let headers = Fields::new();
        let (greed, number) = greed::asked(&request.path_with_query().unwrap_or_default()).expect("a greedy path");
        let mut held = Vec::new();
        let mut size = 0;
        match greed {
            Greed::Headers => {
                for index in 0..number {
                    headers.append(&format!("x-{index}"), b"value").expect("room for another header");
                }
            }
            Greed::Resources => held.extend((0..number).map(|_| Fields::new())),
            Greed::Body => size = number,
        }
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(outparam, Ok(response));
        let writer = body.write().expect("the stream is taken once");
        let part = [b'x'; 4096];
        while size > 0 {
            let length = size.min(part.len());
            if writer.blocking_write_and_flush(&part[..length]).is_err() {
                return;
            }
            size -= length;
        }
        drop(writer);
        let _ = OutgoingBody::finish(body, None);
        drop(held);
    }
}
