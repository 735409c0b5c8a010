//! A web server of the tests' own: what it has can be changed, and it notes what it is asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A server on a loopback port, for as long as the process runs.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// What is at each path: a whole answer, or content.
    things: BTreeMap<String, Thing>,
    /// The heads of all requests.
    asked: Vec<String>,
}

#[derive(Clone)]
enum Thing {
    /// Content, with its entity tag.
    Content(Vec<u8>, String),
    /// These bytes, and then either the end or silence.
    Answer(Vec<u8>, After),
}

/// What comes after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    End,
    /// Nothing, until the client goes.
    Silence,
    /// A byte every 20 ms, until the client goes.
    Drip,
}

impl Server {
    pub(crate) fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Mutex<Shared>>::default();
        let state = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client that goes away ends its connection.
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        let content = content.into();
        let tag = format!("\"{}\"", crate::hash::of(&content));
        self.shared().things.insert(path.to_owned(), Thing::Content(content, tag));
    }

    /// Answers with these bytes as they are.
    pub(crate) fn answer(&self, path: &str, answer: impl Into<Vec<u8>>, after: After) {
        self.shared().things.insert(path.to_owned(), Thing::Answer(answer.into(), after));
    }

    pub(crate) fn remove(&self, path: &str) {
        self.shared().things.remove(path);
    }

    /// The request lines since the last call, without the version.
    pub(crate) fn asked(&self) -> Vec<String> {
        let heads = std::mem::take(&mut self.shared().asked);
        heads.iter().map(|head| head.split(" HTTP/").next().unwrap().to_owned()).collect()
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

fn serve(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let thing = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(head.clone());
        shared.things.get(&path).cloned()
    };
    let mut stream = stream;
    match thing {
        None => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Some(Thing::Content(_, tag)) if head.to_lowercase().contains(&format!("if-none-match: {tag}")) => {
            write!(stream, "HTTP/1.1 304 Not Modified\r\netag: {tag}\r\nconnection: close\r\n\r\n")
        }
        Some(Thing::Content(content, tag)) => {
            let length = content.len();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\netag: {tag}\r\nconnection: close\r\n\r\n")?;
            stream.write_all(&content)
        }
        Some(Thing::Answer(answer, after)) => {
            stream.write_all(&answer)?;
            match after {
                After::End => Ok(()),
                After::Silence => std::io::copy(&mut reader, &mut std::io::sink()).map(drop),
                After::Drip => loop {
                    stream.write_all(b"x")?;
                    // The pace of a slow server; nothing waits for it.
                    std::thread::sleep(Duration::from_millis(20));
                },
            }
        }
    }
}
