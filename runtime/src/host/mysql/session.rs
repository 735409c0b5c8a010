//! One connection to a server, through all who borrow it.
//!
//! Whoever borrows a connection has it alone, so that a transaction is one. When it comes back, it is made as new while
//! nobody waits for it: the server forgets all that was done on it, as if the user had just come.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::Object;
use mysql_async::prelude::Queryable;
use mysql_async::{ChangeUserOpts, Conn, Opts};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::server::Server;
use crate::host::connections::OpenPlace;
use crate::host::egress::{Egress, Place};
use crate::host::pools::Share;

/// How long it may take to make a connection as new; after it the connection is given up.
const RESET_TIME: Duration = Duration::from_secs(5);

/// A connection. It keeps its place among those of all components while it is open.
pub(super) struct Session {
    /// None while it is made as new, and after it was given up.
    connection: Option<Conn>,
    /// What makes it as new, after somebody had it.
    resetting: Option<JoinHandle<Option<Conn>>>,
    egress: Arc<Egress>,
    _place: Place,
}

impl Session {
    pub(super) fn new(connection: Conn, egress: Arc<Egress>, place: Place) -> Self {
        Self { connection: Some(connection), resetting: None, egress, _place: place }
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

    /// What can stop a statement of the connection, if it hasn't been given up.
    pub(super) fn killer(&self) -> Option<Killer> {
        let session = self.session.as_ref()?;
        let connection = session.connection.as_ref()?;
        let (options, id) = (connection.opts().clone(), connection.id());
        Some(Killer { options, connection: id, egress: Arc::clone(&session.egress) })
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
pub(super) struct Killer {
    options: Opts,
    connection: u32,
    egress: Arc<Egress>,
}

impl Killer {
    /// The other connection has a place as every one has, and waits for it.
    pub(super) async fn kill(&self) -> Result<(), mysql_async::Error> {
        let _place = self.egress.place().await;
        let mut other = Conn::new(self.options.clone()).await?;
        other.query_drop(format!("KILL QUERY {}", self.connection)).await?;
        other.disconnect().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::egress::EgressOptions;

    #[tokio::test]
    async fn nothing_is_stopped_by_more_connections_than_there_may_be() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("mysql://u@{}/db", server.local_addr().expect("bound"));
        let options = EgressOptions { max_connections: Some(1), ..EgressOptions::default() };
        let egress = Arc::new(Egress::new(&options));
        let place = egress.place().await;
        let killer = Killer { options: Opts::from_url(&url).expect("a URL"), connection: 1, egress };
        let mut killing = Box::pin(killer.kill());
        tokio::select! {
            _ = &mut killing => panic!("it waits for a place"),
            _ = server.accept() => panic!("it has no place"),
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
        drop(place);
        tokio::select! {
            _ = &mut killing => panic!("it has been told nothing"),
            connected = server.accept() => drop(connected.expect("it comes")),
        }
    }
}
