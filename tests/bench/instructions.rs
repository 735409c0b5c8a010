//! How many instructions five pure functions take, counted by Valgrind: what no other work on the machine changes, so that it
//! can be judged. `cargo xtask test` runs this too; a count that is 5 % off is a failure.
//!
//! ```text
//! cargo xtask bench instructions                 compares with instructions.json
//! SPIN_BLESS=1 cargo xtask bench instructions    writes it anew
//! ```
//!
//! It belongs to the package `trigger-http`, whose functions are among those counted; the package of the other tests knows no
//! library that brings the engine. The program runs itself under Valgrind: `measure NAME TIMES` does one thing so often. What a
//! call takes is the difference of two such runs, in which all that happens once is gone.
//!
//! The counts are of one compiler and of the profile `release`. Those of another compiler are printed and not judged: when
//! the one of CI changes, look at them and write them anew.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells by printing")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use spin_app_model::hosts::{AllowedHosts, Destination};
use spin_app_model::{LockedApp, Template};
use trigger_http::config::RouteConfig;
use trigger_http::headers;
use trigger_http::route::{RouteEntry, Router};

/// How far a count may be from what was written, in parts of it.
const TOLERANCE: f64 = 0.05;

/// What calls a function so many times.
type Repeat = fn(u64);

/// Each function by its name, with how often it is called in the shorter of the two runs.
const FUNCTIONS: [(&str, u64, Repeat); 5] = [
    ("route", 4000, route),
    ("headers", 1000, injection),
    ("hosts", 1000, hosts),
    ("template", 4000, template),
    ("lock", 50, lock),
];

/// What is in `instructions.json`.
#[derive(Serialize, Deserialize)]
struct Counts {
    /// The compiler and the machine's architecture.
    toolchain: String,
    /// Instructions a call, by function.
    instructions: BTreeMap<String, u64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [measure, name, times] = arguments.as_slice()
        && measure == "measure"
    {
        let function = FUNCTIONS.iter().find(|(known, ..)| known == name).map(|(.., function)| function);
        let (Some(function), Ok(times)) = (function, times.parse()) else { return ExitCode::from(2) };
        function(times);
        return ExitCode::SUCCESS;
    }
    // As for every other test, words that are no flags are parts of names.
    let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
    if filters.peek().is_some() && !filters.any(|filter| "instructions".contains(filter.as_str())) {
        return ExitCode::SUCCESS;
    }
    match judge() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn judge() -> Result<(), String> {
    let mut counted = Counts { toolchain: toolchain()?, instructions: BTreeMap::new() };
    for (name, times, _) in FUNCTIONS {
        let (once, twice) = (run(name, times)?, run(name, times * 2)?);
        counted.instructions.insert(name.to_owned(), twice.saturating_sub(once).div_ceil(times));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/bench/instructions.json");
    if std::env::var_os("SPIN_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&counted).map_err(|error| error.to_string())?;
        return std::fs::write(&file, text + "\n").map_err(|error| format!("{}: {error}", file.display()));
    }
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let written = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let (table, is_off) = compare(&counted, &written);
    println!("instructions a call:\n{table}");
    let how = "SPIN_BLESS=1 cargo xtask bench instructions";
    if counted.toolchain != written.toolchain {
        println!(
            "not judged: the counts in instructions.json are of {}, these of {}; `{how}` writes them anew",
            written.toolchain, counted.toolchain
        );
        return Ok(());
    }
    if is_off {
        return Err(format!(
            "a count is more than {:.0} % off. If that is wanted, write them anew with `{how}` and say why in the commit; \
             a build in which our own crates are not optimised can't be compared",
            TOLERANCE * 100.0
        ));
    }
    Ok(())
}

/// The counts side by side, and whether one is too far off.
fn compare(counted: &Counts, written: &Counts) -> (String, bool) {
    let (mut table, mut is_off) = (String::new(), counted.instructions.len() != written.instructions.len());
    for (name, now) in &counted.instructions {
        let line = match written.instructions.get(name) {
            Some(&before) if before > 0 => {
                let ratio = *now as f64 / before as f64;
                let fits = (ratio - 1.0).abs() <= TOLERANCE;
                is_off |= !fits;
                format!("{before:>8} → {now:<8} {ratio:.3}{}", if fits { "" } else { "  off" })
            }
            _ => {
                is_off = true;
                format!("{:>8} → {now}", "nothing")
            }
        };
        let _ = writeln!(table, "  {name:<9}{line}");
    }
    (table, is_off)
}

/// The compiler and the architecture.
fn toolchain() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output().map_err(|error| format!("rustc: {error}"))?;
    let version = String::from_utf8_lossy(&said.stdout);
    // Without the commit and the day.
    let version = version.split(" (").next().unwrap_or_default().trim();
    Ok(format!("{version}, {}", std::env::consts::ARCH))
}

/// The instructions of the whole program, for so many calls.
fn run(name: &str, times: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).args([PathBuf::from(&this)]);
    valgrind.args(["measure", name, &times.to_string()]);
    let said = valgrind.output().map_err(|error| format!("valgrind can't be started ({error}): install it"))?;
    let text = String::from_utf8_lossy(&said.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.filter(|_| said.status.success()).ok_or_else(|| format!("{name} under valgrind: {}\n{text}", said.status))
}

/// Finding the route of a path, among twenty.
fn route(times: u64) {
    let routes: Vec<RouteConfig> = (0..5)
        .flat_map(|number| {
            ["", "/:id", "/:id/orders/...", "/static/..."].map(|rest| RouteConfig::Path(format!("/part{number}{rest}")))
        })
        .collect();
    let entries = routes.iter().map(|route| RouteEntry { id: "component", route });
    let (router, _) = Router::build(entries).expect("routes that are right");
    for _ in 0..times {
        for (path, is_served) in [
            ("/part0", true),
            ("/part3/42", true),
            ("/part4/42/orders/7/lines", true),
            ("/part2/static/css/site.css", true),
            ("/nowhere/at/all", false),
        ] {
            assert_eq!(router.find(black_box(path)).is_some(), is_served, "{path}");
        }
    }
}

/// Telling a component how its request was routed.
fn injection(times: u64) {
    let route = RouteConfig::Path("/users/:id/...".to_owned());
    let (router, _) = Router::build([RouteEntry { id: "users", route: &route }]).expect("a route that is right");
    let uri = Uri::from_static("http://example.com:3000/users/42/orders/?page=2");
    let client = HeaderValue::from_static("127.0.0.1:50000");
    let sent: HeaderMap = [
        ("host", "example.com:3000"),
        ("user-agent", "bench/1.0"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, br"),
        ("cookie", "a=b; c=d"),
        ("spin-path-info", "/not/ours"),
    ]
    .into_iter()
    .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
    .collect();
    let found = router.find(uri.path()).expect("a path below the route");
    for _ in 0..times {
        let mut request = black_box(&sent).clone();
        headers::inject(&mut request, black_box(&uri), &found, &client).expect("a path that a header can carry");
        assert_eq!(black_box(&request).len(), 13);
    }
}

/// Whether a component may connect somewhere.
fn hosts(times: u64) {
    let entries = [
        "https://*.example.com",
        "http://self",
        "redis://10.0.0.0/8:*",
        "postgres://db.internal:5432",
        "*://localhost:8000..8100",
        "https://api.example.org:8443",
    ];
    let allowed = AllowedHosts::parse(entries, []).expect("entries that are right");
    for _ in 0..times {
        for (url, is_allowed) in [
            ("https://shop.example.com/cart?x=1", true),
            ("redis://10.1.2.3:6380", true),
            ("https://api.example.org:8443/v1", true),
            ("https://example.net/", false),
        ] {
            let destination = Destination::parse(black_box(url), "https").expect("a URL");
            assert_eq!(allowed.allow(&destination), is_allowed, "{url}");
        }
    }
}

/// Reading a template and putting values into it.
fn template(times: u64) {
    for _ in 0..times {
        let text = black_box("https://{{ host }}:{{ port }}/api/{{ version }}/items?key={{ api_key }}");
        let template = Template::parse(text).expect("a template that is right");
        let value = |name: &str| -> Result<String, std::convert::Infallible> { Ok(name.to_owned()) };
        let Ok(resolved) = template.resolve(value);
        assert_eq!(black_box(resolved).len(), 47);
    }
}

/// Reading a locked app.
fn lock(times: u64) {
    let json = include_bytes!("../../app/tests/data/shop.lock.json");
    for _ in 0..times {
        let app = LockedApp::from_json(black_box(json)).expect("a lock that is right");
        assert!(!black_box(app).components.is_empty());
    }
}
