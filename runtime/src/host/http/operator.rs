//! Requests to servers that the operator of an app names: what components may reach has no say about them.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use serde::Serialize;
use wasmtime_wasi_http::Error;

use super::client::HttpClient;
use super::{HttpOptions, Timeouts};
use crate::host::egress::{Egress, EgressOptions};
use crate::http::Response;

/// How much of a server's own words is told, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// A client that is made when the first request is sent.
#[derive(Default)]
pub(crate) struct OperatorClient(OnceLock<HttpClient>);

/// Where a server is, for messages that guests see too: an address may hold a password.
pub(crate) fn origin(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| "the server".to_owned(), |url| url.origin().ascii_serialization())
}

/// What is wrong with JSON that a server sent. It tells where, but not what stands there, as the error would: that may be
/// long, and repeat a token.
pub(crate) fn not_understood(error: &serde_json::Error) -> String {
    format!("the answer is not one of the protocol (line {}, column {})", error.line(), error.column())
}

/// A server's whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    /// Reads a body of at most `longest` bytes.
    pub(crate) async fn read(response: Response, longest: usize) -> Result<Self, NoAnswer> {
        let status = response.status();
        let body = Limited::new(response.into_body(), longest).collect().await;
        let body = body.map_err(|error| match error.downcast::<Error>() {
            Ok(error) => NoAnswer::Failed(*error),
            Err(error) if error.is::<LengthLimitError>() => NoAnswer::TooLong(longest),
            Err(error) => NoAnswer::Failed(Error::InternalError(Some(error.to_string()))),
        })?;
        Ok(Self { status, body: body.to_bytes() })
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// It has more bytes than were asked for.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    /// There is no request to be sent.
    #[error("{0}")]
    Unasked(String),
    /// The connection or the exchange failed.
    #[error("{0}")]
    Failed(Error),
}

/// How long a server may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// To a connection.
    pub(crate) connect: Duration,
    /// To the answer's head, and then between two parts of it.
    pub(crate) answer: Duration,
}

impl OperatorClient {
    /// Sends a request and reads its answer, of at most `longest` bytes.
    pub(crate) async fn send(
        &self,
        request: http::Request<Bytes>,
        patience: Patience,
        longest: usize,
    ) -> Result<Answer, NoAnswer> {
        Answer::read(self.begin(request, patience).await?, longest).await
    }

    /// Sends a request. The answer's body is still to be read.
    async fn begin(&self, request: http::Request<Bytes>, patience: Patience) -> Result<Response, NoAnswer> {
        let timeouts =
            Timeouts { connect: patience.connect, first_byte: patience.answer, between_bytes: patience.answer };
        let client = self.0.get_or_init(|| {
            HttpClient::new(Arc::new(Egress::new(&EgressOptions::default())), &HttpOptions::default(), None)
        });
        let request = request.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
        client.send(request, timeouts).await.map_err(NoAnswer::Failed)
    }
}

/// A server that is asked in JSON, below one address.
pub(crate) struct JsonServer {
    url: String,
    origin: String,
    /// What stands in front of the token where the server looks for it.
    scheme: &'static str,
    token: String,
    client: Arc<OperatorClient>,
}

impl JsonServer {
    /// Connects to nobody yet. The token is empty if the server doesn't ask for one.
    pub(crate) fn new(url: &str, scheme: &'static str, token: &str, client: Arc<OperatorClient>) -> Self {
        let (url, origin) = (url.trim_end_matches('/').to_owned(), origin(url));
        Self { url, origin, scheme, token: token.to_owned(), client }
    }

    /// Its address, without the slash that could end it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Posts a question, and reads the answer, of at most `longest` bytes.
    pub(crate) async fn ask(
        &self,
        url: &str,
        question: &impl Serialize,
        patience: Patience,
        longest: usize,
    ) -> Result<Answer, NoAnswer> {
        Answer::read(self.begin(url, question, patience).await?, longest).await
    }

    /// Posts a question. The answer's body is still to be read.
    pub(crate) async fn begin(
        &self,
        url: &str,
        question: &impl Serialize,
        patience: Patience,
    ) -> Result<Response, NoAnswer> {
        let unasked = |reason: &dyn std::fmt::Display| NoAnswer::Unasked(reason.to_string());
        let body = serde_json::to_vec(question).map_err(|error| unasked(&error))?;
        let mut request = http::Request::post(url).header(CONTENT_TYPE, "application/json");
        if !self.token.is_empty() {
            let value = HeaderValue::from_str(&format!("{} {}", self.scheme, self.token));
            let mut value = value.map_err(|_| unasked(&"the token holds characters that no token has"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| unasked(&error))?;
        self.client.begin(request, patience).await
    }

    /// Whether that is the same server, to which the token may go.
    pub(crate) fn is_at(&self, url: &str) -> bool {
        origin(url) == self.origin
    }

    /// What went wrong, with where.
    pub(crate) fn failed(&self, reason: &dyn std::fmt::Display) -> String {
        format!("{}: {reason}", self.origin)
    }

    /// A server's own words, for messages that guests see too: the beginning of them, and without the token.
    pub(crate) fn said(&self, message: String) -> String {
        // First as a whole: a token that is cut would be told in part.
        let mut message = if self.token.is_empty() { message } else { message.replace(&self.token, "…") };
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Patience = Patience { connect: Duration::from_secs(5), answer: Duration::from_millis(300) };

    /// A server that answers with this, and then says no more.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        url
    }

    async fn ask(client: &OperatorClient, answer: &'static str) -> Result<Answer, NoAnswer> {
        let request = http::Request::get(server(answer).await).body(Bytes::new()).expect("a request");
        client.send(request, PATIENCE, 5).await
    }

    #[test]
    fn messages_say_where_a_server_is_and_nothing_else_of_its_address() {
        for (url, shown) in [
            ("http://user:s3cret@host:81/base?key=s3cret", "http://host:81"),
            ("https://[::1]/", "https://[::1]"),
            ("s3cret", "the server"),
        ] {
            assert_eq!(origin(url), shown);
        }
    }

    #[tokio::test]
    async fn a_token_that_can_not_be_sent_is_not_repeated() {
        let server = JsonServer::new("http://127.0.0.1:1//", "bearer", "s3cret\n", Arc::default());
        assert_eq!(server.url(), "http://127.0.0.1:1");
        let answer = server.ask(server.url(), &1, PATIENCE, 5).await.err().expect("nothing is sent").to_string();
        assert_eq!(answer, "the token holds characters that no token has");
    }

    #[test]
    fn what_a_server_says_is_told_without_the_token_and_not_at_any_length() {
        let server = JsonServer::new("http://127.0.0.1:1", "Bearer", "s3cret", Arc::default());
        assert_eq!(server.said("no such user: s3cret".to_owned()), "no such user: …");
        let long = format!("a{}", "ö".repeat(LONGEST_MESSAGE));
        assert_eq!(server.said(long.clone()), long[..LONGEST_MESSAGE - 1]);
        let token = "s3cret".repeat(50);
        let long = JsonServer::new("http://127.0.0.1:1", "Bearer", &token, Arc::default());
        assert!(!long.said(format!("{token}{}{token}", "a".repeat(800))).contains("s3cret"));
        let open = JsonServer::new("http://127.0.0.1:1", "Bearer", "", Arc::default());
        assert_eq!(open.said("as it is".to_owned()), "as it is");
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_up_to_a_length_and_in_time() {
        let client = OperatorClient::default();
        assert!(client.0.get().is_none(), "nothing is made before it is needed");
        let answer = ask(&client, "HTTP/1.1 404 -\r\ncontent-length: 5\r\n\r\nhello").await.expect("an answer");
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (404, &b"hello"[..]));
        let answer = ask(&client, "HTTP/1.1 200 -\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello!\r\n").await;
        assert!(matches!(answer, Err(NoAnswer::TooLong(5))), "{:?}", answer.err());
        for silent in ["", "HTTP/1.1 200 -\r\ncontent-length: 5\r\n\r\nhel"] {
            let answer = ask(&client, silent).await;
            assert!(
                matches!(answer, Err(NoAnswer::Failed(Error::ConnectionReadTimeout))),
                "{silent:?} {:?}",
                answer.err()
            );
        }
    }
}
