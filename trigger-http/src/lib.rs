//! The HTTP trigger of spin: serves the `[[trigger.http]]` entries of an app.
//!
//! | Module | Responsible for |
//! |---|---|
//! | [`config`] | what the manifest says |
//! | [`flags`], [`range`], [`listen`] | what the command line says |
//! | [`policy`] | how instances live, by what the two say |
//! | [`route`] | which entry serves a path |
//! | [`authority`], [`headers`], [`ids`] | what a component is told about a request, and what a client may not claim |
//! | [`static_response`], [`well_known`] | answers that need no component |
//! | [`listing`] | what is told at start |
//! | [`server`], [`tls`], [`connection`], [`activity`] | connections: accepting, securing, serving and ending them |
//! | [`limits`], [`admission`] | how much one client may take, and what is refused |
//! | [`site`], [`current`] | from what an app declares to what answers; going over to a new generation |
//! | [`dispatch`], [`body`], [`together`], [`access_log`] | from a request to a response, and to a line about it |
//! | [`chain`] | requests of the app to itself |
//! | [`trigger`] | the whole, as the kit runs it |
//!
//! It owns no files on disk; it reads those of `--tls-cert` and `--tls-key`.

pub mod access_log;
pub mod activity;
pub mod admission;
pub mod authority;
pub mod body;
pub mod chain;
pub mod config;
pub mod connection;
pub mod current;
pub mod dispatch;
pub mod flags;
pub mod headers;
pub mod ids;
pub mod limits;
pub mod listen;
pub mod listing;
pub mod policy;
pub mod range;
pub mod route;
pub mod server;
pub mod site;
pub mod static_response;
pub mod tls;
pub mod together;
pub mod trigger;
pub mod version;
pub mod well_known;

pub use trigger::HttpTrigger;
