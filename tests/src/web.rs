//! A web server of the test's own, for what `spin` downloads.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// A server of a few files, on a loopback port. Dropping it ends it.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
    ending: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Web {
    /// Starts to serve: paths, such as `/a.wasm`, with what is there. Everything else is not found.
    pub fn start<'a>(files: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Self {
        let files: BTreeMap<String, Vec<u8>> =
            files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect();
        let files = Arc::new(Mutex::new(files));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (asked, ending) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let serving = std::thread::spawn({
            let (files, asked, ending) = (Arc::clone(&files), Arc::clone(&asked), Arc::clone(&ending));
            move || {
                for stream in listener.incoming() {
                    if ending.load(Ordering::Acquire) {
                        return;
                    }
                    if let Some(path) = stream.ok().and_then(|stream| answer(&stream, &files)) {
                        asked.lock().unwrap_or_else(PoisonError::into_inner).push(path);
                    }
                }
            }
        });
        Self { address, files, asked, ending, serving: Some(serving) }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts something at a path, in the place of what is there.
    pub fn put(&self, path: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.into(), content.into());
    }

    /// Puts all files below a folder at their paths, seen from that folder, below `at`.
    pub fn put_folder(&self, at: &str, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("tests give plain names");
            let place = format!("{at}/{name}");
            if path.is_dir() {
                self.put_folder(&place, &path);
            } else {
                self.put(place, std::fs::read(&path).expect("a file of the test's can be read"));
            }
        }
    }

    /// The paths that were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Answers one request and gives its path.
fn answer(stream: &TcpStream, files: &Mutex<BTreeMap<String, Vec<u8>>>) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next()?.ok().is_some_and(|line| !line.is_empty()) {}
    let content = files.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    let (status, content) = content.map_or(("404 Not Found", Vec::new()), |content| ("200 OK", content));
    let mut stream = stream;
    let length = content.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n").ok()?;
    stream.write_all(&content).ok()?;
    Some(path)
}

impl Drop for Web {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        // Wakes the thread, which waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}
