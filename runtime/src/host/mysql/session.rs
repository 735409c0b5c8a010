//! One connection to a server, through all who borrow it.
//!
//! Whoever borrows a connection has it alone, so that a transaction is one. When it comes back, it is made as new while
//! nobody waits for it: the server forgets all that was done on it, as if the user had just come.

use std::time::Duration;

use deadpool::managed::Object;
use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, Opts};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::server::Server;
use crate::host::connections::OpenPlace;
use crate::host::egress::Place;
use crate::host::pools::Share;

/// How long it may take to make a connection as new; after it the connection is given up.
const RESET_TIME: Duration = Duration::from_secs(5);

/// A connection. It keeps its place among those of all components while it is open.
pub(super) struct Session {
    /// None while it is made as new, and after it was given up.
    connection: Option<Conn>,
    /// What makes it as new, after somebody had it.
    resetting: Option<JoinHandle<Option<Conn>>>,
    _place: Place,
}

impl Session {
    pub(super) fn new(connection: Conn, place: Place) -> Self {
        Self { connection: Some(connection), resetting: None, _place: place }
    }

    /// Whether it works, and nothing is left of who had it last.
    pub(super) async fn is_as_new(&mut self) -> bool {
        if let Some(resetting) = self.resetting.take() {
            self.connection = resetting.await.ok().flatten();
        }
        let Some(connection) = &mut self.connection else { return false };
        // Nobody reads what a server says to a connection that lies here, such as that it is closed.
        matches!(timeout(RESET_TIME, connection.ping()).await, Ok(Ok(())))
    }
}

/// A connection that somebody has borrowed.
pub(super) struct Borrowed {
    /// Until it is given back.
    session: Option<Object<Server>>,
    /// Whether it may lie in the pool unused.
    kept: bool,
    // Free when the connection is.
    _share: Share,
    _place: OpenPlace,
}

impl Borrowed {
    pub(super) fn new((session, share): (Object<Server>, Share), kept: bool, place: OpenPlace) -> Self {
        Self { session: Some(session), kept, _share: share, _place: place }
    }

    /// The connection, if it hasn't been given up.
    pub(super) fn connection(&mut self) -> Option<&mut Conn> {
        self.session.as_mut()?.connection.as_mut()
    }

    /// Closes the connection, on which nobody knows what comes next.
    pub(super) fn give_up(&mut self) {
        if let Some(session) = &mut self.session {
            session.connection = None;
        }
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        match (session.connection.take(), Handle::try_current()) {
            (Some(connection), Ok(runtime)) if self.kept => {
                session.resetting = Some(runtime.spawn(reset(connection)));
            }
            _ => drop(Object::take(session)),
        }
    }
}

/// The connection as new, unless that fails.
async fn reset(mut connection: Conn) -> Option<Conn> {
    let changed = timeout(RESET_TIME, connection.change_user(ChangeUserOpts::default())).await;
    matches!(changed, Ok(Ok(()))).then_some(connection)
}

/// Stops the statement of a connection, by another one to the same address.
pub(super) async fn kill(options: Opts, connection: u32) -> Result<(), mysql_async::Error> {
    let mut other = Conn::new(options).await?;
    other.query_drop(format!("KILL QUERY {connection}")).await?;
    other.disconnect().await
}
