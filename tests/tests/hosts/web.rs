//! A web server that notes what it is asked, and answers all of it in the same way.

use std::io::Write;
use std::sync::{Arc, Mutex};

use spin_tests::Upstream;
use spin_tests::upstream::{read_body, read_head};

/// A running server.
pub(super) struct Web {
    upstream: Upstream,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub(super) fn start() -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let upstream = Upstream::start(move |_, stream| {
            while let Some(head) = read_head(stream)? {
                let body = read_body(&head, stream)?;
                let words: Vec<&str> = head.split(' ').take(2).collect();
                let request = format!("{} {}", words.join(" "), String::from_utf8_lossy(&body));
                noted.lock().unwrap().push(request.trim_end().to_owned());
                stream.write_all(b"HTTP/1.1 201 Created\r\nx-a: one\r\ncontent-length: 5\r\n\r\nhello")?;
            }
            Ok(())
        });
        Self { upstream, asked }
    }

    pub(super) fn port(&self) -> u16 {
        self.upstream.address().port()
    }

    /// What it was asked since it was [cleared](Self::clear): method, path and body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn clear(&self) {
        self.asked.lock().unwrap().clear();
    }
}
