//! The HTTP trigger, run by the real `spin` as an installed plugin, with real components.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "http/access_log.rs"]
mod access_log;
#[path = "http/chaining.rs"]
mod chaining;
#[path = "http/client.rs"]
mod client;
#[path = "http/dependencies.rs"]
mod dependencies;
#[path = "http/files.rs"]
mod files;
#[path = "http/floods.rs"]
mod floods;
#[path = "http/frames.rs"]
mod frames;
#[path = "http/headers.rs"]
mod headers;
#[macro_use]
#[path = "../src/hostile/named.rs"]
mod named;
#[path = "http/hostile_cases.rs"]
mod hostile_cases;
#[path = "http/http2.rs"]
mod http2;
#[path = "http/http2_rules.rs"]
mod http2_rules;
#[path = "http/instances.rs"]
mod instances;
#[path = "http/outbound.rs"]
mod outbound;
#[path = "http/outbound_config.rs"]
mod outbound_config;
#[path = "http/outbound_hosts.rs"]
mod outbound_hosts;
#[path = "http/outbound_tls.rs"]
mod outbound_tls;
#[path = "http/output.rs"]
mod output;
#[path = "http/responses.rs"]
mod responses;
#[path = "http/routing.rs"]
mod routing;
#[path = "http/server.rs"]
mod server;
#[path = "http/slow.rs"]
mod slow;
#[path = "http/smuggling.rs"]
mod smuggling;
#[path = "http/streaming.rs"]
mod streaming;
#[path = "http/tls.rs"]
mod tls;
#[path = "http/variables.rs"]
mod variables;

use std::net::SocketAddr;

use spin_tests::probes::{self, BOTH, GENERATIONS};
use spin_tests::{App, Running, World};

/// An app that runs.
struct Served {
    address: SocketAddr,
    up: Running,
    app: App,
    _world: World,
}

/// Serves an app of these tables of a manifest, with further flags for the trigger.
#[track_caller]
fn serve(manifest: &str, flags: &[&str]) -> Served {
    serve_in(World::new(), manifest, flags)
}

#[track_caller]
fn serve_in(world: World, manifest: &str, flags: &[&str]) -> Served {
    world.install("trigger-http");
    let app = probes::app(&world, manifest);
    let arguments = ["up", "--listen", "127.0.0.1:0"].into_iter().chain(flags.iter().copied());
    let up = world.spin(arguments).in_dir(app.dir()).start();
    let address = up.serving();
    Served { address, up, app, _world: world }
}

/// Both probes as in [`BOTH`], with this list in `allowed_outbound_hosts`.
fn both_allowed(hosts: &str) -> String {
    let line = format!("allowed_outbound_hosts = {hosts}");
    probes::both_with(&line, &line)
}

/// The path of a probe that forwards its request to `url`; `more` is a further part of the query.
fn forward(generation: &str, url: &str, more: &str) -> String {
    let encoded: String = url
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' => char::from(byte).to_string(),
            byte => format!("%{byte:02x}"),
        })
        .collect();
    format!("/{generation}/forward?url={encoded}{more}")
}

#[test]
fn the_tests_that_show_rules_are_there() {
    spin_tests::rules::check(env!("CARGO_CRATE_NAME"));
}
