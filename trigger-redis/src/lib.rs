//! The Redis trigger of spin: gives messages of Redis channels, lists and streams to the components of `[[trigger.redis]]` entries.
//!
//! | Module | Responsible for |
//! |---|---|
//! | [`config`], [`flags`] | what the manifest and the command line say |
//! | [`entries`] | from there to a plan: templates, defaults, what doesn't go together |
//! | [`plan`] | which server has which channels, lists and streams, for which components |
//! | [`address`] | an address: reading it, showing it without its password |
//! | [`connect`] | connections to a server, with TLS |
//! | [`server`] | a server that is kept connected to: losing it, getting it back, telling of it |
//! | [`permissions`] | what a user may do, found out before it is needed |
//! | [`backoff`] | how long to wait before the next attempt |
//! | [`subscribe`] | one connection with subscriptions |
//! | [`list`], [`stream`] | messages that the server keeps until they are handled |
//! | [`delivery`] | what both have in common: trying again, settling |
//! | [`backpressure`] | not reading more messages than are handled |
//! | [`queue`] | messages that wait, in bounded memory; the places of those that are handled |
//! | [`handler`] | one message, one call of a component |
//! | [`trigger`] | the trigger, as the kit runs it, and what a generation of the app wants of it |
//! | `running` | all connections while it runs, from one generation to the next |
//!
//! Messages of channels are delivered at most once: that is what Redis offers for them. Those of lists and streams are
//! delivered at least once. The crate owns no files on disk;
//! `wit` is a link to the interfaces that components export for it.

pub mod address;
pub mod backoff;
pub mod backpressure;
pub mod config;
pub mod connect;
pub mod delivery;
pub mod entries;
pub mod flags;
pub mod handler;
pub mod list;
pub mod permissions;
pub mod plan;
pub mod queue;
mod running;
pub mod server;
pub mod stream;
pub mod subscribe;
pub mod trigger;

pub use trigger::RedisTrigger;
