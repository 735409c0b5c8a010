//! Connections that guests open to servers: what one instance may have of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

/// The longest address that a guest may name, in bytes. It is kept with what is connected.
pub(crate) const LONGEST_ADDRESS: usize = 4096;

/// Connections of one kind that one instance may have open.
pub(crate) const MOST_OPEN: usize = 1024;

/// What can be chosen about connections to servers of one kind that components name.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// How many connections all components have open to them at once; whoever wants one more waits. Default: no limit but
    /// that of [`EgressOptions`](crate::EgressOptions).
    pub max_connections: Option<usize>,
}

/// The connections of one kind that an instance has open, of at most `MOST`.
#[derive(Default)]
pub(crate) struct Opened<const MOST: usize = MOST_OPEN>(Option<Arc<Semaphore>>);

/// There is no place for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many connections")]
pub(crate) struct TooMany;

/// The place of one connection, for as long as it is open.
pub(crate) struct OpenPlace {
    _permit: OwnedSemaphorePermit,
    others: usize,
}

impl<const MOST: usize> Opened<MOST> {
    /// A place for one more.
    ///
    /// # Errors
    /// When the instance has as many as it may.
    pub(crate) fn take(&mut self) -> Result<OpenPlace, TooMany> {
        let places = self.0.get_or_insert_with(|| Arc::new(Semaphore::new(MOST)));
        let permit = Arc::clone(places).try_acquire_owned().map_err(|_| TooMany)?;
        Ok(OpenPlace { _permit: permit, others: MOST - 1 - places.available_permits() })
    }
}

impl OpenPlace {
    /// How many connections the instance had open already.
    pub(crate) fn others(&self) -> usize {
        self.others
    }
}

/// What interfaces work on whose connections are resources.
pub(crate) struct View<'a, C> {
    pub(crate) component: &'a Arc<C>,
    pub(crate) opened: &'a mut Opened,
    pub(crate) table: &'a mut ResourceTable,
}

impl<C> View<'_, C> {
    /// What a connection is opened with: the component, and a place.
    ///
    /// # Errors
    /// When the instance has as many as it may.
    pub(crate) fn reserve(&mut self) -> Result<(Arc<C>, OpenPlace), TooMany> {
        Ok((Arc::clone(self.component), self.opened.take()?))
    }

    /// Gives the guest a handle.
    ///
    /// # Errors
    /// When the instance has too many resources of any kind.
    pub(crate) fn keep<H: Send + 'static>(&mut self, connection: H) -> Result<Resource<H>, TooMany> {
        self.table.push(connection).map_err(|_| TooMany)
    }

    pub(crate) fn find<H: Clone + 'static>(&self, connection: &Resource<H>) -> Result<H, ResourceTableError> {
        self.table.get(connection).cloned()
    }

    pub(crate) fn close<H: 'static>(&mut self, connection: Resource<H>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_so_many_and_no_more() {
        let mut opened = Opened::<MOST_OPEN>::default();
        let mut places: Vec<OpenPlace> = (0..MOST_OPEN).map(|_| opened.take().expect("a place")).collect();
        let others: Vec<usize> = places.iter().map(OpenPlace::others).collect();
        assert_eq!(others, (0..MOST_OPEN).collect::<Vec<_>>());
        assert!(opened.take().is_err());
        places.pop();
        assert_eq!(opened.take().map(|place| place.others()).ok(), Some(MOST_OPEN - 1));
    }
}
