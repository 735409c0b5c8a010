//! The signals that ask `spin` to stop, or to read the app again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::report::Exit;

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Interrupt,
    Terminate,
    /// The terminal is gone.
    HangUp,
}

impl Stop {
    /// The exit code of a command that ends because of it, as shells give it to a process that the signal has ended.
    pub(crate) fn exit(self) -> Exit {
        Exit::new(match self {
            Self::HangUp => 128 + 1,
            Self::Interrupt => 128 + 2,
            Self::Terminate => 128 + 15,
        })
    }
}

/// The stop signals, from the moment this exists until the process ends.
///
/// Made before anything that must be cleaned up: from then on a signal asks, where it would have killed.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`, which asks to be left alone when the terminal goes.
    hang_up: Option<Signal>,
}

impl StopSignals {
    pub(crate) fn listen() -> io::Result<Self> {
        let hang_up = if hang_up_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hang_up })
    }

    /// The next request to stop. Can be cancelled without losing one.
    pub(crate) async fn next(&mut self) -> Stop {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => drop(hang_up.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            () = hang_up => Stop::HangUp,
        }
    }
}

/// What can be asked of an app that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Stop(Stop),
    /// USR1.
    Reload,
}

/// The signals that an app obeys, from the moment this exists until the process ends.
pub(crate) struct AppSignals {
    pub(crate) stop: StopSignals,
    reload: Signal,
}

impl AppSignals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { stop: StopSignals::listen()?, reload: signal(SignalKind::user_defined1())? })
    }

    /// The next request. Can be cancelled without losing one. Several requests to reload may come as one.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            biased;
            stop = self.stop.next() => Request::Stop(stop),
            _ = self.reload.recv() => Request::Reload,
        }
    }
}

/// Whether this process was started with HUP ignored. Asked before a handler is set, which would hide it.
fn hang_up_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| ignores(&status, SignalKind::hangup().as_raw_value()))
}

fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_mask() {
        assert!(ignores("Name:\tspin\nSigIgn:\t0000000000001001\n", 1));
        assert!(!ignores("Name:\tspin\nSigIgn:\t0000000000001000\n", 1));
        assert!(!ignores("Name:\tspin\n", 1));
    }
}
