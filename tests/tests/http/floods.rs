//! HTTP/2 clients that ask for too much (hostile cases, row 11): they are ended in time, and others are served.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use spin_tests::http;

use super::frames::{
    ACK, CONTINUATION, Connection, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, field, frame,
    get,
};
use super::{BOTH, hostile_cases, serve};

/// RFC 9113, 7: what a client is told that asks for too much.
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// Others are served, and soon.
#[track_caller]
fn others_are_served(address: SocketAddr) {
    let began = Instant::now();
    assert_eq!(http::get(address, "/p3/other").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn numbers<const N: usize>(case: &[&str]) -> [usize; N] {
    let numbers: Vec<usize> = case.iter().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("other numbers than were expected: {case:?}"))
}

/// The reason of the GOAWAY that ends the connection; none if it ends without.
fn reason(connection: &Connection) -> Option<u32> {
    let payload = connection.next(GOAWAY)?.payload;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

#[test]
fn the_settings_say_the_limits() {
    let served = serve(BOTH, &[]);
    let settings = Connection::open(served.address).next(SETTINGS).unwrap().payload;
    let setting = |id: u8| {
        let found = settings.chunks(6).find(|setting| setting[..2] == [0, id])?;
        Some(u32::from_be_bytes(found[2..].try_into().unwrap()))
    };
    assert_eq!((setting(3), setting(6)), (Some(128), Some(64 * 1024)));
}

#[test]
fn a_flood_of_resets_ends_the_connection() {
    let served = serve(BOTH, &[]);
    let mut flood = Connection::open(served.address);
    let began = Instant::now();
    let mut sent = 0;
    let most: u32 = hostile_cases::RESETS.only()[0].parse().unwrap();
    for stream in (1..2 * most).step_by(2) {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/p3/sleep?ms=60000"));
        let reset = frame(RST_STREAM, 0, stream, &8u32.to_be_bytes());
        if !flood.send([request, reset].concat()) {
            break;
        }
        sent += 1;
    }
    assert_eq!(reason(&flood), Some(ENHANCE_YOUR_CALM), "after {sent} requests");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    others_are_served(served.address);
}

#[test]
fn slow_resets_give_their_instances_back() {
    let served = serve(BOTH, &["--max-instances", "4"]);
    let mut client = Connection::open(served.address);
    for stream in (1..400).step_by(2) {
        assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, &get("/p2/sleep?ms=600000"))));
        // The answer shows that the server has seen the request.
        assert!(client.send(frame(PING, 0, 0, &u64::from(stream).to_be_bytes())));
        assert_eq!(client.next(PING).unwrap().flags, ACK);
        assert!(client.send(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())));
    }
    others_are_served(served.address);
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    let served = serve(BOTH, &[]);
    for case in hostile_cases::CONTINUATIONS.all() {
        let [most, count, length] = numbers(&case);
        let part = field("x", &"x".repeat(length)).repeat(count);
        let mut flood = Connection::open(served.address);
        let began = Instant::now();
        assert!(flood.send(frame(HEADERS, END_STREAM, 1, &get("/p3/other"))));
        let mut sent = 0;
        while sent < most && flood.send(frame(CONTINUATION, 0, 1, &part)) {
            sent += 1;
        }
        assert_eq!(reason(&flood), Some(ENHANCE_YOUR_CALM), "{case:?}: after {sent} frames");
        assert!(sent < most, "{case:?}");
        assert!(began.elapsed() < Duration::from_secs(30), "{case:?}: {:?}", began.elapsed());
        others_are_served(served.address);
    }
}

/// A GET whose header list is `count` times four kilobytes and is small all the same: one field is remembered, and then
/// referred to.
fn compressed(count: usize) -> Vec<u8> {
    let mut block = get("/p3/other");
    block.extend([0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
    block.extend([b'x'; 4000]);
    block.extend(vec![0xbe; count - 1]);
    block
}

#[test]
fn a_large_list_of_headers_is_refused_and_the_connection_goes_on() {
    let served = serve(BOTH, &[]);
    let mut client = Connection::open(served.address);
    assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &compressed(17))));
    let refused = client.next(HEADERS).unwrap();
    // 431 has no number of its own, unlike 200 or 400.
    assert!(refused.stream == 1 && refused.payload[0] & 0x80 == 0, "{refused:?}");
    assert!(client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, &get("/p3/other"))));
    assert_eq!(client.status(3), Some(200));
}

#[test]
fn a_huge_list_of_headers_ends_the_connection() {
    let served = serve(BOTH, &[]);
    for case in hostile_cases::HEADER_LIST.all() {
        let parts = match case[0] {
            "plain" => {
                let [frames, count, length] = numbers(&case[1..]);
                let large = field("x", &"x".repeat(length)).repeat(count);
                let first = [get("/p3/other"), large.clone()].concat();
                std::iter::once(first).chain(std::iter::repeat_n(large, frames - 1)).collect()
            }
            "compressed" => vec![compressed(case[1].parse().unwrap())],
            _ => panic!("nobody knows how to send {case:?}"),
        };
        let mut client = Connection::open(served.address);
        for (number, part) in parts.iter().enumerate() {
            let (kind, end_stream) = if number == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
            let end = if number + 1 == parts.len() { END_HEADERS } else { 0 };
            // A server that has seen enough takes no more.
            client.send(frame(kind, end | end_stream, 1, part));
        }
        assert!(reason(&client).is_some_and(|reason| reason != 0), "{case:?}");
        others_are_served(served.address);
    }
}

#[test]
fn who_asks_for_signs_of_life_and_never_reads_is_cut() {
    let served = serve(BOTH, &["--body-timeout", "1s"]);
    for case in hostile_cases::UNREAD.all() {
        let (kind, payload): (_, &[u8]) = match case[0] {
            "PING" => (PING, &[0; 8]),
            "SETTINGS" => (SETTINGS, &[]),
            _ => panic!("nobody knows how to send {case:?}"),
        };
        // Nobody reads here, unlike in `Connection`.
        let mut flood = std::net::TcpStream::connect(served.address).unwrap();
        flood.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        let frames = frame(kind, 0, 0, payload).repeat(1000);
        let hello = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
        std::io::Write::write_all(&mut flood, &hello).unwrap();
        let error = loop {
            if let Err(error) = std::io::Write::write_all(&mut flood, &frames) {
                break error;
            }
        };
        assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{error}");
        others_are_served(served.address);
    }
}
