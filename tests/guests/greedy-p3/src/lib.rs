//! A component for tests that exports `wasi:http/handler` of WASI 0.3 and asks for too much.

#[path = "../../greedy-shared/greed.rs"]
mod greed;

use greed::Greed;
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_future, wit_stream};

struct Greedy;
wasip3::http::service::export!(Greedy);

impl Guest for Greedy {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::new();
        let (greed, number) = greed::asked(&request.get_path_with_query().unwrap_or_default()).expect("a greedy path");
        let mut held = Vec::new();
        let mut size = 0;
        match greed {
            Greed::Headers => {
                for index in 0..number {
                    headers.append(&format!("x-{index}"), b"value").expect("room for another header");
                }
            }
            // Of the two kinds that this generation has: the host's, and those of the component model itself.
            Greed::Resources => {
                held.extend((0..number).map(|_| (Fields::new(), wit_stream::new::<u8>())));
            }
            Greed::Body => size = number,
        }
        let (mut writer, reader) = wit_stream::new();
        let (_no_trailers, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(reader), trailers);
        wasip3::wit_bindgen::spawn(async move {
            while size > 0 {
                let length = size.min(64 * 1024);
                if !writer.write_all(vec![b'x'; length]).await.is_empty() {
                    break;
                }
                size -= length;
            }
            drop(held);
        });
        Ok(response)
    }
}
