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

/// What the server knows of it.
#[derive(Default)]
enum State {
    /// Nothing.
    #[default]
    New,
    Open(Open),
    /// It has ended within a transaction, or nobody can tell.
    Lost,
}

/// How a connection is named in the next request, and where it is to be sent, if not to the usual place.
struct Open {
    baton: String,
    base: Option<String>,
    in_transaction: bool,
}

/// A request that is about to be sent on a connection, and then its answer, until the next one may be sent.
///
/// Should the answer not come whole, or whoever waits for it go away, the connection is forgotten here, and closed at the
/// server. If a transaction was open, it is lost.
pub(super) struct Turn {
    pub(super) server: Arc<Server>,
    session: OwnedMutexGuard<Session>,
    /// As the request names it.
    before: Option<Open>,
    /// As the answer does.
    after: Option<Place>,
}

impl Turn {
    pub(super) fn new(server: &Arc<Server>, mut session: OwnedMutexGuard<Session>) -> Result<Self, Failure> {
        let before = match std::mem::take(&mut session.state) {
            State::New => None,
            State::Open(open) => Some(open),
            State::Lost => {
                session.state = State::Lost;
                return Err(server.failed(&"the connection is lost, and its transaction with it; open another one"));
            }
        };
        // As it is if nothing more is heard of it.
        if before.as_ref().is_some_and(|open| open.in_transaction) {
            session.state = State::Lost;
        }
        Ok(Self { server: Arc::clone(server), session, before, after: None })
    }

    /// Whether a transaction was open before the request.
    pub(super) fn in_transaction(&self) -> bool {
        self.before.as_ref().is_some_and(|open| open.in_transaction)
    }

    /// How the connection is named in a request, and where it is to be sent.
    pub(super) fn place(&self) -> (Option<&str>, Option<&str>) {
        let open = self.before.as_ref();
        (open.map(|open| open.baton.as_str()), open.and_then(|open| open.base.as_deref()))
    }

    /// The server doesn't know the connection any more: whether another one may take its place.
    pub(super) fn begin_anew(&mut self) -> bool {
        !self.in_transaction() && self.before.take().is_some()
    }

    /// What the statement has done.
    pub(super) fn effect(&mut self) -> &mut Effect {
        &mut self.session.effect
    }

    /// Does several things as a whole. How each went.
    pub(super) async fn pipeline(&mut self, requests: &[Request<'_>]) -> Result<Vec<Outcome>, Failure> {
        let (baton, base) = self.place();
        let answer = self.server.ask(base, "pipeline", &Pipeline { baton, requests }).await?;
        let answer =
            operator::Answer::read(answer, LONGEST_ANSWER).await.map_err(|error| self.server.failed(&error))?;
        let answers: Answers = self.server.parse(&answer.body)?;
        self.moved(answers.place)?;
        Ok(answers.results)
    }

    /// Where the connection is from now on.
    ///
    /// # Errors
    /// When that is elsewhere, where the token doesn't belong.
    pub(super) fn moved(&mut self, to: Place) -> Result<(), Failure> {
        if to.base_url.as_deref().is_some_and(|url| !self.server.at.is_at(url)) {
            self.after = Some(Place { base_url: None, ..to });
            let elsewhere = "the server wants statements sent elsewhere, where the token doesn't belong";
            return Err(self.server.failed(&elsewhere));
        }
        let base = to.base_url.as_deref().or(self.place().1).map(|url| url.trim_end_matches('/').to_owned());
        self.after = Some(Place { baton: to.baton, base_url: base });
        Ok(())
    }

    /// The answer is there, and the connection ready for the next request.
    pub(super) fn end(&mut self, in_transaction: bool) {
        self.before = None;
        self.session.state = match self.after.take() {
            Some(Place { baton: Some(baton), base_url: base }) => State::Open(Open { baton, base, in_transaction }),
            _ if in_transaction => State::Lost,
            _ => State::New,
        };
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let after = self.after.take().map(|Place { baton, base_url: base }| baton.map(|baton| (baton, base)));
        // Without an answer nobody knows whether the name is used up; then the server refuses it.
        let before = || self.before.take().map(|Open { baton, base, .. }| (baton, base));
        if let Some((baton, base)) = after.unwrap_or_else(before) {
            self.server.close(baton, base);
        }
    }
}
