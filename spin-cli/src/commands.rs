//! The commands. Each is a pair, `Args` and `run`, and only puts together what the modules beside this one do.

pub(crate) mod build;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod documents;
pub(crate) mod external;
pub(crate) mod maintenance;
pub(crate) mod plugins;
pub(crate) mod trigger;
pub(crate) mod up;
pub(crate) mod version;
