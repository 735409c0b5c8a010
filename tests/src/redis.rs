//! A Redis server of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::output::{Output, PATIENCE};
use crate::process::{Process, Signal};

/// How many commands are under way at once in [`Client::pipeline`].
const PIPELINE: usize = 1000;

/// A running server, on a loopback port, that keeps nothing unless its options say so. Dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    log: Output,
    address: SocketAddr,
    options: Vec<String>,
    // Deleted after the server has ended: fields are dropped in order.
    folder: TempDir,
}

impl Redis {
    /// Starts a server and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server`, or it does not start.
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with options of `redis-server`, each a name and its value: `["--appendonly", "yes"]`.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let mut last = String::new();
        // The port may be taken between choosing and binding it.
        for _ in 0..5 {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            match Self::try_start(crate::free_port(), &options, folder) {
                Ok(server) => return server,
                Err(log) if log.contains("Address already in use") => last = log,
                Err(log) => panic!("redis-server does not start:\n{log}"),
            }
        }
        panic!("redis-server found no free port:\n{last}");
    }

    /// Starts a server at the address of one that was stopped, as a restart does.
    #[track_caller]
    pub fn start_at(address: Option<SocketAddr>) -> Self {
        let Some(address) = address else { return Self::start() };
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Self::try_start(address.port(), &[], folder)
            .unwrap_or_else(|log| panic!("redis-server does not start again:\n{log}"))
    }

    /// Kills it and starts it again, at the same address and with what it has kept.
    #[track_caller]
    pub fn restart(self) -> Self {
        let Self { mut process, address, options, folder, .. } = self;
        process.signal(Signal::KILL);
        process.wait(Duration::from_secs(10));
        Self::try_start(address.port(), &options, folder)
            .unwrap_or_else(|log| panic!("redis-server does not start again:\n{log}"))
    }

    #[track_caller]
    fn try_start(port: u16, options: &[String], folder: TempDir) -> Result<Self, String> {
        let mut command = Command::new("redis-server");
        command.current_dir(folder.path()).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]).args(options);
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
                Ok(Self { process, log, address, options: options.to_vec(), folder })
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

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
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
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> u64 {
        self.number(&[b"PUBLISH", channel.as_ref(), payload.as_ref()])
    }

    /// Sends a command whose answer is a number.
    #[track_caller]
    pub fn number(&self, words: &[&[u8]]) -> u64 {
        let reply = self.command(words);
        let count = reply.strip_prefix(':').and_then(|count| count.parse().ok());
        count.unwrap_or_else(|| panic!("an unexpected answer to {}: {reply}", String::from_utf8_lossy(words[0])))
    }

    /// Sends a command on a connection of its own, and gives the first line of the answer with its
    /// mark (`+OK`, `:1`, `-ERR …`), or the bytes of a single bulk string.
    #[track_caller]
    pub fn command(&self, words: &[&[u8]]) -> String {
        self.client().command(words).expect("redis-server answers")
    }

    /// A connection for many commands.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.address).expect("redis-server takes connections")
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command, and gives the first line of the answer or a bulk string.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    pub fn command(&mut self, words: &[&[u8]]) -> std::io::Result<String> {
        self.stream.get_mut().write_all(&request(words))?;
        self.answer()
    }

    /// Sends many commands, some of them at once, and drops the answers, which are single lines.
    ///
    /// # Errors
    ///
    /// When the connection is lost.
    ///
    /// # Panics
    ///
    /// When a command fails.
    pub fn pipeline<'a>(&mut self, commands: impl IntoIterator<Item = Vec<&'a [u8]>>) -> std::io::Result<()> {
        let mut commands = commands.into_iter().peekable();
        while commands.peek().is_some() {
            let mut count = 0;
            let mut bytes = Vec::new();
            for words in commands.by_ref().take(PIPELINE) {
                bytes.extend(request(&words));
                count += 1;
            }
            self.stream.get_mut().write_all(&bytes)?;
            for _ in 0..count {
                let answer = self.answer()?;
                assert!(!answer.starts_with('-'), "{answer}");
            }
        }
        Ok(())
    }

    fn answer(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        match line.strip_prefix('$').and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes)?;
                Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
            }
            None => Ok(line),
        }
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n", word.len()).into_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    request
}
