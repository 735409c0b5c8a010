//! The Redis trigger of spin: gives messages of Redis channels to the components of `[[trigger.redis]]` entries.
//!
//! | Module | Responsible for |
//! |---|---|
//! | [`config`] | what the manifest and the command line say |
//! | [`plan`] | what they come to: which server has which channels, for which components |
//! | [`address`] | an address: reading it, showing it without its password |
//! | [`connect`] | connections to a server, with TLS |
//! | [`server`] | a server that is kept connected to: losing it, getting it back, telling of it |
//! | [`backoff`] | how long to wait before the next attempt |
//! | [`subscribe`] | one connection with subscriptions |
//! | [`backpressure`] | not reading more messages than are handled |
//! | [`queue`] | messages that wait, in bounded memory; the places of those that are handled |
//! | [`handler`] | one message, one call of a component |
//! | [`trigger`] | the whole, as the kit runs it |
//!
//! Messages of channels are delivered at most once: that is what Redis offers for them. The crate owns no files on disk;
//! `wit` is a link to the interfaces that components export for it.

pub mod address;
pub mod backoff;
pub mod backpressure;
pub mod config;
pub mod connect;
pub mod handler;
pub mod plan;
pub mod queue;
pub mod server;
pub mod subscribe;
pub mod trigger;

pub use trigger::RedisTrigger;
