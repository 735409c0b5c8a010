//! Requests a second, latencies and processor time of a request under load.

use std::path::Path;
use std::process::Command;

use spin_tests::{World, dist};

use crate::Effort;
use crate::plain::BODY;
use crate::report::{Bound, Report, median};
use crate::server::{Layout, Server};

/// Numbers of connections.
const CONNECTIONS: [u32; 3] = [1, 32, 256];

/// The best flags that are known for a fresh instance a request.
const TUNED: [&str; 3] =
    ["-Opooling-memory-keep-resident=2097152", "-Opooling-table-keep-resident=524288", "-Opooling-pagemap-scan=y"];

/// What a component of the 0.3 generation needs.
const P3: [&str; 2] = ["-Wcomponent-model-async=y", "-Sp3=y"];

/// What a server did in one turn.
#[derive(Clone, Copy)]
struct Turn {
    /// Requests a second.
    rate: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Microseconds of the server's processor time for one request.
    cpu: f64,
}

/// All scenarios in both layouts.
pub(crate) fn run(world: &World, wasmtime: &Path, effort: Effort, report: &mut Report) {
    let p2 = app(
        world,
        "p2",
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello-p2.wasm\"\n",
    );
    let p3 = app(
        world,
        "p3",
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello.wasm\"\n",
    );
    let fixed = format!(
        "[[trigger.http]]\nroute = \"/...\"\nstatic_response = {{ body = {BODY:?}, headers = {{ content-type = \"text/plain\" }} }}\n"
    );
    let fixed = app(world, "fixed", &fixed);
    for layout in Layout::ALL {
        let ours = Server::spin(world, layout, "spin", &p2, &[]);
        let p2_wasm = dist::guest("hello-p2");
        let default = Server::wasmtime(world, layout, "wasmtime serve", wasmtime, &p2_wasm, &[]);
        let tuned = Server::wasmtime(world, layout, "wasmtime serve, tuned", wasmtime, &p2_wasm, &TUNED);
        compare("p2 hello, fresh", layout, ours, vec![default, tuned], effort, report, |peer| match peer {
            "wasmtime serve" => (Some(Bound::AtLeast(1.5)), Some(Bound::AtMost(0.65))),
            _ => (Some(Bound::AtLeast(1.15)), None),
        });

        let ours = Server::spin(world, layout, "spin", &p3, &[]);
        let peer = Server::wasmtime(world, layout, "wasmtime serve", wasmtime, &dist::guest("hello"), &P3);
        compare("p3 hello, reused", layout, ours, vec![peer], effort, report, |_| {
            (Some(Bound::AtLeast(1.3)), Some(Bound::AtMost(0.75)))
        });

        let ours = Server::spin(world, layout, "spin", &fixed, &[]);
        compare("static response", layout, ours, vec![Server::plain(world, layout)], effort, report, |_| {
            (Some(Bound::AtLeast(0.85)), None)
        });
    }
}

/// What no peer does, or not by itself: components of the first generation, a call to a store, and a body that is streamed
/// both ways. To our own hello.
pub(crate) fn others(world: &World, effort: Effort, report: &mut Report) {
    let manifest = "spin_manifest_version = 2\napplication = { name = \"others\" }\n\
        [[trigger.http]]\nroute = \"/...\"\ncomponent = \"hello\"\n[component.hello]\nsource = \"hello.wasm\"\n\
        [[trigger.http]]\nroute = \"/first/...\"\ncomponent = \"first\"\n[component.first]\nsource = \"inbound-probe.wasm\"\n\
        [[trigger.http]]\nroute = \"/call\"\ncomponent = \"call\"\n[component.call]\nsource = \"host-probe.wasm\"\n\
        key_value_stores = [\"default\"]\n\
        [[trigger.http]]\nroute = \"/p3/...\"\ncomponent = \"echo\"\n[component.echo]\nsource = \"probe-p3.wasm\"\n";
    let app = world.app("others", manifest, &["hello", "inbound-probe", "host-probe", "probe-p3"]).dir().to_path_buf();
    let layout = Layout::Together;
    let get = "spin:key-value/key-value@3.0.0\nopen\tdefault\nget\tkept";
    let mebibyte = "x".repeat(1 << 20);
    for (what, path, body) in [
        ("inbound-http, fresh", "/first/status/200", None),
        ("key-value get", "/call", Some(get)),
        ("1 MiB both ways", "/p3/echo", Some(mebibyte.as_str())),
    ] {
        let ours = Server::spin(world, layout, "spin", &app, &[]).asked(world, path, body);
        let hello = Server::spin(world, layout, "p3 hello", &app, &[]);
        compare(what, layout, ours, vec![hello], effort, report, |_| (None, None));
    }
}

/// What limits cost: the hello with all of them, and with those off or out of reach that can be.
pub(crate) fn limits(world: &World, effort: Effort, report: &mut Report) {
    let p3 = app(
        world,
        "limits",
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"hello.wasm\"\n",
    );
    let layout = Layout::Apart;
    let ours = Server::spin(world, layout, "spin", &p3, &["--max-instance-memory", "268435456"]);
    let far = ["--max-cpu-time", "100000", "--request-timeout", "100000s"];
    let without = Server::spin(world, layout, "spin without limits", &p3, &far);
    compare("p3 hello, with limits", layout, ours, vec![without], effort, report, |_| {
        (Some(Bound::AtLeast(0.97)), None)
    });
}

/// An app of these tables, with both greeters beside its manifest.
pub(crate) fn app(world: &World, name: &str, tables: &str) -> std::path::PathBuf {
    let manifest = format!("spin_manifest_version = 2\napplication = {{ name = \"{name}\" }}\n{tables}");
    world.app(name, &manifest, &["hello", "hello-p2"]).dir().to_path_buf()
}

/// One of a turn's.
type Figure = fn(&Turn) -> f64;

/// For requests a second and for processor time.
type Bounds = (Option<Bound>, Option<Bound>);

fn compare(
    what: &str,
    layout: Layout,
    ours: Server,
    peers: Vec<Server>,
    effort: Effort,
    report: &mut Report,
    bounds: impl Fn(&str) -> Bounds,
) {
    let mut servers = vec![ours];
    servers.extend(peers);
    for server in &servers {
        // What is compiled, mapped or made at first use is no matter of this measurement.
        load(server, layout, 32, 1);
    }
    let mut at_32 = None;
    for connections in CONNECTIONS {
        let mut turns: Vec<Vec<Turn>> = servers.iter().map(|_| Vec::new()).collect();
        for pair in 0..effort.pairs {
            let mut order: Vec<usize> = (0..servers.len()).collect();
            if pair % 2 == 1 {
                order.reverse();
            }
            for at in order {
                turns[at].push(load(&servers[at], layout, connections, effort.seconds));
            }
        }
        let of = |at: usize, figure: Figure| -> Vec<f64> { turns[at].iter().map(figure).collect() };
        let place = format!("{what}, {connections} connections, {}", layout.name());
        for (at, server) in servers.iter().enumerate().skip(1) {
            let (rate, cpu) = if connections == 32 { bounds(server.name) } else { (None, None) };
            let tail = (connections > 1 && server.name == "wasmtime serve").then_some(Bound::AtMost(1.15));
            let figures: [(&str, Figure, &str, Option<Bound>); 4] = [
                ("requests a second", |turn| turn.rate, "", rate),
                ("processor time a request", |turn| turn.cpu, " µs", cpu),
                ("p50", |turn| turn.p50, " µs", None),
                ("p99", |turn| turn.p99, " µs", tail),
            ];
            for (name, figure, unit, bound) in figures {
                let (ours, theirs) = (of(0, figure), of(at, figure));
                let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
                let digits = usize::from(unit == " µs");
                let shown = format!("{:.digits$}{unit}", median(ours));
                report.line(format!("{place}: {name}"), shown, server.name, &ratios, bound);
            }
        }
        let rates = of(0, |turn| turn.rate);
        if connections == 32 {
            at_32 = Some(median(rates));
        } else if let (256, Some(at_32)) = (connections, at_32) {
            let bound = what.starts_with("p3").then_some(Bound::AtLeast(0.95));
            let ratios: Vec<f64> = rates.iter().map(|rate| rate / at_32).collect();
            report.line(
                format!("{place}: requests a second"),
                format!("{:.0}", median(rates)),
                "itself at 32",
                &ratios,
                bound,
            );
        }
    }
    servers.into_iter().for_each(Server::stop);
}

/// One turn of `wrk`.
fn load(server: &Server, layout: Layout, connections: u32, seconds: u32) -> Turn {
    let before = server.processor_time();
    let output = Command::new("taskset")
        .args(["-c", &layout.of_load(), "wrk", "--latency", "-t1"])
        .args([format!("-c{connections}"), format!("-d{seconds}s")])
        .args(server.script.iter().flat_map(|script| [Path::new("-s"), script]))
        .arg(format!("http://{}{}", server.address, server.path))
        .output()
        .expect("wrk is there (package wrk)");
    let used = server.processor_time() - before;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("Non-2xx"), "{}: {text}", server.name);
    let field = |name: &str| {
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.split_whitespace().next().expect("a value").to_owned()
    };
    let requests =
        text.lines().find(|line| line.contains(" requests in ")).and_then(|line| line.split_whitespace().next());
    let requests: f64 = requests.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{text}"));
    Turn {
        rate: field("Requests/sec:").parse().expect("a number"),
        p50: microseconds(&field("50%")),
        p99: microseconds(&field("99%")),
        cpu: used.as_secs_f64() * 1e6 / requests,
    }
}

fn microseconds(text: &str) -> f64 {
    let (number, factor) = match text.strip_suffix("us") {
        Some(number) => (number, 1.0),
        None => match text.strip_suffix("ms") {
            Some(number) => (number, 1e3),
            None => (text.trim_end_matches('s'), 1e6),
        },
    };
    number.parse::<f64>().unwrap_or_else(|_| panic!("a time: {text}")) * factor
}
