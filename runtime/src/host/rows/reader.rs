//! Items as whoever reads a stream gets them.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{
    Destination, FutureReader, Lift, Lower, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use super::unread::{Batch, Counted};

/// What the guest reads, and how it ended.
pub(crate) struct Rows<T, E> {
    pub(super) receiver: mpsc::Receiver<Batch<T>>,
    pub(crate) ended: oneshot::Receiver<Result<(), E>>,
}

impl<T, E> Rows<T, E> {
    /// The next items; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Vec<T>> {
        self.receiver.recv().await.map(|batch| batch.items)
    }

    /// Whoever makes items learns that nobody reads them any more.
    pub(crate) fn close(&mut self) {
        self.receiver.close();
    }
}

/// The items of a stream and its end, as guests have them.
pub(crate) type Readers<T, E> = (StreamReader<T>, FutureReader<Result<(), E>>);

impl<T, E> Rows<T, E>
where
    T: Lift + Lower + Send + Sync + 'static,
    E: Send + 'static,
{
    /// Hands it to a guest. `kept` is dropped when nobody reads the items any more; `given_up` is the end if whoever makes
    /// them says none.
    pub(crate) fn into_readers<S, K, G>(self, mut store: S, kept: K, given_up: E) -> wasmtime::Result<Readers<T, G>>
    where
        S: AsContextMut<Data: Send + 'static>,
        K: Send + Unpin + 'static,
        G: From<E> + Lift + Lower + Send + Sync + 'static,
    {
        let items = StreamReader::new(&mut store, Items { receiver: self.receiver, given: None, _kept: kept })?;
        let ended = FutureReader::new(&mut store, async move {
            wasmtime::error::Ok(self.ended.await.unwrap_or(Err(given_up)).map_err(G::from))
        })?;
        Ok((items, ended))
    }
}

/// The items of a stream as a guest gets them. What makes them stops when this is dropped.
struct Items<T, K> {
    receiver: mpsc::Receiver<Batch<T>>,
    /// What the guest was given last: the engine has it until the guest asks for more.
    given: Option<Counted>,
    _kept: K,
}

impl<T, K, D> StreamProducer<D> for Items<T, K>
where
    T: Lift + Lower + Send + Sync + 'static,
    K: Send + Unpin + 'static,
    D: 'static,
{
    type Item = T;
    type Buffer = VecBuffer<T>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, T, VecBuffer<T>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store.as_context_mut()) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        self.given = None;
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(Batch { items, counted })) => {
                destination.set_buffer(items.into());
                self.given = Some(counted);
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
