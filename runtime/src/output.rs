//! What components write to their standard output and standard error.
//!
//! The runtime only hands the bytes on; where they end up (files, the terminal) is the trigger's.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use spin_app_model::ComponentId;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Which of a component's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutputKind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Where components' output goes.
pub trait Output: Send + Sync + 'static {
    /// The place for one stream of `component`; asked for once, when the component is prepared.
    fn stream(&self, component: &ComponentId, kind: OutputKind) -> Arc<dyn OutputSink>;
}

/// Takes what one stream of a component gets, from all its instances.
pub trait OutputSink: Send + Sync + 'static {
    /// Takes the bytes of one write. Called on the guest's thread: must not wait for long.
    fn write(&self, bytes: &[u8]);
}

/// One stream of one component, as an instance has it.
#[derive(Clone)]
pub(crate) struct ComponentOutput(pub(crate) Arc<dyn OutputSink>);

impl ComponentOutput {
    fn put(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.0.write(bytes);
        }
    }
}

/// A guest may write this much at a time in the 0.2 generation, which asks before it writes.
const WRITE_BUDGET: usize = 64 * 1024;

impl IsTerminal for ComponentOutput {
    // Guests must not colour or move the cursor: what they write is a log.
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for ComponentOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for ComponentOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.put(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for ComponentOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for ComponentOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BUDGET)
    }
}
