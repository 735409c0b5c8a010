//! The loop of an instance that serves several events at once, in two halves.
//!
//! The inner one (`desk`) begins calls and sees them end; it runs within the store, and stands still as long as a guest runs
//! without a pause. So the outer one is here: it fetches events, hands on what the inner one can't take, and ends the
//! instance when it is time.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use wasmtime::component::{Accessor, Func, GuestTaskId};

use super::desk::Desk;
use super::lifetime::{Lifetime, Occupation};
use super::{Calls, Event, Instance, Overdue, Reply};
use crate::instance::HostState;
use crate::limits::InTurn;

/// A function that can be called again before it has returned.
pub(crate) trait ConcurrentCalls: Calls {
    /// As the engine knows it.
    fn function(export: &Self::Export) -> Func;

    /// Puts a call into the store's queue. Gives what the engine calls it, and what is ready when the guest has done with the
    /// event; that gives the reply. Whether the guest traps is for the store to say.
    ///
    /// # Errors
    /// When the instance holds too many resources of the host.
    fn begin<'a>(
        export: &'a Self::Export,
        accessor: &'a Accessor<HostState>,
        request: Self::Request,
        reply: Reply<Self::Response>,
    ) -> wasmtime::Result<(GuestTaskId, impl Future<Output = ()> + Send + 'a)>;
}

/// Serves events until there will be no more.
///
/// # Errors
/// What the guest trapped with, or [`Overdue`].
pub(crate) async fn serve<C: ConcurrentCalls>(instance: &mut Instance<C>, first: Event<C>) -> wasmtime::Result<()> {
    let Instance { workers, export, policy, meter, seat, store, .. } = instance;
    let desk = Desk::<C>::new(export, *policy, meter, first);
    let mut lifetime = Lifetime::new(Arc::clone(meter), policy.idle, Arc::clone(&workers.component.instances));
    let mut guest = InTurn::new(Arc::clone(meter));
    let mut turns = pin!(store.run_concurrent(async |accessor| desk.serve(accessor).await));
    std::future::poll_fn(|context| {
        loop {
            if let Some(event) = seat.take() {
                desk.put(event);
            }
            let turn = guest.poll(turns.as_mut(), context);
            // A guest that waits is told from one that was interrupted.
            let waits = guest.waits();
            let (occupation, is_open, left_over) = desk.after_turn();
            if let Some(event) = left_over {
                workers.dispatch(event);
            }
            if let Poll::Ready(ended) = turn {
                return Poll::Ready(ended.flatten());
            }
            // One that waits for an event and does nothing else is parked: others look after it. As long as somebody reads what
            // it said, its store may have to move that, although its guest has nothing to do.
            let is_idle = is_open && waits && matches!(occupation, Occupation::Idle { .. });
            let rests = is_idle && !meter.lingers();
            if rests {
                meter.rest();
            }
            let occupation = match occupation {
                Occupation::Idle { since } if is_idle => Occupation::Afterwards { since },
                other => other,
            };
            if !rests && lifetime.poll_over(context, occupation).is_ready() {
                return Poll::Ready(match occupation {
                    Occupation::Idle { .. } => Ok(()),
                    Occupation::Serving { .. } | Occupation::Afterwards { .. } => Err(Overdue.into()),
                });
            }
            // While it is to go on computing, others take what comes.
            if !(waits && is_open) {
                if let Some(event) = seat.leave() {
                    workers.dispatch(event);
                }
                return Poll::Pending;
            }
            match seat.poll_take(context, rests.then_some(policy.idle)) {
                Poll::Ready(event) => desk.put(event),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
