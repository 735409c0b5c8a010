//! A server that a program under test connects to: it notes what comes, and answers what the test says.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use crate::output::PATIENCE;

/// A server on a loopback port, for as long as the test runs.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Mutex<Receiver<String>>,
}

/// A connection as the server has it.
pub trait Connection: Read + Write {}
impl<C: Read + Write> Connection for C {}

impl Upstream {
    /// Answers every request with `answer`, once its body has come.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |heads, stream| {
            while let Some(head) = read_head(stream)? {
                read_body(&head, stream)?;
                let _ = heads.send(head);
                stream.write_all(&answer)?;
            }
            Ok(())
        })
    }

    /// Answers one request of each connection with `answer`, says no more, and waits until the client goes.
    pub fn stalling(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |heads, stream| {
            if let Some(head) = read_head(stream)? {
                let _ = heads.send(head);
                stream.write_all(&answer)?;
                std::io::copy(stream, &mut std::io::sink())?;
            }
            Ok(())
        })
    }

    /// Runs `serve` for each connection, with a place for the heads of requests.
    pub fn start(serve: impl Fn(&Sender<String>, &mut TcpStream) -> Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (sender, heads) = channel();
        let (serve, counter) = (Arc::new(serve), Arc::clone(&connections));
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                counter.fetch_add(1, Ordering::Relaxed);
                let (serve, sender) = (Arc::clone(&serve), sender.clone());
                // A client that goes away ends its connection, which is all there is to say about it.
                std::thread::spawn(move || serve(&sender, &mut stream));
            }
        });
        Self { address, connections, heads: Mutex::new(heads) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The head of the next request that has not been looked at yet.
    ///
    /// # Panics
    ///
    /// If there is none in time.
    #[track_caller]
    pub fn next_head(&self) -> String {
        let heads = self.heads.lock().expect("nobody panics with it");
        heads.recv_timeout(PATIENCE).expect("a request comes")
    }
}

/// The head of the next request, without the empty line; `None` if the client has closed.
pub fn read_head(stream: &mut dyn Connection) -> Result<Option<String>> {
    read_until(stream, b"\r\n\r\n")
}

/// The body that belongs to a head. Components send theirs in chunks, also an empty one.
pub fn read_body(head: &str, stream: &mut dyn Connection) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body.resize(length.parse().map_err(std::io::Error::other)?, 0);
        stream.read_exact(&mut body)?;
    }
    if !head.contains("transfer-encoding: chunked") {
        return Ok(body);
    }
    while let Some(size) = read_until(stream, b"\r\n")? {
        let size = usize::from_str_radix(&size, 16).map_err(std::io::Error::other)?;
        let begun = body.len();
        body.resize(begun + size + 2, 0);
        stream.read_exact(&mut body[begun..])?;
        body.truncate(begun + size);
        if size == 0 {
            break;
        }
    }
    Ok(body)
}

fn read_until(stream: &mut dyn Connection, end: &[u8]) -> Result<Option<String>> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(end) {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        text.push(byte[0]);
    }
    text.truncate(text.len() - end.len());
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}
