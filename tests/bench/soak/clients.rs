//! The clients of the soak, each kind on threads of its own, and what they saw.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::Request;
use spin_tests::http::Client;
use spin_tests::streaming;
use tokio::runtime::{Builder, Runtime};

use super::Places;
use super::client::{self, Http2, ask, http2, http2_over, tls};

/// Good clients of HTTP/1.1.
const GOOD: usize = 3;

/// How long the server may take to end who doesn't read: more than its own time for that.
const SOON: Duration = Duration::from_secs(30);

/// Bytes that are no request, or one that must not be taken for two.
const HOSTILE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /p2/echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    b"GET / HTTP/1.1\nhost: a\n\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
    b"POST /p3/echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /bad-p2/trap HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    b"GET /bad-p3/trap-after HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
];

/// What is asked for by who leaves before it has come.
const LEFT: &[&str] = &["sleep?ms=60000", "drip?n=100000&ms=20", "drip?n=2&ms=60000"];

/// What the clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    good: AtomicU64,
    busy: AtomicU64,
    looped: AtomicU64,
    hostile: AtomicU64,
    slow: AtomicU64,
    left: AtomicU64,
    long: AtomicU64,
    unread: AtomicU64,
    /// What clients saw and should not have.
    wrong: Mutex<Vec<String>>,
    /// How long the answers to good clients took, by the name of their protocol.
    times: Mutex<Vec<(&'static str, Duration)>>,
}

impl Seen {
    pub(crate) fn counts(&self) -> String {
        let [good, busy, looped, hostile, slow, left, long, unread] =
            [&self.good, &self.busy, &self.looped, &self.hostile, &self.slow, &self.left, &self.long, &self.unread]
                .map(|count| count.load(Ordering::Relaxed));
        format!(
            "{good} good answers ({busy} asked to come again), {long} long ones; {looped} loops were ended, and {unread} who did \
             not read; {hostile} hostile clients, {slow} slow ones, {left} that left"
        )
    }

    /// # Panics
    ///
    /// If a client saw what it should not have.
    pub(crate) fn assert_good(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// # Panics
    ///
    /// If of a hundred answers more than one took longer than `bound`.
    pub(crate) fn assert_soon(&self, bound: Duration) {
        let all = self.times.lock().unwrap();
        for protocol in ["HTTP/1.1", "HTTP/2", "TLS"] {
            let mut times: Vec<Duration> =
                all.iter().filter(|(of, _)| *of == protocol).map(|(_, time)| *time).collect();
            times.sort_unstable();
            let at = |percent: usize| times[(times.len() - 1) * percent / 100];
            println!(
                "{protocol}: half of {} answers in {:?}, 99 % in {:?}, all in {:?}",
                times.len(),
                at(50),
                at(99),
                at(100)
            );
            assert!(at(99) < bound, "{protocol}: 99 % took {:?}", at(99));
        }
    }

    fn judge(&self, outcome: Result<(), String>) {
        if let Err(wrong) = outcome {
            self.wrong.lock().unwrap().push(wrong);
        }
    }

    fn took(&self, protocol: &'static str, began: Instant) {
        self.times.lock().unwrap().push((protocol, began.elapsed()));
        add(&self.good);
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Everybody at once, for a while.
pub(crate) fn load(places: &Places, duration: Duration) -> Seen {
    let (seen, over) = (Seen::default(), AtomicBool::new(false));
    let until_over = |client: &(dyn Fn(u64) + Sync)| {
        let mut turn = 0;
        while !over.load(Ordering::Relaxed) {
            client(turn);
            turn += 1;
        }
    };
    let (plain, seen_by) = (places.plain, &seen);
    let kinds: [&(dyn Fn(u64) + Sync); 9] = [
        &|turn| seen_by.judge(good_over_http2(places, turn, seen_by)),
        &|turn| seen_by.judge(good_over_tls(places, turn, seen_by)),
        &|turn| seen_by.judge(long_reader(plain, turn, seen_by)),
        &|turn| seen_by.judge(no_reader(plain, turn, seen_by)),
        &|turn| seen_by.judge(looping(plain, turn, seen_by)),
        &|turn| hostile(plain, turn, seen_by),
        &|turn| hostile(places.tls, turn, seen_by),
        &|turn| slow(plain, turn, seen_by),
        &|turn| leaving(plain, turn, seen_by),
    ];
    std::thread::scope(|scope| {
        for _ in 0..GOOD {
            scope.spawn(|| until_over(&|turn| seen_by.judge(good(plain, turn, seen_by))));
        }
        for kind in kinds {
            scope.spawn(move || until_over(kind));
        }
        std::thread::sleep(duration);
        over.store(true, Ordering::Relaxed);
    });
    seen
}

/// A few requests on one connection, all of whose answers are known. 503 is an honest answer.
fn good(address: SocketAddr, turn: u64, seen: &Seen) -> Result<(), String> {
    let mut client = Client::connect(address).map_err(|error| format!("no connection: {error}"))?;
    let generation = generation(turn);
    for number in 0..20 {
        let began = Instant::now();
        let body = format!("turn {turn}");
        let (method, path) = match number % 4 {
            0 => ("HEAD", format!("/{generation}/other")),
            _ => ("POST", format!("/{generation}/echo")),
        };
        let sent = if method == "HEAD" { "" } else { body.as_str() };
        let response = client
            .request(method, &path, &[], sent.as_bytes())
            .map_err(|error| format!("{method} {path}: no answer: {error}"))?;
        match response.status {
            200 if !response.complete => return Err(format!("{method} {path}: half an answer")),
            200 if response.text() == sent => {}
            200 => return Err(format!("{method} {path}: a wrong answer: {}", response.text())),
            503 => add(&seen.busy),
            other => return Err(format!("{method} {path}: {other}")),
        }
        seen.took("HTTP/1.1", began);
    }
    if turn.is_multiple_of(50) {
        let path = format!("/{generation}/echo");
        streaming::echo(address, &path, 4 << 20).map_err(|error| format!("{path}: an echo was cut: {error}"))?;
    }
    Ok(())
}

fn generation(turn: u64) -> &'static str {
    if turn.is_multiple_of(2) { "p2" } else { "p3" }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn good_over_http2(places: &Places, turn: u64, seen: &Seen) -> Result<(), String> {
    runtime().block_on(async {
        let began = Instant::now();
        let mut client = http2(places.plain).await;
        requests(&mut client, ("HTTP/2", "http"), turn, began, seen).await
    })
}

fn good_over_tls(places: &Places, turn: u64, seen: &Seen) -> Result<(), String> {
    runtime().block_on(async {
        let began = Instant::now();
        let stream = tls(places.tls, &places.root, &["h2"]).await.map_err(|error| format!("no TLS: {error}"))?;
        requests(&mut http2_over(stream).await, ("TLS", "https"), turn, began, seen).await
    })
}

/// The first one counts from the beginning of the connection.
async fn requests(
    client: &mut Http2,
    (protocol, scheme): (&'static str, &str),
    turn: u64,
    mut began: Instant,
    seen: &Seen,
) -> Result<(), String> {
    for number in 0..20 {
        let path = format!("/{}/echo", generation(turn + number));
        let body = format!("turn {turn}, {number}");
        let request = Request::post(format!("{scheme}://localhost{path}")).body(client::full(body.clone())).unwrap();
        let answer = ask(client, request).await;
        match answer.status.as_u16() {
            200 if answer.text == body => {}
            503 => add(&seen.busy),
            other => return Err(format!("{protocol} {path}: {other}: {}", answer.text)),
        }
        seen.took(protocol, began);
        began = Instant::now();
    }
    Ok(())
}

/// Reads a response that takes long, to its end.
fn long_reader(address: SocketAddr, turn: u64, seen: &Seen) -> Result<(), String> {
    // Twice of three times the kind whose instances others use as well.
    let generation = if turn % 3 == 2 { "p2" } else { "p3" };
    let path = format!("/{generation}/drip?n=100&ms=50");
    let mut client = Client::connect(address).map_err(|error| format!("no connection: {error}"))?;
    let response = client.request("GET", &path, &[], b"").map_err(|error| format!("{path}: no answer: {error}"))?;
    match response.status {
        200 if response.complete && response.text().ends_with("chunk 100\n") => add(&seen.long),
        503 => add(&seen.busy),
        other => return Err(format!("{path}: {other}, and {} bytes", response.body.len())),
    }
    Ok(())
}

/// Sends what is echoed, and reads nothing of it: the server must end it.
fn no_reader(address: SocketAddr, turn: u64, seen: &Seen) -> Result<(), String> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Ok(()) };
    stream.set_write_timeout(Some(SOON)).unwrap();
    let path = format!("/{}/echo", generation(turn));
    let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n");
    let mut sent = stream.write_all(head.as_bytes());
    let part = vec![b'x'; 64 << 10];
    while sent.is_ok() {
        sent = stream.write_all(&part);
    }
    match sent {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(format!("{path}: who doesn't read is kept for {SOON:?}"))
        }
        _ => {
            add(&seen.unread);
            Ok(())
        }
    }
}

fn looping(address: SocketAddr, turn: u64, seen: &Seen) -> Result<(), String> {
    let path = format!("/bad-{}/loop", generation(turn));
    let mut client = Client::connect(address).map_err(|error| format!("no connection: {error}"))?;
    match client.request("GET", &path, &[], b"").map(|response| response.status) {
        Ok(503 | 504) => add(&seen.looped),
        other => return Err(format!("{path}: a loop ended with {other:?}")),
    }
    Ok(())
}

/// Sends something bad and goes away, with or without waiting for an answer.
fn hostile(address: SocketAddr, turn: u64, seen: &Seen) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let bytes = HOSTILE[usize::try_from(turn).unwrap_or(0) % HOSTILE.len()];
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = stream.write_all(bytes);
    if turn.is_multiple_of(3) {
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    }
    add(&seen.hostile);
}

/// Sends a head byte by byte, and leaves in the middle of it or of the response.
fn slow(address: SocketAddr, turn: u64, seen: &Seen) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let head = format!("POST /p2/drip?ms=50&n=20 HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\n");
    let count = if turn.is_multiple_of(2) { head.len() } else { head.len() / 2 };
    for byte in &head.as_bytes()[..count] {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    add(&seen.slow);
}

/// Asks for what takes long, and leaves before the response, or in the middle of it.
fn leaving(address: SocketAddr, turn: u64, seen: &Seen) {
    let path = LEFT[usize::try_from(turn).unwrap_or(0) % LEFT.len()];
    let Ok(mut client) = Client::connect(address) else { return };
    let generation = generation(turn / 3);
    let sent = client.send(format!("GET /{generation}/{path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    if sent.is_ok() && path.starts_with("drip") && turn.is_multiple_of(4) {
        let _ = client.read_head("GET").and_then(|_| client.next_part());
    }
    add(&seen.left);
}
