//! The contract between the host (`spin up`) and a trigger process: what both sides must agree on, as data.
//!
//! * [`env`](mod@env): the environment variables a trigger is started with and those it reads;
//! * [`ControlAddress`]: where the trigger finds the control channel;
//! * [`LineReader`]: splits the channel's bytes into lines, with a limit;
//! * [`TriggerMessage`] and [`HostMessage`]: what a line says;
//! * [`metrics`]: what a trigger counts, on the channel and as a text for Prometheus;
//! * [`message_schemas`]: the same for programs that are not in Rust;
//! * [`negotiate`] and [`answer_hello`]: which protocol both sides speak.
//!
//! Everything here is a pure function of its input: no sockets, no clocks, no environment. The host and the library
//! for trigger authors bring those, and so can an implementation in another language.
//!
//! ```
//! use spin_app_model::launch::{HostMessage, LineReader, PROTOCOL, TriggerMessage, answer_hello};
//!
//! let mut lines = LineReader::new();
//! lines.push(br#"{"hello":{"protocols":[1],"type":"http","#);
//! assert_eq!(lines.next_line()?, None);
//! lines.push(b"\"version\":\"0.1.0\",\"features\":[]}}\n");
//!
//! let line = lines.next_line()?.expect("the line is complete now");
//! let Some(TriggerMessage::Hello(hello)) = TriggerMessage::decode(&line)? else { unreachable!() };
//! let welcome = answer_hello(&hello, &"http".parse()?, &[PROTOCOL])?;
//! assert_eq!(HostMessage::Welcome(welcome).encode(), "{\"welcome\":{\"protocol\":1,\"features\":[]}}\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
pub mod env;
mod hello;
mod line;
mod message;
pub mod metrics;
mod schema;

use std::time::Duration;

pub use address::{AddressError, ControlAddress, MAX_SOCKET_PATH_BYTES};
pub use hello::{HelloError, NoCommonProtocol, answer_hello, negotiate};
pub use line::{LineError, LineReader, MAX_LINE_BYTES};
pub use message::{
    Drain, Endpoint, FEATURES, Failed, Generation, Hello, HostMessage, MessageError, Progress, RELOAD, Ready, Rejected,
    Reload, STATUS, Status, StatusRequest, TriggerMessage, Welcome,
};

pub use schema::message_schemas;

/// The protocol that this crate describes.
///
/// Protocol 0 is the one without a control channel: environment, arguments and signals only.
pub const PROTOCOL: u32 = 1;

/// How long after its start a trigger that promised protocol 1 may take to say hello.
pub const HELLO_DEADLINE: Duration = Duration::from_secs(5);

/// How long a trigger may take from the commit of a generation to committed. What can take long belongs before prepared.
pub const COMMIT_DEADLINE: Duration = Duration::from_secs(60);

/// How soon a trigger stops after it lost the channel: its host is gone.
pub const CHANNEL_LOSS_DEADLINE: Duration = Duration::from_millis(500);

/// How long events in flight may take when the host asks a trigger to drain and nobody said otherwise.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(30);
