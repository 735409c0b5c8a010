//! HTTP/2 by the byte, for clients that no library would be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use spin_tests::output::PATIENCE;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The status in the head of a response, if it is one that HTTP/2 has a number for.
    pub(crate) fn status(&self) -> Option<u16> {
        let statuses = [200, 204, 206, 304, 400, 404, 500];
        let mut block = self.payload.iter();
        let mut first = *block.next()?;
        // Before it the size of the table of headers may change: a number of five bits, and more bytes if all of them are set,
        // of which the last one has no highest bit.
        while first & 0xe0 == 0x20 {
            if first == 0x3f {
                block.find(|byte| **byte & 0x80 == 0)?;
            }
            first = *block.next()?;
        }
        let index = first.checked_sub(0x88)?;
        statuses.get(usize::from(index)).copied()
    }
}

/// A frame to be sent.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The header block of a GET.
pub(crate) fn get(path: &str) -> Vec<u8> {
    request("GET", path)
}

/// The header block of a request: indexed fields, and a path, an authority and a rare method that no table remembers.
pub(crate) fn request(method: &str, path: &str) -> Vec<u8> {
    let mut block = match method {
        "GET" => vec![0x82],
        "POST" => vec![0x83],
        other => [&[0x02, u8::try_from(other.len()).unwrap()], other.as_bytes()].concat(),
    };
    block.push(0x86);
    block.extend([0x04, u8::try_from(path.len()).unwrap()]);
    block.extend(path.bytes());
    block.extend([0x01, 1, b'a']);
    block
}

/// A field that no table remembers; both shorter than 127 bytes.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let string = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0], string(name), string(value)].concat()
}

/// A connection; a thread reads what comes, so that the server is never kept from sending.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    frames: Receiver<Frame>,
}

impl Connection {
    /// Connects, and says hello.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()).unwrap();
        let (sender, frames) = channel();
        let mut reader = stream.try_clone().unwrap();
        std::thread::spawn(move || {
            while let Ok(frame) = read(&mut reader) {
                if sender.send(frame).is_err() {
                    break;
                }
            }
        });
        Self { stream, frames }
    }

    /// Sends bytes; false if the server doesn't take them any more.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next frame of this kind, or none if the connection ends before.
    pub(crate) fn next(&self, kind: u8) -> Option<Frame> {
        self.next_of(&[kind])
    }

    /// The next frame of one of these kinds, or none if the connection ends before.
    pub(crate) fn next_of(&self, kinds: &[u8]) -> Option<Frame> {
        loop {
            match self.frames.recv_timeout(PATIENCE) {
                Ok(frame) if kinds.contains(&frame.kind) => return Some(frame),
                Ok(_) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(error) => panic!("neither a frame nor the end: {error}"),
            }
        }
    }

    /// The first status of the stream, if it is one that HTTP/2 has a number for.
    pub(crate) fn status(&self, stream: u32) -> Option<u16> {
        loop {
            let frame = self.next(HEADERS)?;
            if frame.stream == stream {
                return frame.status();
            }
        }
    }
}

fn read(stream: &mut TcpStream) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload)?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(Frame { kind: head[3], flags: head[4], stream, payload })
}
