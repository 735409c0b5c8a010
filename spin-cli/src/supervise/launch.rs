//! A trigger that can be started, as often as need be.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use spin_app_model::TriggerType;
use spin_app_model::launch::env;

use super::Timing;
use super::child::Trigger;
use super::restart::OnExit;
use super::socket::Socket;
use super::spawn::Program;
use crate::report::Report;
use crate::ui::Stream;

/// A trigger to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The name of the plugin, for messages.
    pub(crate) name: String,
    pub(crate) trigger_type: TriggerType,
    pub(crate) program: Program,
    pub(crate) promise: Promise,
    pub(crate) task: Task,
    pub(crate) on_exit: OnExit,
}

/// What a trigger is started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// To take events until it is asked to end.
    Serve,
    /// To compile the components, and to end when that is done.
    Compile,
}

/// What the plugin's manifest says about the control channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It lists protocols: hello is due soon after the start.
    Hello,
    /// It lists none: it may connect at any time, and until then it is protocol 0.
    Nothing,
}

/// A trigger that was just started, and the ends of its output if that is ours to show.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) trigger: Trigger,
    pub(super) output: Vec<(Stream, OwnedFd)>,
}

impl Launch {
    /// Starts the trigger with its control channel.
    pub(super) fn start(mut self, socket: Socket, timing: Timing) -> Result<Started, StartError> {
        self.program.environment.set(env::CONTROL, socket.address().to_string());
        let failed = |source| StartError { name: self.name.clone(), path: self.program.path.clone(), source };
        let mut process = self.program.spawn().map_err(failed)?;
        let mut output = Vec::new();
        if let Some(pipe) = process.stdout.take() {
            output.push((Stream::Out, pipe.into_owned_fd().map_err(failed)?));
        }
        if let Some(pipe) = process.stderr.take() {
            output.push((Stream::Err, pipe.into_owned_fd().map_err(failed)?));
        }
        Ok(Started { trigger: Trigger::new(self, process, socket, timing), output })
    }
}

/// Why a trigger's executable does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {name} (\"{}\")", path.display())]
pub(crate) struct StartError {
    name: String,
    path: PathBuf,
    source: io::Error,
}

impl From<StartError> for Report {
    fn from(error: StartError) -> Self {
        let help = match error.source.kind() {
            io::ErrorKind::NotFound => "the file is missing, or the interpreter that its first line names",
            io::ErrorKind::PermissionDenied => "the file must be executable",
            _ => "the file must be a program for this machine; a script needs a first line like #!/bin/sh",
        };
        Self::of(&error).code("trigger::start").help(help)
    }
}
