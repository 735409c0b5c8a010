//! The Redis trigger of spin: gives messages of Redis channels to the components of `[[trigger.redis]]` entries.
//!
//! | Module | Responsible for |
//! |---|---|
//! | [`config`] | what the manifest and the command line say; which address has which channels |
//! | [`address`] | an address: reading it, showing it without its password, connecting to it |
//! | [`subscribe`] | one connection for as long as the trigger runs: subscribing, losing it, getting it back |
//! | [`backoff`] | how long to wait before the next attempt |
//! | [`backpressure`] | not reading more messages than are handled |
//! | [`dispatch`] | handlers in parallel, with a limit |
//! | [`handler`] | one message, one fresh instance of a component |
//! | [`trigger`] | the whole, as the kit runs it |
//!
//! Messages are delivered at most once: that is what Redis offers for channels. It owns no files on disk; `wit` is a
//! link to the interfaces that components export for it.

pub mod address;
pub mod backoff;
pub mod backpressure;
pub mod config;
pub mod dispatch;
pub mod handler;
pub mod subscribe;
pub mod trigger;

pub use trigger::RedisTrigger;
