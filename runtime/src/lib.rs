//! Running components: the engine, compiled code, limits, and what guests can import.
//!
//! The crate offers a trigger one thing: *prepare this component once, then invoke this export with this
//! event*. It never prints and never parses arguments.
//!
//! | module | what is in it |
//! |---|---|
//! | [`engine`] | wasmtime's settings with their reasons; the epoch clock |
//! | [`aot`] | the cache of compiled code, the crate's one unsafe call |
//! | [`adapt`] | what a file is; core modules that become components |
//! | [`compose`] | a component with its dependencies as one component |
//! | `platform` | which engine a component needs, and what it is linked with there |
//! | `sources` | the files that components are made of, and what is known of them without reading them |
//! | `prepare` | from files to a component that is ready, or from the cache to that |
//! | [`ahead`] | filling the cache before a start |
//! | [`app`] | from a locked application to components that are ready |
//! | [`component`] | a component that is ready, and what can be asked of it |
//! | [`instance`] | an instance's store and the host's state beside it |
//! | [`http`] | HTTP events: fresh and reused instances |
//! | [`reuse`] | calls of any asynchronous export on reused instances |
//! | [`limits`], [`permits`] | memory, processor time; how many at once |
//! | `workers`, `seats` | instances that serve events; which of them gets which event |
//! | [`variables`] | values of variables |
//! | [`output`] | where guests' output goes |
//! | `host` | one module for each capability that guests import |
//!
//! Files on disk: the compiled code under the user's cache folder, see [`aot`].

pub mod adapt;
pub mod ahead;
pub mod aot;
pub mod app;
pub mod component;
pub mod compose;
pub mod engine;
mod host;
pub mod http;
pub mod instance;
mod interface;
pub mod limits;
pub mod output;
pub mod permits;
mod platform;
mod prepare;
pub mod reuse;
mod seats;
mod sources;
pub mod variables;
mod workers;

pub use app::{App, AppOptions, SeedError};
pub use component::{Component, InvokeError, PrepareError};
pub use host::HostOptions;
pub use host::connections::ServerOptions;
pub use host::egress::{Blocked, EgressOptions};
pub use host::files::{MountError, MountOptions};
pub use host::http::HttpOptions;
pub use host::http::client_tls::{ClientTls, ClientTlsError, Identity, Trust};
pub use host::key_value::{KeyValueOptions, KeyValueStore};
pub use host::llm::{LlmApi, LlmCompute, LlmOptions};
pub use host::mqtt::MqttOptions;
pub use host::sqlite::{SqliteDatabase, SqliteOptions};
pub use instance::{EventInstance, HostState};
pub use output::{Output, OutputKind, OutputSink};
pub use {wasmtime, wasmtime_wasi, wasmtime_wasi_http};
