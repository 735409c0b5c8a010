//! A server of TCP and UDP, on one port of loopback, that sends everything back and notes what it was.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

/// A running server.
pub(super) struct Echo {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub(super) fn start() -> Self {
        let (tcp, udp) = sockets();
        let port = tcp.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&heard);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || {
                    let mut text = String::new();
                    // Who connects and sends nothing is heard of too.
                    noted.lock().unwrap().push("tcp".to_owned());
                    if stream.read_to_string(&mut text).is_ok() && stream.write_all(text.as_bytes()).is_ok() {
                        noted.lock().unwrap().push(format!("tcp {text}"));
                    }
                });
            }
        });
        let noted = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut datagram = [0; 1500];
            while let Ok((length, from)) = udp.recv_from(&mut datagram) {
                noted.lock().unwrap().push(format!("udp {}", String::from_utf8_lossy(&datagram[..length])));
                let _ = udp.send_to(&datagram[..length], from);
            }
        });
        Self { port, heard }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether something was heard; what was, if not.
    pub(super) fn heard(&self, what: &str) -> Result<(), Vec<String>> {
        let heard = self.heard.lock().unwrap();
        if heard.iter().any(|one| one == what) { Ok(()) } else { Err(heard.clone()) }
    }

    pub(super) fn clear(&self) {
        self.heard.lock().unwrap().clear();
    }
}

/// Both on one port.
fn sockets() -> (TcpListener, UdpSocket) {
    for _ in 0..100 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, tcp.local_addr().unwrap().port())) {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both");
}
