//! A plain HTTP/1.1 client that shows the bytes.
//!
//! It sends exactly what it is given and judges nothing, so that a test can be rude, and can see
//! when each part of a body comes. Reads have a deadline of [`PATIENCE`].

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::output::PATIENCE;

/// A GET on a connection of its own.
///
/// # Panics
///
/// If there is no well-formed head of a response.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Response {
    request(address, "GET", path, &[], b"")
}

/// A request on a connection of its own; see [`Client::request`].
///
/// # Panics
///
/// If there is no well-formed head of a response.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let mut client = Client::connect(address).expect("the server accepts connections");
    match client.request(method, path, headers, body) {
        Ok(response) => response,
        Err(error) => panic!("no response to {method} {path}: {error}"),
    }
}

/// One connection. It stays open between requests, if the server wants it.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    address: SocketAddr,
    unread: Vec<u8>,
    body: Framing,
}

/// What is left of the current response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Nothing,
    Length(u64),
    Chunked,
    UntilClosed,
}

/// Status line and headers of a response.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values, in the order that they came.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_str())
    }
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values, in the order that they came.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// Whether the body came to its end; false if the connection was cut before.
    pub complete: bool,
}

impl Response {
    /// The first value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Connects, and sends nothing.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, address, unread: Vec::new(), body: Framing::Nothing })
    }

    /// Another handle of the connection, to send and receive at the same time.
    pub fn try_clone(&self) -> Result<Self> {
        let stream = self.stream.try_clone()?;
        Ok(Self { stream, address: self.address, unread: Vec::new(), body: Framing::Nothing })
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Sends a request and reads the whole response. `host` and, for a body, `content-length` are
    /// added unless `headers` has them.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Response> {
        let given = |name: &str| headers.iter().any(|(present, _)| present.eq_ignore_ascii_case(name));
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !given("host") {
            text += &format!("host: {}\r\n", self.address);
        }
        if !body.is_empty() && !given("content-length") && !given("transfer-encoding") {
            text += &format!("content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        self.send([text.as_bytes(), b"\r\n", body].concat())?;
        self.read_response(method)
    }

    /// Reads a whole response to a request of this method (HEAD has no body).
    pub fn read_response(&mut self, method: &str) -> Result<Response> {
        let Head { status, headers } = self.read_head(method)?;
        let mut body = Vec::new();
        let complete = loop {
            match self.next_part() {
                Ok(Some(part)) => body.extend(part),
                Ok(None) => break true,
                Err(error) if cut(&error) => break false,
                Err(error) => return Err(error),
            }
        };
        Ok(Response { status, headers, body, complete })
    }

    /// Reads the head of the next response; heads of interim ones (1xx) are skipped.
    pub fn read_head(&mut self, method: &str) -> Result<Head> {
        loop {
            let head = parse_head(&self.read_until(b"\r\n\r\n")?)?;
            if !(100..200).contains(&head.status) {
                self.body = framing(method, &head)?;
                return Ok(head);
            }
        }
    }

    /// Reads the head of the next response, whatever it is: for interim ones, which have no body.
    pub fn read_interim(&mut self) -> Result<Head> {
        parse_head(&self.read_until(b"\r\n\r\n")?)
    }

    /// The next part of the body as it comes: a chunk if the body is chunked. None at its end.
    pub fn next_part(&mut self) -> Result<Option<Vec<u8>>> {
        match self.body {
            Framing::Nothing => Ok(None),
            Framing::Length(left) => {
                self.fill_if_empty()?;
                let count = self.unread.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - count as u64;
                self.body = if left == 0 { Framing::Nothing } else { Framing::Length(left) };
                Ok(Some(self.unread.drain(..count).collect()))
            }
            Framing::UntilClosed => match self.fill_if_empty() {
                Ok(()) => Ok(Some(std::mem::take(&mut self.unread))),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    self.body = Framing::Nothing;
                    Ok(None)
                }
                Err(error) => Err(error),
            },
            Framing::Chunked => {
                let line = self.read_until(b"\r\n")?;
                let digits = line.trim_end().split(';').next().unwrap_or_default();
                let size = usize::from_str_radix(digits, 16).map_err(|_| bad("chunk size", &line))?;
                if size == 0 {
                    // Trailers, if any, and the empty line behind them.
                    while self.read_until(b"\r\n")? != "\r\n" {}
                    self.body = Framing::Nothing;
                    return Ok(None);
                }
                while self.unread.len() < size + 2 {
                    self.fill()?;
                }
                let chunk = self.unread.drain(..size).collect();
                self.unread.drain(..2);
                Ok(Some(chunk))
            }
        }
    }

    /// Waits until the server closes the connection, and gives whatever came before that.
    pub fn read_to_close(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(error) if cut(&error) => return Ok(std::mem::take(&mut self.unread)),
                Err(error) => return Err(error),
            }
        }
    }

    fn read_until(&mut self, end: &[u8]) -> Result<String> {
        loop {
            if let Some(at) = self.unread.windows(end.len()).position(|window| window == end) {
                let bytes: Vec<u8> = self.unread.drain(..at + end.len()).collect();
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            self.fill()?;
        }
    }

    fn fill_if_empty(&mut self) -> Result<()> {
        if self.unread.is_empty() { self.fill() } else { Ok(()) }
    }

    fn fill(&mut self) -> Result<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer)? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            count => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(())
            }
        }
    }
}

fn cut(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn bad(what: &str, text: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("bad {what}: {text:?}"))
}

fn parse_head(text: &str) -> Result<Head> {
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let status = status.and_then(|code| code.parse().ok()).ok_or_else(|| bad("status line", first))?;
    let headers = lines.map(|line| match line.split_once(':') {
        Some((name, value)) => Ok((name.to_ascii_lowercase(), value.trim().to_owned())),
        None => Err(bad("header line", line)),
    });
    Ok(Head { status, headers: headers.collect::<Result<_>>()? })
}

fn framing(method: &str, head: &Head) -> Result<Framing> {
    if method == "HEAD" || matches!(head.status, 204 | 304) {
        return Ok(Framing::Nothing);
    }
    if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunked);
    }
    match head.header("content-length") {
        Some("0") => Ok(Framing::Nothing),
        Some(length) => length.parse().map(Framing::Length).map_err(|_| bad("content-length", length)),
        None => Ok(Framing::UntilClosed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers the first connection with `bytes`, whatever it sends, and closes it.
    fn server(bytes: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.read_exact(&mut [0; 16]).expect("the beginning of a request");
            stream.write_all(bytes).expect("a client that reads");
            // Reading on prevents a reset that could overtake the answer.
            stream.shutdown(Shutdown::Write).expect("an open connection");
            std::io::copy(&mut stream, &mut std::io::sink())
        });
        address
    }

    #[test]
    fn two_responses_on_one_connection() {
        let address = server(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
              3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        );
        let mut client = Client::connect(address).expect("a connection");
        let first = client.request("GET", "/first", &[], b"").expect("a response");
        assert_eq!((first.status, first.text().as_str(), first.complete), (200, "abcde", true));
        assert_eq!(client.read_response("GET").expect("a response").status, 404);
        assert_eq!(client.read_to_close().expect("the end"), b"");
    }

    #[test]
    fn a_cut_body_is_not_complete() {
        let response = get(server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "/some/path");
        assert_eq!((response.text().as_str(), response.complete), ("abc", false));
        let response = get(server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), "/some/path");
        assert!(!response.complete);
    }
}
