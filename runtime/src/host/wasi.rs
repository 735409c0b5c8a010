//! WASI: 0.2 (one set of bindings serves every 0.2.x) and 0.3.0.
//!
//! A component gets the environment of its manifest entry, an output that goes to its log, clocks and random
//! numbers, and the files that the app mounts; no arguments, no input and no sockets.

use spin_app_model::ComponentId;
use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::host::files::Mounts;
use crate::instance::HostState;
use crate::output::{ComponentOutput, Output, OutputKind};

pub(crate) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What every instance of one component starts with.
pub(crate) struct WasiTemplate {
    environment: Vec<(String, String)>,
    mounts: Mounts,
    stdout: ComponentOutput,
    stderr: ComponentOutput,
}

impl WasiTemplate {
    pub(crate) fn new(
        component: &ComponentId,
        environment: impl IntoIterator<Item = (String, String)>,
        mounts: Mounts,
        output: &dyn Output,
    ) -> Self {
        let output = |kind| ComponentOutput(output.stream(component, kind));
        Self {
            environment: environment.into_iter().collect(),
            mounts,
            stdout: output(OutputKind::Stdout),
            stderr: output(OutputKind::Stderr),
        }
    }

    pub(crate) fn instantiate(&self) -> wasmtime::Result<WasiCtx> {
        let mut builder = WasiCtxBuilder::new();
        builder
            .envs(&self.environment)
            .stdout(self.stdout.clone())
            .stderr(self.stderr.clone())
            .allow_tcp(false)
            .allow_udp(false);
        self.mounts.add(&mut builder)?;
        Ok(builder.build())
    }
}
