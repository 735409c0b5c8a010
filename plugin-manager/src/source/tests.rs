//! Catalogues that lie elsewhere: refreshing, reading without a network, and everything a place may do to us.
#![allow(clippy::unwrap_used, reason = "tests")]

mod repository;
mod signed;
mod web;

use super::*;
use crate::PluginManager;
use crate::testing::runtime;

/// What came of refreshing the one catalogue of a manager: the news, or the code of the error.
fn refresh_one(manager: &PluginManager) -> Result<News, String> {
    let mut all = runtime().block_on(manager.refresh(&crate::Silent));
    assert_eq!(all.len(), 1);
    let refreshed = all.remove(0);
    refreshed.outcome.map_err(|error| error.code().to_owned())
}
