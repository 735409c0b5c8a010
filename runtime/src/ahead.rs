//! Compiling ahead: the code of an app's components is put into the cache, for starts to come.
//!
//! Nothing is needed for it but the components' files. No value of a variable is looked up, no store opened, no folder
//! mounted and no server asked, so it can be done where the app is built or installed.

use std::path::Path;

use spin_app_model::ComponentId;
use spin_app_model::lock::LockedApp;
use wasmtime::component::Linker;

use crate::component::PrepareError;
use crate::engine::{EngineOptions, RunningEngine};
use crate::instance::HostState;
use crate::platform::Platforms;
use crate::prepare::{Compiler, Job, Unkept, Work};

/// What compiling ahead came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compiled {
    /// How many components were compiled.
    pub now: usize,
    /// How many were in the cache already.
    pub before: usize,
}

/// Compiles the components `ids` of `locked` for an engine of these options, below the folder `cache`, as a start with
/// the same options would: `link` adds what the trigger offers to components besides what every trigger does.
///
/// # Errors
/// The first component, in the order of `ids`, that a start would refuse for its code or its imports; and code that
/// can't be written.
pub fn compile(
    locked: &LockedApp,
    ids: &[ComponentId],
    options: &EngineOptions,
    cache: &Path,
    link: fn(&mut Linker<HostState>) -> wasmtime::Result<()>,
    on_progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Compiled, PrepareError> {
    let engines = RunningEngine::new(options).map_err(PrepareError::Engine)?;
    let platforms = Platforms::new(&engines, link, Some(cache));
    let compiler = Compiler { app: locked, platforms, unkept: Unkept::Error, work: Work::default() };
    let jobs = Job::of(locked, ids)?;
    compiler.run(&jobs, ids, &|job| compiler.linked(job).map(drop), on_progress)?;
    let (now, before) = compiler.work.compiled_and_cached();
    Ok(Compiled { now, before })
}
