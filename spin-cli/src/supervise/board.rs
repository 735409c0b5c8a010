//! How the app is, for those who ask from outside.

use std::time::Duration;

use spin_app_model::TriggerType;
use spin_app_model::launch::Status;
use tokio::sync::{mpsc, oneshot};

use super::reload::Outcome;
use super::restart::OnExit;
use super::wires::Ask;

/// A trigger that has not answered within this is not well.
const PATIENCE: Duration = Duration::from_secs(1);

/// How an app is.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    pub(super) triggers: Vec<Shown>,
    /// Whether the app is about to end.
    pub(super) is_draining: bool,
    /// How reloads went.
    pub(super) reloads: Vec<(Outcome, u64)>,
}

/// How one trigger is.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) trigger_type: TriggerType,
    pub(super) condition: Condition,
    pub(super) on_exit: OnExit,
    pub(super) restarts: u64,
    /// The way to ask it, if it can say more than we know.
    pub(super) asks: Option<mpsc::UnboundedSender<Ask>>,
}

/// What a trigger is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Starting,
    Ready,
    /// It runs, but has closed its control channel.
    Unreachable,
    /// It has ended, and will be started again.
    Waiting,
    Ended,
}

impl Condition {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Unreachable => "unreachable",
            Self::Waiting => "waiting for its restart",
            Self::Ended => "ended",
        }
    }
}

/// What a trigger says of itself when it is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Status(Status),
    /// It can't be asked.
    Mute,
    /// It didn't answer in time.
    Missing,
}

impl Board {
    /// Asks all triggers at once how they are.
    pub(super) async fn ask(&self) -> Vec<Answer> {
        let asked: Vec<_> = self.triggers.iter().map(Shown::ask).collect();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        for asked in asked {
            answers.push(match asked {
                None => Answer::Mute,
                Some(answer) => match tokio::time::timeout_at(deadline, answer).await {
                    Ok(Ok(status)) => Answer::Status(status),
                    Ok(Err(_)) | Err(_) => Answer::Missing,
                },
            });
        }
        answers
    }
}

impl Shown {
    fn ask(&self) -> Option<oneshot::Receiver<Status>> {
        let (answer, answered) = oneshot::channel();
        // One that has just ended drops the question, which is an answer too.
        _ = self.asks.as_ref()?.send(Ask::Status(answer));
        Some(answered)
    }
}
