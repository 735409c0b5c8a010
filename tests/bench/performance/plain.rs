//! The other peer: hyper alone, answering the bytes that the components answer. This very program, called differently.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// What it is called with, before the address.
pub(crate) const ARGUMENT: &str = "--serve-plain";

/// What all servers answer.
pub(crate) const BODY: &str = "hello from a component\n";

/// Serves until it is ended.
pub(crate) fn serve(address: &str) {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let listener = TcpListener::bind(address).await.expect("a free port");
        println!("Serving {}", listener.local_addr().expect("it is bound"));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            stream.set_nodelay(true).expect("a socket");
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(hello));
            // A client that goes away is no failure.
            tokio::spawn(async move { drop(connection.await) });
        }
    });
}

async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = Response::builder().header("content-type", "text/plain");
    Ok(response.body(Full::new(Bytes::from_static(BODY.as_bytes()))).expect("a response"))
}
