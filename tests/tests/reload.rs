//! New generations of an app under load: of `trigger-http` over the control channel, with a host of the test's own, and of a
//! whole app by USR1.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spin_tests::host::Host;
use spin_tests::http::{self, Client};
use spin_tests::{Signal, World, guest};

const RELOADS: u64 = 100;
/// Every tenth generation is broken, in one of these ways in turn.
const BROKEN: [&str; 3] = ["guest", "route", "abort"];

/// Writes generation `id`: its component, an asset and a variable's value all say which it is.
fn generation(world: &World, id: u64, change: impl FnOnce(&mut Value)) -> PathBuf {
    let folder = world.path(format!("gen-{id}"));
    // Guests of two interfaces in turn: even the way in which a component is called changes.
    let name = if id.is_multiple_of(2) { "probe-p2" } else { "probe-p3" };
    let assets = folder.join("assets");
    std::fs::create_dir_all(&assets).unwrap();
    std::fs::write(assets.join("asset.txt"), id.to_string()).unwrap();
    let wasm = folder.join("probe.wasm");
    std::fs::copy(guest(name), &wasm).unwrap();
    let mut lock = json!({
        "spin_lock_version": 0,
        "metadata": { "name": "app", "trigger": { "type": "http" } },
        "variables": { "generation": { "default": id.to_string() } },
        "triggers": [{
            "id": "probe", "trigger_type": "http", "trigger_config": { "component": "probe", "route": "/..." }
        }],
        "components": [{
            "id": "probe",
            "source": { "content_type": "application/wasm", "source": format!("file://{}", wasm.display()) },
            "files": [{ "source": format!("file://{}", assets.display()), "path": "/" }],
            "env": { "GENERATION": id.to_string() },
            "config": { "generation": "{{ generation }}" },
        }],
    });
    change(&mut lock);
    std::fs::write(folder.join("spin.lock"), lock.to_string()).unwrap();
    folder
}

/// A generation that can't be run.
fn broken(world: &World, id: u64, how: &str) -> PathBuf {
    let folder = generation(world, id, |lock| {
        if how == "route" {
            lock["triggers"][0]["trigger_config"]["route"] = "/:*".into();
        }
    });
    if how == "guest" {
        std::fs::write(folder.join("probe.wasm"), "no component").unwrap();
    }
    folder
}

/// Which generation a component, an asset and a variable are of.
const SIGNS: [&str; 3] = ["/env/GENERATION", "/file/read?path=/asset.txt", "/variable/generation"];

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text:?} is no generation"))
}

/// Clients that never stop asking; each counts its requests, and panics at the first that fails or goes back in time.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |kept: bool| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                let mut connection = Client::connect(address).unwrap();
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    if !kept {
                        connection = Client::connect(address).unwrap();
                    }
                    for sign in &SIGNS[..if kept { 3 } else { 1 }] {
                        let response = connection.request("GET", sign, &[], b"").unwrap();
                        assert_eq!(response.status, 200, "{sign}: {}", response.text());
                        let found = number(&response.text());
                        assert!(found >= last, "{sign} is of generation {found}, after {last}");
                        last = found;
                        asked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        };
        let clients = (0..8).map(|_| client(true)).chain([client(false)]).collect();
        Self { stop, asked, clients }
    }

    /// Ends it; the number of requests, all of which were answered.
    fn finish(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("no request has failed");
        }
        self.asked.load(Ordering::Relaxed)
    }
}

fn serves(address: SocketAddr, id: u64) {
    for sign in SIGNS {
        assert_eq!(number(&http::get(address, sign).text()), id, "{sign}");
    }
}

fn start(world: &World, first: &Path) -> (Host, spin_tests::Running, SocketAddr) {
    let trigger = world.program("trigger-http").args(["--listen", "127.0.0.1:0", "--log-dir", ""]);
    let (host, running) = Host::start(world, trigger, first);
    let address = running.serving();
    host.wait_for("{\"ready\":");
    (host, running, address)
}

#[test]
fn a_hundred_reloads_under_load_fail_no_request() {
    let world = World::new();
    let (host, running, address) = start(&world, &generation(&world, 1, |_| {}));
    // One response that is streamed all the time, by the first generation.
    let mut slow = Client::connect(address).unwrap();
    slow.send(b"GET /drip?ms=50&n=100000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(slow.read_head("GET").unwrap().status, 200);
    slow.next_part().unwrap().unwrap();
    let load = Load::start(address);
    let mut current = 1;
    for id in 2..=RELOADS + 1 {
        if id.is_multiple_of(10) {
            let how = BROKEN[(id / 10) as usize % BROKEN.len()];
            host.announce(id, &broken(&world, id, how));
            if how == "abort" {
                host.wait_for(&format!("{{\"prepared\":{{\"id\":{id}}}}}"));
                host.say(&json!({ "abort": { "id": id } }));
            } else {
                host.wait_for(&format!("{{\"rejected\":{{\"id\":{id},"));
            }
            std::fs::remove_dir_all(world.path(format!("gen-{id}"))).unwrap();
        } else {
            host.announce(id, &generation(&world, id, |_| {}));
            host.wait_for(&format!("{{\"prepared\":{{\"id\":{id}}}}}"));
            assert_eq!(number(&http::get(address, SIGNS[0]).text()), current, "nothing changes before the commit");
            host.say(&json!({ "commit": { "id": id } }));
            host.wait_for(&format!("{{\"committed\":{{\"id\":{id}}}}}"));
            current = id;
        }
        serves(address, current);
    }
    assert!(load.finish() > RELOADS, "there was no load");
    assert!(slow.next_part().unwrap().is_some(), "the first generation still answers");
    assert!(!host.heard().contains("{\"retired\":{\"id\":2}}"), "and is therefore not retired");
    drop(slow);
    host.say(&json!({ "status": { "id": 7 } }));
    let status = host.wait_for("{\"status\":{\"id\":7,\"ready\":true,");
    for part in ["spin_events_total", "spin_event_duration_seconds", "spin_live_instances", "spin_memory_bytes"] {
        assert!(status.contains(part), "{part} is not in {status}");
    }
    host.wait_for("{\"retired\":{\"id\":2}}");
    let ended = running.stop().success();
    assert_eq!(ended.code, Some(0));
}

#[test]
fn generations_that_end_are_retired_and_their_memory_is_given_back() {
    let world = World::new();
    let (host, running, address) = start(&world, &generation(&world, 1, |_| {}));
    for id in 2..=20 {
        serves(address, id - 1);
        host.announce(id, &generation(&world, id, |_| {}));
        host.wait_for("{\"prepared\":");
        host.say(&json!({ "commit": { "id": id } }));
        host.wait_for(&format!("{{\"retired\":{{\"id\":{id}}}}}"));
        // Nobody needs it any more.
        std::fs::remove_dir_all(world.path(format!("gen-{}", id - 1))).unwrap();
    }
    serves(address, 20);
    running.stop().success();
}

/// The manifest of generation `id`; its component, an asset and a variable's value all say which it is.
fn manifest(id: u64) -> String {
    let guest = if id.is_multiple_of(2) { "probe-p2" } else { "probe-p3" };
    format!(
        r#"
spin_manifest_version = 2
[application]
name = "app"
[variables]
generation = {{ default = "{id}" }}
[[trigger.http]]
route = "/..."
component = "probe"
[component.probe]
source = "{guest}.wasm"
files = [{{ source = "assets", destination = "/" }}]
environment = {{ GENERATION = "{id}" }}
[component.probe.variables]
generation = "{{{{ generation }}}}"
"#
    )
}

#[test]
fn a_signal_changes_component_asset_and_variable_together_a_hundred_times() {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", &manifest(1), &["probe-p2", "probe-p3"]);
    let asset = |id: u64| world.write("apps/app/assets/asset.txt", id.to_string());
    asset(1);
    std::fs::write(app.dir().join("broken.wasm"), "no component").unwrap();
    let up = world.spin(["up", "--listen", "127.0.0.1:0", "--quiet"]).in_dir(app.dir()).start();
    let address = up.serving();
    let mut slow = Client::connect(address).unwrap();
    slow.send(b"GET /drip?ms=50&n=100000 HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(slow.read_head("GET").unwrap().status, 200);
    let load = Load::start(address);
    let mut current = 1;
    for id in 2..=RELOADS + 1 {
        let text = manifest(id);
        // Old assets are served although the file has changed.
        asset(id);
        let text = match id % 30 {
            10 => text.replace("[application]", "[application"),
            20 => text.replace("probe-p2.wasm", "broken.wasm"),
            0 => text.replace("\"/...\"", "\"/:*\""),
            _ => text,
        };
        std::fs::write(app.manifest(), &text).unwrap();
        up.signal(Signal::USR1);
        if id.is_multiple_of(10) {
            up.stderr().wait_for("the app goes on as it was");
        } else {
            up.stderr().wait_for("The app is reloaded");
            current = id;
        }
        serves(address, current);
    }
    assert!(load.finish() > RELOADS, "there was no load");
    assert!(slow.next_part().unwrap().is_some(), "the first generation still answers");
    drop(slow);
    up.stop().success();
}

/// How much of the code of a process's program is in its memory, in hundredths.
fn resident_code(pid: u32) -> u64 {
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut lines =
        maps.lines().skip_while(|line| !line.contains(" r-xp ") || !line.ends_with(program.to_str().unwrap()));
    let mut next = |name: &str| {
        let line = lines.find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name} {maps}"));
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    let size = next("Size:");
    next("Rss:") * 100 / size
}

#[test]
fn spin_has_little_of_its_code_in_memory_while_it_waits() {
    let world = World::new();
    world.install("trigger-http");
    let app = world.app("app", &manifest(1), &["probe-p2", "probe-p3"]);
    world.write("apps/app/assets/asset.txt", "1");
    let up = world.spin(["up", "--listen", "127.0.0.1:0", "--quiet"]).in_dir(app.dir()).start();
    serves(up.serving(), 1);
    let began = Instant::now();
    // After its start it is two thirds. Nothing tells when less is needed.
    while resident_code(up.pid()) > 45 {
        assert!(began.elapsed() < Duration::from_secs(30), "{} %", resident_code(up.pid()));
        std::thread::sleep(Duration::from_millis(10));
    }
    up.stop().success();
}
