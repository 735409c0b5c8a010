//! The loop of an instance that serves one event after another.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;

use super::lifetime::{Lifetime, Occupation};
use super::{Calls, Event, Instance, Overdue, Reply};
use crate::instance::HostState;
use crate::limits::{EventCall, InTurn};

/// A function that returns before it can be called again.
pub(crate) trait SequentialCalls: Calls {
    /// Calls it to its end. The reply is given when there is one, which may be before that; if the guest traps before, it is
    /// dropped.
    ///
    /// # Errors
    /// What the guest trapped with.
    fn call(
        export: &Self::Export,
        store: &mut Store<HostState>,
        request: Self::Request,
        reply: Reply<Self::Response>,
    ) -> impl Future<Output = wasmtime::Result<()>> + Send;
}

/// Serves events until there will be no more.
///
/// # Errors
/// What the guest trapped with, or [`Overdue`].
pub(crate) async fn serve<C: SequentialCalls>(instance: &mut Instance<C>, first: Event<C>) -> wasmtime::Result<()> {
    let Instance { workers, export, policy, meter, seat, store, .. } = instance;
    let mut lifetime = Lifetime::new(Arc::clone(meter), policy.idle, Arc::clone(&workers.component.instances));
    let mut guest = InTurn::new(Arc::clone(meter));
    let (mut event, mut begun) = (first, 0);
    loop {
        let Event { request, record, reply } = event;
        begun += 1;
        meter.begin(EventCall::Only, &record);
        let since = Instant::now();
        let mut call = pin!(C::call(export, store, request, reply));
        poll_fn(|context| {
            let called = guest.poll(call.as_mut(), context);
            if called.is_ready() {
                return called;
            }
            lifetime.poll_over(context, Occupation::Serving { since }).map(|()| Err(Overdue.into()))
        })
        .await?;
        if begun >= policy.requests || policy.idle.is_zero() || meter.has_lost() {
            return Ok(());
        }
        event = loop {
            meter.rest();
            let taken = poll_fn(|context| seat.poll_take(context, Some(policy.idle))).await;
            if meter.has_lost() {
                workers.dispatch(taken);
                return Ok(());
            }
            if !taken.reply.is_closed() {
                break taken;
            }
        };
    }
}
