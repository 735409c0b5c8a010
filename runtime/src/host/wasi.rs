//! WASI: 0.2 (one set of bindings serves every 0.2.x) and 0.3.0.
//!
//! A component gets the environment of its manifest entry, an output that goes to its log, clocks and random
//! numbers, the files that the app mounts, and sockets to where its manifest says; no arguments and no input. A command
//! that is called as a CGI script gets arguments, variables and an input of that call besides, and its output is the answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use spin_app_model::ComponentId;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::host::egress::Egress;
use crate::host::files::Mounts;
use crate::host::sockets::{self, ComponentSockets, ConnectionPlaces, InstanceSockets};
use crate::instance::HostState;
use crate::output::{ComponentOutput, Output, OutputKind, OutputSink};

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
    pub(crate) sockets: Arc<InstanceSockets>,
    pub(crate) places: ConnectionPlaces,
}

impl InstanceWasi {
    /// What gives a place to a connection to `address`, of a socket that has none. None if the engine will not be let connect:
    /// whoever may not must hold no place that another one waits for.
    pub(crate) fn without_place(&self, socket: u32, address: SocketAddr) -> Option<Arc<Egress>> {
        let needs_one = !self.places.contains_key(&socket) && self.sockets.may_connect(address);
        needs_one.then(|| self.sockets.egress())
    }
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
        let sockets = InstanceSockets::new(&self.sockets);
        let mut builder = WasiCtxBuilder::new();
        builder.envs(&self.environment).stderr(self.stderr.clone());
        sockets.guard(&mut builder);
        self.mounts.add(&mut builder)?;
        add(&mut builder);
        Ok(InstanceWasi { ctx: builder.build(), sockets, places: ConnectionPlaces::default() })
    }
}

/// What one call of a command brings.
pub(crate) struct CommandLine {
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) stdin: Bytes,
    pub(crate) stdout: Arc<dyn OutputSink>,
}
