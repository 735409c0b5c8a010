//! The HTTP trigger of spin: serves the `[[trigger.http]]` entries of an app.
//!
//! | Module | Responsible for |
//! |---|---|
//! | [`config`] | what the manifest says |
//! | [`flags`], [`range`], [`listen`] | what the command line says |
//! | [`policy`] | how instances live, by what the two say |
//! | [`route`] | which entry serves a path |
//! | [`authority`], [`headers`] | what a component is told about a request, and what a client may not claim |
//! | [`static_response`], [`well_known`] | answers that need no component |
//! | [`listing`] | what is told at start |
//! | [`server`], [`activity`], [`dispatch`], [`body`] | from a connection to a response |
//! | [`chain`] | requests of the app to itself |
//! | [`trigger`] | the whole, as the kit runs it |
//!
//! It owns no files on disk.

pub mod activity;
pub mod authority;
pub mod body;
pub mod chain;
pub mod config;
pub mod dispatch;
pub mod flags;
pub mod headers;
pub mod listen;
pub mod listing;
pub mod policy;
pub mod range;
pub mod route;
pub mod server;
pub mod static_response;
pub mod trigger;
pub mod well_known;

pub use trigger::HttpTrigger;
