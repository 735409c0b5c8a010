//! What is known of a connection between two requests on it.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::hrana::{Answers, Outcome, Pipeline, Place, Request};
use super::{LONGEST_ANSWER, Server};
use crate::host::http::operator;
use crate::host::rows::Failure;

/// What is known of a connection.
#[derive(Default)]
pub(super) struct Session {
    state: State,
    pub(super) effect: Effect,
}

/// What the last statements have done.
#[derive(Default)]
pub(super) struct Effect {
    pub(super) last_insert_rowid: i64,
    pub(super) changes: u64,
}

impl Session {
    /// Whether the server knows of it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }
}

/// What the server knows of it.
#[derive(Default)]
enum State {
    /// Nothing.
    #[default]
    New,
    /// How to name it, and where, if not at the usual place.
    Open { baton: String, base: Option<String>, in_transaction: bool },
    /// It has ended within a transaction, or nobody can tell.
    Lost,
}

/// A request that is about to be sent on a connection, and then its answer, until the next one may be sent.
///
/// Should the answer not come, or whoever waits for it go away: the server forgets the connection after a while, and so is
/// done here. If a transaction was open, the connection is lost.
pub(super) struct Turn {
    pub(super) server: Arc<Server>,
    session: OwnedMutexGuard<Session>,
    baton: Option<String>,
    base: Option<String>,
    pub(super) in_transaction: bool,
}

impl Turn {
    pub(super) fn new(server: &Arc<Server>, mut session: OwnedMutexGuard<Session>) -> Result<Self, Failure> {
        let (baton, base, in_transaction) = match std::mem::take(&mut session.state) {
            State::New => (None, None, false),
            State::Open { baton, base, in_transaction } => (Some(baton), base, in_transaction),
            State::Lost => {
                session.state = State::Lost;
                return Err(server.failed(&"the connection is lost, and its transaction with it; open another one"));
            }
        };
        if in_transaction {
            session.state = State::Lost;
        }
        Ok(Self { server: Arc::clone(server), session, baton, base, in_transaction })
    }

    /// How the connection is named in a request, and where it is to be sent.
    pub(super) fn place(&self) -> (Option<&str>, Option<&str>) {
        (self.baton.as_deref(), self.base.as_deref())
    }

    /// What the statement has done.
    pub(super) fn effect(&mut self) -> &mut Effect {
        &mut self.session.effect
    }

    /// Does several things as a whole. How each went.
    pub(super) async fn pipeline(&mut self, requests: &[Request<'_>]) -> Result<Vec<Outcome>, Failure> {
        let pipeline = Pipeline { baton: self.baton.as_deref(), requests };
        let answer = self.server.ask(self.base.as_deref(), "pipeline", &pipeline).await?;
        let answer =
            operator::Answer::read(answer, LONGEST_ANSWER).await.map_err(|error| self.server.failed(&error))?;
        let answers: Answers = self.server.parse(&answer.body)?;
        self.moved(answers.place)?;
        Ok(answers.results)
    }

    /// Where the connection is from now on.
    pub(super) fn moved(&mut self, to: Place) -> Result<(), Failure> {
        if to.base_url.as_deref().is_some_and(|url| !self.server.0.is_at(url)) {
            let elsewhere = "the server wants statements sent elsewhere, where the token doesn't belong";
            return Err(self.server.failed(&elsewhere));
        }
        self.baton = to.baton;
        self.base = to.base_url.or(self.base.take());
        Ok(())
    }

    /// The answer is there, and the connection ready for the next request.
    pub(super) fn end(&mut self, in_transaction: bool) {
        self.session.state = match self.baton.take() {
            Some(baton) => State::Open { baton, base: self.base.take(), in_transaction },
            None if in_transaction => State::Lost,
            None => State::New,
        };
    }
}
