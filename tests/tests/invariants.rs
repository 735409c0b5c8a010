//! The invariants of the architecture that can be read off the repository itself: who depends on
//! whom, and who may write to the terminal or use `unsafe`.
//!
//! The invariants about behaviour are tested where the behaviour is.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "invariants/dependencies.rs"]
mod dependencies;
#[path = "invariants/hostile.rs"]
mod hostile;
#[path = "invariants/rules.rs"]
mod rules;
#[path = "invariants/source.rs"]
mod source;
#[path = "invariants/sources.rs"]
mod sources;
