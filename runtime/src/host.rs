//! What guests can import. One capability, one module: how it is linked, what it keeps for the app, what it
//! keeps for one instance, and whether the component may use it.

pub(crate) mod egress;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod key_value;
pub(crate) mod rows;
pub(crate) mod sqlite;
pub(crate) mod variables;
pub(crate) mod wasi;

use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::instance::HostState;

/// A linker with everything that any generation of guests may import.
///
/// One linker serves all components of a process: what a component doesn't import costs it nothing.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<HostState>> {
    let mut linker = Linker::new(engine);
    wasi::link(&mut linker)?;
    http::link(&mut linker)?;
    variables::link(&mut linker)?;
    key_value::link(&mut linker)?;
    sqlite::link(&mut linker)?;
    Ok(linker)
}
