//! Instances of `wasi:http` components that serve events: how they are made, where their events come from, and how they end.
//!
//! The loop of an instance has two halves. The inner one (`desk`) begins calls and sees them end; it runs within the store,
//! and stands still as long as a guest runs without a pause. So the outer one is here: it fetches events, hands on what the
//! inner one can't take, and ends the instance when it is time (`lifetime`).

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::oneshot;
use wasmtime::{AsContextMut, Store};

use super::call::{HandlerExport, HandlerPre, Reply};
use super::desk::Desk;
use super::error::{EventError, tell_end};
use super::lifetime::{Lifetime, Occupation};
use super::{HandlerOptions, InstancePolicy, Request, Response};
use crate::component::Component;
use crate::instance::{HostState, Meter, new_store};
use crate::limits::{Audience, EventRecord, MeterState};
use crate::permits::Permit;
use crate::seats::{Seat, Seats};

/// Makes the instances of one component, and gives them events.
pub(super) struct Workers {
    component: Arc<Component>,
    pre: HandlerPre,
    policy: Arc<dyn Fn() -> InstancePolicy + Send + Sync>,
    reuse_p2: bool,
    seats: Arc<Seats<Event>>,
}

/// An event on its way to an instance.
pub(super) struct Event {
    pub(super) request: Request,
    pub(super) record: Arc<EventRecord>,
    pub(super) reply: Reply,
}

impl Workers {
    pub(super) fn new(component: &Arc<Component>, pre: HandlerPre, options: &HandlerOptions) -> Arc<Self> {
        let (component, policy) = (Arc::clone(component), Arc::clone(&options.policy));
        Arc::new(Self { component, pre, policy, reuse_p2: options.reuse_p2, seats: Arc::default() })
    }

    /// Gives a request to an instance that would take it, or to a new one.
    pub(super) async fn handle(
        self: &Arc<Self>,
        request: Request,
        record: &Arc<EventRecord>,
    ) -> Result<Response, EventError> {
        let (reply, response) = oneshot::channel();
        self.dispatch(Event { request, record: Arc::clone(record), reply });
        match response.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(EventError::of_handler(error, record)),
            Err(_) => Err(EventError::of_lost_instance(record).await),
        }
    }

    fn dispatch(self: &Arc<Self>, event: Event) {
        if event.reply.is_closed() {
            return;
        }
        let Err(event) = self.seats.offer(event) else { return };
        // An instance may end together with the process, with an event that it had not looked at.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(Arc::clone(self).serve(event));
        }
    }

    /// The life of an instance that is made for `event`.
    async fn serve(self: Arc<Self>, mut event: Event) {
        let made = tokio::select! {
            made = self.instantiate(&event.record) => made,
            // Nobody is kept waiting for a place by one who has gone.
            () = event.reply.closed() => return,
        };
        match made {
            Ok(instance) => instance.run(event).await,
            Err(error) => {
                // Who waited may be gone.
                let _ = event.reply.send(Err(error));
            }
        }
    }

    async fn instantiate(self: &Arc<Self>, record: &EventRecord) -> wasmtime::Result<Instance> {
        let component = &self.component;
        let permit = component.place(record.context()).await?;
        let mut store = new_store(&component.engine, &component.template, &component.limits)?;
        let meter = Arc::clone(&store.data().meter);
        let export = Meter(Arc::clone(&meter)).run(self.pre.instantiate(&mut store)).await?;
        let policy = match self.pre {
            HandlerPre::P3(_) => (self.policy)(),
            // Its handler is a function that returns before it can be called again.
            HandlerPre::P2(_) if self.reuse_p2 => InstancePolicy { concurrent: 1, ..(self.policy)() },
            HandlerPre::P2(_) => InstancePolicy::FRESH,
        };
        let seat = self.seats.seat();
        Ok(Instance { workers: Arc::clone(self), export, policy, meter, seat, store, _permit: permit })
    }
}

/// One instance.
struct Instance {
    workers: Arc<Workers>,
    export: HandlerExport,
    policy: InstancePolicy,
    meter: Arc<MeterState>,
    seat: Seat<Event>,
    store: Store<HostState>,
    // Given back when the instance is gone.
    _permit: Permit,
}

/// The guest did not come to its own end.
#[derive(Debug, thiserror::Error)]
#[error("the guest did not come to its end in time")]
struct Overdue;

impl Instance {
    async fn run(mut self, event: Event) {
        let component = Arc::clone(&self.workers.component);
        let mut unfinished = Unfinished(Some(Arc::clone(&self.meter)));
        let ended = self.serve(event).await;
        if let Some(event) = self.seat.leave() {
            self.workers.dispatch(event);
        }
        unfinished.0 = None;
        let Err(error) = ended else { return };
        // Before the store is dropped: whoever sees a body end there must know why.
        self.meter.trapped(self.store.as_context_mut().async_call_stack().into_iter().flatten());
        let is_deserted = matches!(self.meter.audience(), Audience::Left { .. });
        drop(self);
        match is_deserted && error.is::<Overdue>() {
            true => tracing::debug!(component = %component.id(), "instance ended: its clients went away"),
            false => tell_end(component.id(), &error),
        }
    }

    /// Serves events until there will be no more.
    ///
    /// # Errors
    /// What the guest trapped with, or [`Overdue`].
    async fn serve(&mut self, first: Event) -> wasmtime::Result<()> {
        let Self { workers, export, policy, meter, seat, store, .. } = self;
        let desk = Desk::new(export, *policy, meter, first);
        let mut lifetime = Lifetime::new(Arc::clone(meter), policy.idle, Arc::clone(&workers.component.instances));
        let mut turns = pin!(store.run_concurrent(async |accessor| desk.serve(accessor).await));
        std::future::poll_fn(|context| {
            loop {
                if let Some(event) = seat.take() {
                    desk.put(event);
                }
                let turn = turns.as_mut().poll(context);
                let (occupation, is_open, left_over) = desk.after_turn();
                if let Some(event) = left_over {
                    workers.dispatch(event);
                }
                if let Poll::Ready(ended) = turn {
                    return Poll::Ready(ended.flatten());
                }
                // Looked at after every turn, so this is where a guest that waits is told from one that runs.
                let waits = meter.returned();
                if lifetime.poll_over(context, occupation).is_ready() {
                    return Poll::Ready(match occupation {
                        Occupation::Idle { .. } => Ok(()),
                        Occupation::Serving { .. } | Occupation::Afterwards { .. } => Err(Overdue.into()),
                    });
                }
                // While one computes, others take what comes.
                if !(waits && is_open) {
                    if let Some(event) = seat.leave() {
                        workers.dispatch(event);
                    }
                    return Poll::Pending;
                }
                match seat.poll_take(context) {
                    Poll::Ready(event) => desk.put(event),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// Lets nobody wait for word of an instance whose loop was broken off, by a panic or by the end of the process.
struct Unfinished(Option<Arc<MeterState>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(meter) = &self.0 {
            meter.trapped(std::iter::empty());
        }
    }
}
