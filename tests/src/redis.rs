//! A Redis server of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::output::{Output, PATIENCE};
use crate::process::{Process, Signal};

/// A running server, on a loopback port, that keeps nothing. Dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    log: Output,
    address: SocketAddr,
    // Deleted after the server has ended: fields are dropped in order.
    _folder: tempfile::TempDir,
}

impl Redis {
    /// Starts a server and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server`, or it does not start.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_at(None)
    }

    /// Starts a server at the address of one that was stopped, as a restart does.
    #[track_caller]
    pub fn start_at(address: Option<SocketAddr>) -> Self {
        let mut last = String::new();
        // The port may be taken between choosing and binding it.
        for _ in 0..5 {
            let port = address.map_or_else(crate::free_port, |address| address.port());
            match Self::try_start(port) {
                Ok(server) => return server,
                Err(log) if log.contains("Address already in use") && address.is_none() => last = log,
                Err(log) => panic!("redis-server does not start:\n{log}"),
            }
        }
        panic!("redis-server found no free port:\n{last}");
    }

    #[track_caller]
    fn try_start(port: u16) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new("redis-server");
        command.current_dir(folder.path()).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("redis-server cannot be started ({error}): apt-get install redis-server"),
        };
        let (log, _) = Output::collect(child.stdout.take().expect("stdout is a pipe"));
        let process = Process::new(child);
        match log.line_within(PATIENCE, |line| line.contains("eady to accept connections")) {
            Ok(_) => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                Ok(Self { process, log, address, _folder: folder })
            }
            Err(_) => Err(log.text()),
        }
    }

    /// Its address in the form of a manifest: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far.
    pub fn log(&self) -> &Output {
        &self.log
    }

    /// Sends it a signal: KILL ends it at once, STOP freezes it, CONT goes on.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it at once and waits for its end. Its address can be used again with [`Redis::start_at`].
    pub fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait(Duration::from_secs(10));
    }

    /// Publishes a message, and gives the number of those that received it.
    #[track_caller]
    pub fn publish(&self, channel: &str, payload: impl AsRef<[u8]>) -> u64 {
        let reply = self.command(&[b"PUBLISH", channel.as_bytes(), payload.as_ref()]);
        let count = reply.strip_prefix(':').and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("an unexpected answer to PUBLISH: {reply}"))
    }

    /// Sends a command on a connection of its own, and gives the first line of the answer with its
    /// mark (`+OK`, `:1`, `-ERR …`), or the bytes of a single bulk string.
    #[track_caller]
    pub fn command(&self, words: &[&[u8]]) -> String {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).into_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.exchange(&request).expect("redis-server answers")
    }

    fn exchange(&self, request: &[u8]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request)?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_owned();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut bytes = vec![0; length];
                reader.read_exact(&mut bytes)?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => Ok(line),
        }
    }
}
