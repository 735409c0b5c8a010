//! Instances that serve events: how they are made, where their events come from, and how they end.
//!
//! A guest of the 0.2 generation takes one call after another (`sequential`), one of the 0.3 generation several at once
//! (`concurrent`, `desk`). Both end when it is time (`lifetime`).

pub(crate) mod concurrent;
mod desk;
mod driven;
mod lifetime;
pub(crate) mod sequential;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use spin_app_model::ComponentId;
use tokio::sync::oneshot;
use wasmtime::{AsContextMut, Store};

use crate::component::Component;
use crate::instance::{HostState, Meter, call_stack, new_store};
use crate::limits::{Audience, CpuTimeExceeded, EventRecord, MeterState};
use crate::permits::Permit;
use crate::seats::{Life, Seat, SeatId, Seats};
pub(crate) use driven::Driven;

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
pub(crate) trait Calls: Sized + Send + Sync + 'static {
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

    /// Serves events until there will be no more: as [`sequential`] or as [`concurrent`] does.
    ///
    /// # Errors
    /// What the guest trapped with, or [`Overdue`].
    fn serve(instance: &mut Instance<Self>, first: Event<Self>) -> impl Future<Output = wasmtime::Result<()>> + Send;
}

/// Where a response goes, or why there is none.
pub(crate) type Reply<R> = oneshot::Sender<wasmtime::Result<R>>;

/// An event on its way to an instance.
pub(crate) struct Event<C: Calls> {
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

    /// Gives a request to an instance that would take it, or to a new one, at once. If nobody else drives that, it runs where
    /// this is awaited until it has answered, and is left in `instance` for what it does after that. Nothing if the instance
    /// is lost: the record says more.
    pub(crate) fn handle<'a>(
        self: &Arc<Self>,
        request: C::Request,
        record: &Arc<EventRecord>,
        instance: &'a mut Driven,
    ) -> impl Future<Output = Option<wasmtime::Result<C::Response>>> + use<'a, C> {
        let (reply, mut response) = oneshot::channel();
        if let Some((id, life)) = self.give(Event { request, record: Arc::clone(record), reply }) {
            match record.context().is_chained() {
                // Here is in another instance, and the engine doesn't run one within another.
                true => Arc::clone(self).drive(id, life),
                false => *instance = Driven::here(id, life, Arc::clone(self) as Arc<dyn driven::Home>),
            }
        }
        std::future::poll_fn(move |context| {
            // First, since it is what answers.
            instance.poll(context);
            Pin::new(&mut response).poll(context).map(Result::ok)
        })
    }

    /// For an event that an instance couldn't take.
    fn dispatch(self: &Arc<Self>, event: Event<C>) {
        if event.reply.is_closed() {
            return;
        }
        if let Some((id, life)) = self.give(event) {
            Arc::clone(self).drive(id, life);
        }
    }

    /// To an instance that would take it, or to a new one. What has to be driven is given back.
    fn give(self: &Arc<Self>, event: Event<C>) -> Option<(SeatId, Life)> {
        match self.seats.offer(event) {
            Ok(parked) => parked,
            Err(event) => {
                let seat = self.seats.seat();
                // In a box at once: it is large, and would be moved several times on its way to one.
                Some((seat.id(), Box::pin(Arc::clone(self).serve(event, seat))))
            }
        }
    }

    /// The life of an instance that is made for `event`.
    async fn serve(self: Arc<Self>, mut event: Event<C>, seat: Seat<Event<C>>) {
        let made = tokio::select! {
            biased;
            made = self.instantiate(&event.record, seat) => made,
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

    async fn instantiate(
        self: &Arc<Self>,
        record: &EventRecord,
        seat: Seat<Event<C>>,
    ) -> wasmtime::Result<Instance<C>> {
        let component = &self.component;
        let permit = component.place(record.context()).await?;
        let mut store = new_store(&component.engine, &component.template, &component.limits)?;
        let meter = Arc::clone(&store.data().meter);
        let export = Meter(Arc::clone(&meter)).run(self.calls.instantiate(&mut store)).await?;
        let policy = self.calls.policy();
        Ok(Instance { workers: Arc::clone(self), export, policy, meter, seat, store, _permit: permit })
    }
}

/// One instance.
pub(crate) struct Instance<C: Calls> {
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
pub(crate) struct Overdue;

impl<C: Calls> Instance<C> {
    async fn run(mut self, event: Event<C>) {
        let component = Arc::clone(&self.workers.component);
        let mut unfinished = Unfinished(Some(Arc::clone(&self.meter)));
        let ended = C::serve(&mut self, event).await;
        if let Some(event) = self.seat.leave() {
            self.workers.dispatch(event);
        }
        unfinished.0 = None;
        let Err(error) = ended else { return };
        // Before the store is dropped: whoever sees a body end there must know why.
        self.meter.trapped(call_stack(&mut self.store.as_context_mut()).into_iter().flatten());
        let is_deserted = matches!(self.meter.audience(), Audience::Left { .. });
        drop(self);
        match is_deserted && error.is::<Overdue>() {
            true => tracing::debug!(component = %component.id(), "instance ended: its clients went away"),
            false => tell_end(component.id(), &error),
        }
    }
}

/// Logs how an instance ended that didn't come to its own end.
pub(crate) fn tell_end(component: &ComponentId, error: &wasmtime::Error) {
    match error.downcast_ref::<CpuTimeExceeded>() {
        Some(exceeded) => tracing::error!(%component, "instance ended: {exceeded}"),
        None => tracing::error!(%component, "instance ended: {error:#}"),
    }
}

/// Lets nobody wait for word of an instance whose loop was broken off while it served somebody: by a panic or by the end of
/// the process.
struct Unfinished(Option<Arc<MeterState>>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(meter) = self.0.as_ref().filter(|meter| !meter.rests()) {
            meter.trapped(std::iter::empty());
        }
    }
}
