//! Instances that serve events: how they are made, where their events come from, and how they end.
//!
//! The loop of an instance has two halves. The inner one (`desk`) begins calls and sees them end; it runs within the store,
//! and stands still as long as a guest runs without a pause. So the outer one is here: it fetches events, hands on what the
//! inner one can't take, and ends the instance when it is time (`lifetime`).

mod desk;
mod lifetime;

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use spin_app_model::ComponentId;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, Func, GuestTaskId};
use wasmtime::{AsContextMut, Store};

use crate::component::Component;
use crate::instance::{HostState, Meter, new_store};
use crate::limits::{Audience, CpuTimeExceeded, EventRecord, MeterState};
use crate::permits::Permit;
use crate::seats::{Seat, Seats};
use desk::Desk;
use lifetime::{Lifetime, Occupation};

/// How long one instance lives, where instances are reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstancePolicy {
    /// How many events it serves. Default 128.
    pub requests: u32,
    /// How many it serves at once. Default 16; one where the component's generation knows no more.
    pub concurrent: u32,
    /// How long it is kept while it serves none. Default one second.
    pub idle: Duration,
}

impl Default for InstancePolicy {
    fn default() -> Self {
        Self { requests: 128, concurrent: 16, idle: Duration::from_secs(1) }
    }
}

impl InstancePolicy {
    /// An instance for each event.
    pub(crate) const FRESH: Self = Self { requests: 1, concurrent: 1, idle: Duration::ZERO };
}

/// What instances are made for: a function of theirs that is called once for each event.
pub(crate) trait Calls: Send + Sync + 'static {
    /// What an event brings.
    type Request: Send + 'static;
    /// What it gets.
    type Response: Send + 'static;
    /// The function in one instance.
    type Export: Send + Sync;

    /// How long the next instance lives.
    fn policy(&self) -> InstancePolicy;

    /// A new instance's function.
    fn instantiate(&self, store: &mut Store<HostState>) -> impl Future<Output = wasmtime::Result<Self::Export>> + Send;

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

/// Where a response goes, or why there is none.
pub(crate) type Reply<R> = oneshot::Sender<wasmtime::Result<R>>;

/// An event on its way to an instance.
struct Event<C: Calls> {
    request: C::Request,
    record: Arc<EventRecord>,
    reply: Reply<C::Response>,
}

/// Makes the instances of one component, and gives them events.
pub(crate) struct Workers<C: Calls> {
    component: Arc<Component>,
    calls: C,
    seats: Arc<Seats<Event<C>>>,
}

impl<C: Calls> Workers<C> {
    pub(crate) fn new(component: &Arc<Component>, calls: C) -> Arc<Self> {
        Arc::new(Self { component: Arc::clone(component), calls, seats: Arc::default() })
    }

    /// Gives a request to an instance that would take it, or to a new one. Nothing if the instance is lost: the record says
    /// more.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: C::Request,
        record: &Arc<EventRecord>,
    ) -> Option<wasmtime::Result<C::Response>> {
        let (reply, response) = oneshot::channel();
        self.dispatch(Event { request, record: Arc::clone(record), reply });
        response.await.ok()
    }

    fn dispatch(self: &Arc<Self>, event: Event<C>) {
        if event.reply.is_closed() {
            return;
        }
        let Err(event) = self.seats.offer(event) else { return };
        // An instance may end together with the process, with an event that it had not looked at.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // In a box at once: it is large, and would be moved several times on its way to one.
            runtime.spawn(Box::pin(Arc::clone(self).serve(event)));
        }
    }

    /// The life of an instance that is made for `event`.
    async fn serve(self: Arc<Self>, mut event: Event<C>) {
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

    async fn instantiate(self: &Arc<Self>, record: &EventRecord) -> wasmtime::Result<Instance<C>> {
        let component = &self.component;
        let permit = component.place(record.context()).await?;
        let mut store = new_store(&component.engine, &component.template, &component.limits)?;
        let meter = Arc::clone(&store.data().meter);
        let export = Meter(Arc::clone(&meter)).run(self.calls.instantiate(&mut store)).await?;
        let (policy, seat) = (self.calls.policy(), self.seats.seat());
        Ok(Instance { workers: Arc::clone(self), export, policy, meter, seat, store, _permit: permit })
    }
}

/// One instance.
struct Instance<C: Calls> {
    workers: Arc<Workers<C>>,
    export: C::Export,
    policy: InstancePolicy,
    meter: Arc<MeterState>,
    seat: Seat<Event<C>>,
    store: Store<HostState>,
    // Given back when the instance is gone.
    _permit: Permit,
}

/// The guest did not come to its own end.
#[derive(Debug, thiserror::Error)]
#[error("the guest did not come to its end in time")]
struct Overdue;

impl<C: Calls> Instance<C> {
    async fn run(mut self, event: Event<C>) {
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
    async fn serve(&mut self, first: Event<C>) -> wasmtime::Result<()> {
        let Self { workers, export, policy, meter, seat, store, .. } = self;
        let desk = Desk::<C>::new(export, *policy, meter, first);
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

/// Logs how an instance ended that didn't come to its own end.
pub(crate) fn tell_end(component: &ComponentId, error: &wasmtime::Error) {
    match error.downcast_ref::<CpuTimeExceeded>() {
        Some(exceeded) => tracing::error!(%component, "instance ended: {exceeded}"),
        None => tracing::error!(%component, "instance ended: {error:#}"),
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
