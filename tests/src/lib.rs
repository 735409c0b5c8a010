//! The harness of the end-to-end tests: they run the real programs, from outside.
//!
//! A test owns a [`World`]: a temporary folder that is home, data, cache and runtime directory of
//! everything that the test starts. What it starts is known by an environment variable, and a
//! process that outlives its world fails the test. Nothing here knows what the programs mean;
//! that is the tests' business.
//!
//! ```no_run
//! use spin_tests::{World, http};
//!
//! let world = World::new();
//! world.install("trigger-http");
//! let app = world.app("greeting", r#"
//!     spin_manifest_version = 2
//!     [application]
//!     name = "greeting"
//!     [[trigger.http]]
//!     route = "/..."
//!     component = "probe"
//!     [component.probe]
//!     source = "probe-p3.wasm"
//! "#, &["probe-p3"]);
//!
//! // Runs to the end:
//! let refused = world.spin(["up", "--no-such-flag"]).run();
//! assert_eq!(refused.code, Some(2), "{}", refused.snapshot());
//!
//! // Runs in the background:
//! let mut up = world.spin(["up", "--listen", "127.0.0.1:0"]).in_dir(app.dir()).start();
//! let address = up.serving();
//! assert_eq!(http::get(address, "/env/HOME").status, 404);
//! let ended = up.stop();
//! assert_eq!(ended.code, Some(0), "{}", ended.snapshot());
//! ```
//!
//! | module | what it does |
//! |---|---|
//! | [`world`](World) | the temporary folder, its environment, apps in it, installing plugins |
//! | [`process`] | running a program to the end, or in the background |
//! | [`output`] | collecting what a process says, and waiting until it says something |
//! | [`terminal`] | a program on a pseudo-terminal: typing, Ctrl-C, closing it |
//! | [`certificates`] | certificates of a test's own authority |
//! | [`host`] | a host of the test's own, for one trigger |
//! | [`hostile`] | hostile cases, as data |
//! | [`http`] | a plain HTTP/1.1 client that shows the bytes |
//! | [`streaming`] | a large body and its echo |
//! | [`memory`] | what a process holds |
//! | [`rules`] | which tests show which rule of the HTTP trigger |
//! | [`timing`] | how long something takes on a busy machine |
//! | [`probes`] | the app that most tests of the HTTP trigger run |
//! | [`upstream`] | a server of the test's own that components connect to |
//! | [`mosquitto`] | an MQTT broker of the test's own |
//! | [`postgres`] | a PostgreSQL server of the test's own |
//! | [`redis`] | a Redis server of the test's own |
//! | [`worlds`] | guests of every generation, made of the worlds of SDKs |
//! | [`web`] | a web server of the test's own |
//! | [`dist`] | where the programs under test are, and whether they are stale |
//!
//! `cargo xtask test` builds the programs and sets `SPIN_TEST_DIST`. Everything that waits has a
//! deadline and waits for an event: there are no sleeps.

pub mod certificates;
pub mod dist;
mod guard;
pub mod host;
pub mod hostile;
pub mod http;
pub mod mariadb;
pub mod memory;
pub mod mosquitto;
pub mod output;
pub mod postgres;
pub mod probes;
pub mod process;
mod redact;
pub mod redis;
pub mod rules;
mod server;
pub mod streaming;
pub mod terminal;
pub mod timing;
pub mod upstream;
mod user;
pub mod web;
mod world;
pub mod worlds;

pub use dist::{guest, repository};
pub use process::{Finished, Invocation, Running, Signal};
pub use terminal::Terminal;
pub use upstream::Upstream;
pub use world::{App, World};

use std::net::{Ipv4Addr, TcpListener};

/// A TCP port that was free a moment ago. Prefer port 0 and reading what the program says it got:
/// another process may take this one first.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port can be bound");
    listener.local_addr().expect("a bound socket has an address").port()
}
