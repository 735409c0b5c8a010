//! What guests of every kind do wrong, and what becomes of it.

use std::time::Duration;

use spin_tests::worlds::{self, Worlds};
use spin_tests::{http, memory, timing};

use super::{Served, WAGI, craft, entry, hostile_cases, serve, serve_with};

/// The kinds of guests: a name that is also the first part of the path, its probe, the guest that asks for too much, and
/// the executor.
const KINDS: [(&str, &str, &str, &str); 5] = [
    ("p2", "probe-p2", "greedy-p2", ""),
    ("p3", "probe-p3", "greedy-p3", ""),
    ("inbound", "inbound-probe", "inbound-probe", ""),
    ("wagi", "wagi-probe", "wagi-probe", WAGI),
    ("module", "wagi-probe-module", "wagi-probe-module", WAGI),
];

/// What the client sees.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// This status and nothing else.
    Status(u16),
    /// A response that is cut.
    Cut,
    /// A response of 200 with this text.
    Text(&'static str),
    /// A response of this many bytes.
    Bytes(usize),
    /// A number that is less than what was asked for.
    Fewer(usize),
}
use Seen::{Bytes, Cut, Fewer, Status, Text};

impl Seen {
    /// As `tests/data/hostile.txt` writes it.
    fn parse(text: &'static str) -> Self {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no such outcome: {text}"));
        match text.split_once(' ') {
            Some(("bytes", count)) => Bytes(number(count)),
            Some(("fewer", most)) => Fewer(number(most)),
            None if text == "cut" => Cut,
            None if text == "hello" => HELLO,
            None if text == "empty" => Text(""),
            _ => Status(u16::try_from(number(text)).unwrap()),
        }
    }
}

const HELLO: Seen = Text("hello from a component\n");

/// Cases by kind: the kind, its first part of a path, the case, and what is seen.
fn by_kind(cases: Vec<Vec<&'static str>>) -> impl Iterator<Item = (&'static str, &'static str, Seen)> {
    cases.into_iter().flat_map(|case| {
        let (name, seen) = case.split_first().unwrap();
        assert_eq!(seen.len(), KINDS.len(), "{name}: an outcome for each kind");
        let rows = KINDS.iter().zip(seen).map(|((kind, ..), seen)| (*kind, *name, Seen::parse(seen)));
        rows.collect::<Vec<_>>()
    })
}

#[track_caller]
fn check(kind: &str, case: &str, seen: Seen, response: &http::Response) {
    let begin = &response.body[..response.body.len().min(80)];
    let what = format!("{kind}/{case}: {} {:?}", response.status, String::from_utf8_lossy(begin));
    match seen {
        Status(status) => {
            let said_by_probe = if status == 400 { response.text() } else { String::new() };
            assert_eq!((response.status, response.text(), response.complete), (status, said_by_probe, true), "{what}");
        }
        Cut => assert_eq!((response.status, response.complete), (200, false), "{what}"),
        Text(text) => assert_eq!((response.status, response.text().as_str()), (200, text), "{what}"),
        Bytes(count) => {
            assert_eq!((response.status, response.body.len(), response.complete), (200, count, true), "{what}")
        }
        Fewer(most) => {
            let number = response.text().trim().parse::<usize>();
            assert!(response.status == 200 && number.is_ok_and(|number| number < most), "{what}");
        }
    }
}

/// An app with every kind of guest, by name below a route of its own.
fn manifest(guest: impl Fn(&(&str, &str, &str, &str)) -> String) -> String {
    KINDS.iter().map(|kind| entry(kind.0, &format!("/{}/...", kind.0), &guest(kind), kind.3)).collect()
}

fn probes(flags: &[&str]) -> Served {
    serve(&manifest(|(_, probe, ..)| (*probe).to_owned()), flags)
}

#[test]
fn a_guest_that_fails_gets_an_answer_and_the_next_request_too() {
    let served = probes(&[]);
    for (kind, case, seen) in by_kind(hostile_cases::FAILURE.all()) {
        check(kind, case, seen, &http::get(served.address, &format!("/{kind}/{case}")));
        check(kind, "hello", HELLO, &http::get(served.address, &format!("/{kind}/hello")));
    }
}

/// How long others may wait for their answer while guests loop.
const BOUND: Duration = Duration::from_millis(100);

/// Whoever else uses the machine makes answers slower and never faster, so one calm round of several is enough.
const ROUNDS: usize = 6;

#[test]
fn a_guest_that_loops_on_every_processor_is_ended_and_others_are_answered_meanwhile() {
    let processors = std::thread::available_parallelism().unwrap().get();
    // One place more than there are loops, and as many who may wait for one.
    let places = processors + 1;
    let flags = ["--max-cpu-time", "2s", "--max-instances", &places.to_string(), "--idle-instance-timeout", "60s"];
    let served = probes(&flags);
    let trigger = served.up.child();
    for (kind, case, seen) in by_kind(hostile_cases::PROCESSOR.all()) {
        let count = || http::get(served.address, &format!("/{kind}/count")).text();
        let mut medians = Vec::new();
        for _ in 0..ROUNDS {
            assert_eq!(count(), "1\n", "{kind}");
            medians.push(others_meanwhile(&served, trigger, processors, (kind, case, seen)));
            // None had to wait until a loop was ended.
            assert!(medians.last() < Some(&Duration::from_secs(2)), "{kind}: {medians:?}");
            // The instances are gone: nothing runs, ...
            memory::wait_for_rest(trigger);
            // ... whoever was to be kept was not, ...
            assert_eq!(count(), "1\n", "{kind}");
            // ... and all places are free.
            assert_eq!(
                statuses(&served, &format!("/{kind}/sleep?ms=200"), 2 * places),
                vec![200; 2 * places],
                "{kind}"
            );
            if medians.last() < Some(&BOUND) {
                break;
            }
            // Of a round that is tried again nothing is kept either.
            check(kind, "trap", Status(500), &http::get(served.address, &format!("/{kind}/trap")));
        }
        assert!(medians.last() < Some(&BOUND), "{kind}: others wait longer than {BOUND:?}: {medians:?}");
    }
}

#[test]
fn however_many_guests_loop_others_are_answered_meanwhile() {
    // In one queue with them, others would wait for three times as long as they may. With many processors it is less: what
    // runs in the test itself has its limits too.
    let loops = 32 * std::thread::available_parallelism().unwrap().get().min(8);
    let places = loops + KINDS.len();
    // Who shares an instance with one that is ended gets another status.
    let alone = "max_instance_concurrent_reuse_count = 1";
    let yielding = hostile_cases::YIELDING.all();
    let mut entries = manifest(|(_, probe, ..)| (*probe).to_owned());
    for case in &yielding {
        entries += &entry(case[0], &format!("/{}/...", case[0]), case[0], alone);
    }
    let limits = ["--max-cpu-time", "150ms", "--max-instances", &places.to_string()];
    let served = serve_with(&entries, &limits, |app| {
        for case in &yielding {
            std::fs::write(app.dir().join(format!("{}.wasm", case[0])), self::yielding(case[0])).unwrap();
        }
    });
    let trigger = served.up.child();
    let yielding = yielding.into_iter().map(|case| (case[0], "", Seen::parse(case[1])));
    for (kind, case, seen) in by_kind(hostile_cases::PROCESSOR.all()).chain(yielding) {
        let rounds = std::iter::repeat_with(|| others_meanwhile(&served, trigger, loops, (kind, case, seen)));
        let medians: Vec<_> = rounds.take(ROUNDS).map_while(|median| (median >= BOUND).then_some(median)).collect();
        assert!(medians.len() < ROUNDS, "{kind}: others wait longer than {BOUND:?}: {medians:?}");
    }
}

/// A guest that yields before it has to.
fn yielding(case: &str) -> Vec<u8> {
    let (version, export, code) = match case {
        "yields" => ("0.3.0", "handler", include_str!("../../guests/generations/yields.wat")),
        "polls" => ("0.2.12", "incoming-handler", include_str!("../../guests/generations/polls.wat")),
        _ => panic!("no such guest: {case}"),
    };
    let world = format!(
        "world {case} {{ import wasi:clocks/monotonic-clock@{version}; export wasi:http/{export}@{version}; }}"
    );
    let worlds = Worlds::read(&world);
    worlds::component(&worlds.module(case, "", &code.replace("VERSION", version)))
}

/// Lets as many guests of a kind loop, and gives the median of the times in which those of other kinds are answered
/// meanwhile.
fn others_meanwhile(served: &Served, trigger: u32, loops: usize, (kind, case, seen): (&str, &str, Seen)) -> Duration {
    let before = memory::processor_time(trigger);
    let begun = Duration::from_millis(100).max(Duration::from_millis(30) * u32::try_from(loops).unwrap());
    let mut clients: Vec<http::Client> = (0..loops)
        .map(|_| {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /{kind}/{case} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            client
        })
        .collect();
    // Until most have been seen to compute.
    while memory::processor_time(trigger) - before < begun {
        std::thread::yield_now();
    }
    let others = KINDS.iter().filter(|(other, ..)| *other != kind);
    let times = others.map(|(other, ..)| {
        timing::timed(|| check(other, "hello", HELLO, &http::get(served.address, &format!("/{other}/hello"))))
    });
    let median = timing::median(times.collect());
    for client in &mut clients {
        check(kind, case, seen, &client.read_response("GET").unwrap());
    }
    median
}

/// The statuses of as many requests at once.
fn statuses(served: &Served, path: &str, count: usize) -> Vec<u16> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..count).map(|_| scope.spawn(|| http::get(served.address, path).status)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    })
}

#[test]
fn the_limit_of_memory_holds_for_everything_that_an_instance_has() {
    let rows = hostile_cases::INSTANTIATION.all();
    let cases: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let mut entries = manifest(|(_, probe, ..)| (*probe).to_owned());
    for case in &cases {
        for (kind, _, _, executor) in KINDS {
            let name = format!("{kind}-{case}");
            entries += &entry(&name, &format!("/{name}/..."), &name, executor);
        }
    }
    let limit = craft::LIMIT.to_string();
    let served = serve_with(&entries, &["--max-instance-memory", &limit], |app| {
        for case in &cases {
            for (kind, probe, ..) in KINDS {
                let crafted = match kind {
                    "module" => craft::command(case),
                    _ => craft::component(&std::fs::read(spin_tests::guest(probe)).unwrap(), case),
                };
                std::fs::write(app.dir().join(format!("{kind}-{case}.wasm")), crafted).unwrap();
            }
        }
    });
    for (kind, case, seen) in by_kind(rows) {
        check(kind, case, seen, &http::get(served.address, &format!("/{kind}-{case}/hello")));
    }
    // What a guest takes when it is called.
    for (kind, ..) in KINDS {
        let text = http::get(served.address, &format!("/{kind}/grow")).text();
        let number = text.strip_prefix("memory ended after ").and_then(|text| text.split(' ').next()?.parse().ok());
        assert!(number.is_some_and(|megabytes: u64| (16..32).contains(&megabytes)), "{kind}: {text}");
    }
}

#[test]
fn a_guest_that_asks_for_too_much_costs_the_host_little() {
    // What a guest has in its own memory is the guest's, and limited as such.
    let own = (256 << 20).to_string();
    let served = serve(&manifest(|(_, _, greedy, _)| (*greedy).to_owned()), &["--max-instance-memory", &own]);
    let trigger = spin_tests::process::children(served.up.pid())[0];
    for (kind, case, seen) in by_kind(hostile_cases::GREED.all()) {
        let response = match seen {
            Bytes(_) => counted(&served, &format!("/{kind}/{case}")),
            _ => http::get(served.address, &format!("/{kind}/{case}")),
        };
        check(kind, case, seen, &response);
    }
    let peak = spin_tests::process::peak_memory(trigger);
    assert!(peak < 512 << 20, "the trigger used {} MiB", peak >> 20);
}

#[test]
fn a_guest_that_answers_whole_ends_when_its_client_goes_away() {
    let served = probes(&["--max-instances", "1"]);
    for kind in ["inbound", "wagi", "module"] {
        let (tell, answers) = std::sync::mpsc::channel();
        let sleeping = loop {
            let mut client = http::Client::connect(served.address).unwrap();
            client.send(format!("GET /{kind}/sleep?ms=50000 HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
            for _ in 0..2 {
                let (tell, address) = (tell.clone(), served.address);
                std::thread::spawn(move || tell.send(http::get(address, &format!("/{kind}/hello")).status));
            }
            // One is served, one may wait, who comes then is refused: if the guest sleeps by now, one of the two has an answer,
            // and the other one waits for it. Else it is tried again.
            answers.recv().unwrap();
            if answers.recv_timeout(Duration::from_secs(1)).is_err() {
                break client;
            }
        };
        drop(sleeping);
        let answer = answers.recv_timeout(Duration::from_secs(20));
        assert_eq!(answer, Ok(200), "{kind}: the place is free long before the guest would have ended");
    }
}

/// A response whose body is counted and not kept: it has as many zeros.
fn counted(served: &Served, path: &str) -> http::Response {
    let mut client = http::Client::connect(served.address).unwrap();
    client.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).unwrap();
    let head = client.read_head("GET").unwrap();
    let mut count = 0;
    while let Some(part) = client.next_part().unwrap() {
        assert!(part.iter().all(|byte| *byte == b'x'), "{path}");
        count += part.len();
    }
    http::Response { status: head.status, headers: head.headers, body: vec![0; count], complete: true }
}
