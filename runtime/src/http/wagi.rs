//! Commands (`wasi:cli/run`) called as CGI scripts: the executor `wagi`.
//!
//! A command sees the request as arguments, environment variables and standard input, and answers on standard output.

mod environment;
mod response;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use tokio::sync::Notify;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::CommandIndices as Exports;

use super::chain::EventContext;
use super::error::EventError;
use super::kind::{self, NotAHandler};
use super::whole::too_large;
use crate::component::Component;
use crate::host::wasi::CommandLine;
use crate::output::OutputSink;

/// Runs one command, in a fresh instance for each request.
pub(super) struct Wagi {
    component: Arc<Component>,
    exports: Exports,
    argv: String,
    limit: usize,
}

impl Wagi {
    /// `argv` is the template of the arguments; `limit` is for what the command writes to standard output.
    pub(super) fn new(component: &Arc<Component>, argv: String, limit: usize) -> Result<Self, NotAHandler> {
        let export = kind::command(component.id(), component.exports())?;
        let exports = Exports::new(component.pre()).map_err(|source| NotAHandler::Shape {
            component: component.id().clone(),
            export,
            source,
        })?;
        Ok(Self { component: Arc::clone(component), exports, argv, limit })
    }

    pub(super) async fn handle(
        self: Arc<Self>,
        request: Request<Bytes>,
        context: EventContext,
    ) -> Result<Response<Bytes>, EventError> {
        let id = self.component.id();
        let stdout = Arc::new(Captured::new(self.limit));
        let line = CommandLine {
            arguments: environment::arguments(&self.argv, request.uri()),
            variables: environment::variables(&request),
            stdin: request.into_body(),
            stdout: Arc::clone(&stdout) as Arc<dyn OutputSink>,
        };
        let mut event =
            self.component.instantiate_command(line, &context).await.map_err(EventError::of_instantiation)?;
        let loaded = self.exports.load(&mut event.store, &event.instance);
        let command = loaded.map_err(|error| EventError::of_call(id, &error))?;
        let meter = event.meter();
        let run = meter.run(command.wasi_cli_run().call_run(&mut event.store));
        let ended = tokio::select! {
            biased;
            () = stdout.overflowed() => return Err(too_large(self.limit)),
            ended = run => ended,
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(())) => tracing::warn!(component = %id, "the command says that it failed; its output is served"),
            Err(error) => match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(0)) => {}
                Some(I32Exit(code)) => {
                    return Err(EventError::BadResponse(format!("the command exited with code {code}")));
                }
                None => return Err(EventError::of_call(id, &error)),
            },
        }
        // The instance's place is somebody else's while the response is sent.
        drop(event);
        response::of_output(id, stdout.take().ok_or_else(|| too_large(self.limit))?, self.limit)
    }
}

/// What a command has written to its standard output, up to a limit.
struct Captured {
    // None when there was more than the limit.
    written: Mutex<Option<BytesMut>>,
    limit: usize,
    overflow: Notify,
}

impl Captured {
    fn new(limit: usize) -> Self {
        Self { written: Mutex::new(Some(BytesMut::new())), limit, overflow: Notify::new() }
    }

    /// Waits until the command has written more than the limit.
    async fn overflowed(&self) {
        self.overflow.notified().await;
    }

    /// All of it; none if it was more than the limit.
    fn take(&self) -> Option<Bytes> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).take().map(BytesMut::freeze)
    }
}

impl OutputSink for Captured {
    fn write(&self, bytes: &[u8]) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *written {
            Some(all) if all.len() + bytes.len() <= self.limit => all.extend_from_slice(bytes),
            Some(_) => {
                *written = None;
                self.overflow.notify_one();
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_kept_up_to_the_limit_and_not_at_all_beyond() {
        let captured = Captured::new(4);
        captured.write(b"ab");
        captured.write(b"cd");
        assert_eq!(captured.take().expect("four bytes"), "abcd");
        let captured = Captured::new(4);
        captured.write(b"abc");
        captured.write(b"de");
        captured.write(b"f");
        captured.overflowed().await;
        assert!(captured.take().is_none());
    }
}
