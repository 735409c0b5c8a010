//! WASI: 0.2 (one set of bindings serves every 0.2.x) and 0.3.0.
//!
//! A component gets the environment of its manifest entry, an output that goes to its log, clocks and random
//! numbers, the files that the app mounts, and sockets to where its manifest says; no arguments and no input. A command
//! that is called as a CGI script gets arguments, variables and an input of that call besides, and its output is the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use spin_app_model::ComponentId;
use wasmtime::component::{Linker, LinkerInstance};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::host::files::Mounts;
use crate::host::sockets::{self, ComponentSockets, InstanceSockets};
use crate::instance::HostState;
use crate::output::{ComponentOutput, Output, OutputKind, OutputSink};

/// The versions that the engine links; guests of any other 0.2 and 0.3 get them.
const SECOND: &str = "0.2.12";
const THIRD: &str = "0.3.0";

/// The name by which the engine links an interface of 0.2, such as `io/poll`.
pub(crate) fn second(interface: &str) -> String {
    format!("wasi:{interface}@{SECOND}")
}

/// The same of 0.3.
pub(crate) fn third(interface: &str) -> String {
    format!("wasi:{interface}@{THIRD}")
}

/// Links something of ours in the place of what the engine has linked by the name `known`.
///
/// # Errors
/// When the engine has not: it is of a version that links another one of the interface, and guests would get that, not ours.
pub(crate) fn replace(
    linker: &mut Linker<HostState>,
    interface: &str,
    known: &str,
    define: impl FnOnce(&mut LinkerInstance<'_, HostState>, &str) -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    // A linker doesn't tell what it has, but takes no name twice.
    if linker.instance(interface)?.func_wrap(known, |_, (): ()| Ok(())).is_ok() {
        wasmtime::bail!("the engine links no {known} of {interface}");
    }
    linker.allow_shadowing(true);
    let defined = define(&mut linker.instance(interface)?, known);
    linker.allow_shadowing(false);
    defined
}

/// A result as it is given to a guest: `error` takes the interface's own errors out of one that may be a trap as well.
pub(crate) fn told<T, E, O>(
    result: Result<T, E>,
    error: fn(E) -> wasmtime::Result<O>,
) -> wasmtime::Result<(Result<T, O>,)> {
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(found) => Ok((Err(error(found)?),)),
    }
}

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    sockets::link(linker)
}

pub(crate) fn link_concurrent(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p3::add_to_linker(linker)?;
    sockets::link_concurrent(linker)
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi.ctx, table: &mut self.table }
    }
}

/// What one instance has of WASI.
pub(crate) struct InstanceWasi {
    ctx: WasiCtx,
    pub(crate) sockets: InstanceSockets,
}

/// What every instance of one component starts with.
pub(crate) struct WasiTemplate {
    environment: Vec<(String, String)>,
    mounts: Mounts,
    sockets: Arc<ComponentSockets>,
    stdout: ComponentOutput,
    stderr: ComponentOutput,
}

impl WasiTemplate {
    pub(crate) fn new(
        component: &ComponentId,
        environment: impl IntoIterator<Item = (String, String)>,
        mounts: Mounts,
        sockets: ComponentSockets,
        output: &dyn Output,
    ) -> Self {
        let output = |kind| ComponentOutput(output.stream(component, kind));
        Self {
            environment: environment.into_iter().collect(),
            mounts,
            sockets: Arc::new(sockets),
            stdout: output(OutputKind::Stdout),
            stderr: output(OutputKind::Stderr),
        }
    }

    pub(crate) fn instantiate(&self) -> wasmtime::Result<InstanceWasi> {
        self.instance(|builder| {
            builder.stdout(self.stdout.clone());
        })
    }

    /// With what a command is called with. Where the manifest has a variable of the same name, that one counts: it is the
    /// author's, and a client must not be able to change it.
    pub(crate) fn instantiate_command(&self, mut line: CommandLine) -> wasmtime::Result<InstanceWasi> {
        for (name, _) in &self.environment {
            line.variables.remove(name);
        }
        self.instance(|builder| {
            for (name, value) in &line.variables {
                builder.env(name, value);
            }
            builder.args(&line.arguments).stdin(MemoryInputPipe::new(line.stdin)).stdout(ComponentOutput(line.stdout));
        })
    }

    fn instance(&self, add: impl FnOnce(&mut WasiCtxBuilder)) -> wasmtime::Result<InstanceWasi> {
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment).stderr(self.stderr.clone());
        self.mounts.add(&mut builder)?;
        add(&mut builder);
        Ok(InstanceWasi { ctx: builder.build(), sockets: InstanceSockets::new(&self.sockets) })
    }
}

/// What one call of a command brings.
pub(crate) struct CommandLine {
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) stdin: Bytes,
    pub(crate) stdout: Arc<dyn OutputSink>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_put_in_the_place_of_what_the_engine_does_not_have() {
        let mut linker = Linker::new(&wasmtime::Engine::default());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("linked");
        let mut replaced = |interface: &str| {
            replace(&mut linker, interface, "poll", |interface, name| interface.func_wrap(name, |_, (): ()| Ok(())))
        };
        replaced(&second("io/poll")).expect("it is there");
        let error = replaced("wasi:io/poll@0.2.11").expect_err("there is another version");
        assert_eq!(error.to_string(), "the engine links no poll of wasi:io/poll@0.2.11");
    }
}
