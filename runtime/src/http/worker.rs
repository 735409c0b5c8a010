//! Instances that serve HTTP events: how they are made, how long they live, and how they end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::futures::OwnedNotified;
use tokio::time::Sleep;
use wasmtime::component::GuestTaskId;
use wasmtime::{AsContextMut, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::handler::{
    HandlerState, Instance, ProxyPre, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus,
};

use super::error::tell_end;
use super::{HandlerOptions, InstancePolicy};
use crate::component::Component;
use crate::instance::{HostState, Meter, new_store};
use crate::limits::{EventRecord, MeterState};
use crate::permits::{Permit, Permits};

/// How long a guest may go on working after its responses, and how much later than the deadline of its events an
/// instance is ended whose worker can't look at its own clock.
const AFTERWARDS: Duration = Duration::from_secs(60);
const OVERDUE: Duration = Duration::from_secs(5);

/// Makes the instances of one component.
pub(super) struct Workers {
    component: Arc<Component>,
    pre: ProxyPre<HostState>,
    policy: Arc<dyn Fn() -> InstancePolicy + Send + Sync>,
    reuse_p2: bool,
    /// How many requests are being handled that must not wait for a place.
    impatient: AtomicUsize,
}

impl Workers {
    pub(super) fn new(component: &Arc<Component>, pre: ProxyPre<HostState>, options: &HandlerOptions) -> Self {
        let (component, policy) = (Arc::clone(component), Arc::clone(&options.policy));
        Self { component, pre, policy, reuse_p2: options.reuse_p2, impatient: AtomicUsize::new(0) }
    }

    /// While this lives, a new instance has its place at once or not at all.
    pub(super) fn impatient(&self) -> Impatient<'_> {
        self.impatient.fetch_add(1, Ordering::AcqRel);
        Impatient(&self.impatient)
    }

    fn policy(&self) -> InstancePolicy {
        match self.pre {
            ProxyPre::P3(_) => (self.policy)(),
            // Its handler is a function that returns before it can be called again.
            ProxyPre::P2(_) if self.reuse_p2 => InstancePolicy { concurrent: 1, ..(self.policy)() },
            ProxyPre::P2(_) => InstancePolicy::FRESH,
        }
    }
}

/// A request that must not wait for a place.
pub(super) struct Impatient<'a>(&'a AtomicUsize);

impl Drop for Impatient<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl HandlerState for Workers {
    type StoreData = HostState;
    type WorkerExpiration = Expiration;
    type WorkerState = Policy;

    async fn instantiate(&self) -> wasmtime::Result<Instance<HostState, Expiration, Policy>> {
        let places = &self.component.instances;
        let permit = match self.impatient.load(Ordering::Acquire) {
            0 => places.acquire().await?,
            _ => places.acquire_now()?,
        };
        let component = &self.component;
        let mut store = new_store(&component.engine, &component.template, &component.limits)?;
        let meter = Arc::clone(&store.data().meter);
        let proxy = Meter(Arc::clone(&meter)).run(self.pre.instantiate_async(&mut store)).await?;
        let policy = self.policy();
        let expiration = Expiration {
            meter: Arc::clone(&meter),
            idle: policy.idle,
            clock: None,
            status: WorkerStatus::Idle,
            instances: Arc::clone(&component.instances),
            wanted: None,
            left: None,
        };
        let state = Policy { component: Arc::clone(component), meter, policy, _permit: permit };
        Ok(Instance { store, proxy, view: HostState::http, expiration, state })
    }
}

/// How many requests one instance takes.
pub(super) struct Policy {
    component: Arc<Component>,
    meter: Arc<MeterState>,
    policy: InstancePolicy,
    // Given back when the instance is gone.
    _permit: Permit,
}

impl WorkerState for Policy {
    type StoreData = HostState;
    type RequestData = Arc<EventRecord>;

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        // One that is not to be kept idle ends with its last request, although its end takes a moment.
        let idle = concurrent == 0 && total > 0;
        if total >= self.policy.requests as usize || (idle && self.policy.idle.is_zero()) {
            ShouldAccept::Never
        } else if concurrent >= self.policy.concurrent as usize {
            ShouldAccept::No
        } else {
            ShouldAccept::Yes
        }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, HostState>,
        record: Arc<EventRecord>,
        task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.meter.begin(task, &record);
        let head_timeout = record.head_timeout();
        let abandoned = record.abandoned();
        let record = Arc::downgrade(&record);
        Box::pin(async move {
            tokio::select! {
                () = abandoned.cancelled() => return,
                () = tokio::time::sleep(head_timeout) => {}
            }
            // A response that is still being streamed is none of this deadline's business.
            if record.upgrade().is_some_and(|record| record.has_responded()) {
                std::future::pending::<()>().await;
            }
        })
    }

    fn drop(&self, mut store: Store<HostState>, result: wasmtime::Result<()>) {
        let Err(error) = result else { return };
        let mut context = store.as_context_mut();
        self.meter.trapped(context.async_call_stack().into_iter().flatten());
        if self.meter.is_abandoned() {
            tracing::debug!(component = %self.component.id(), "instance ended: its clients went away");
            return;
        }
        // The engine's word for a worker that didn't come to its end. Without a panic it was dropped: this process ends.
        if error.to_string() == "worker panicked" && !std::thread::panicking() {
            return;
        }
        drop(store);
        tell_end(self.component.id(), &error);
    }
}

/// When an instance ends although its guest doesn't.
pub(super) struct Expiration {
    meter: Arc<MeterState>,
    idle: Duration,
    clock: Option<Pin<Box<Sleep>>>,
    // What the clock was set for.
    status: WorkerStatus,
    instances: Arc<Permits>,
    // While the instance is idle: somebody else needs its place.
    wanted: Option<Pin<Box<OwnedNotified>>>,
    // While it is not: somebody it serves goes away.
    left: Option<Pin<Box<OwnedNotified>>>,
}

impl Expiration {
    /// When to look again.
    fn due(&self, status: WorkerStatus, since: Instant) -> Instant {
        since
            + match status {
                WorkerStatus::Idle => self.idle,
                WorkerStatus::Requests => self.meter.longest_head_timeout() + OVERDUE,
                WorkerStatus::PostReturn => AFTERWARDS,
            }
    }

    /// Ready when there is nobody left whom the instance serves.
    fn poll_abandoned(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.meter.is_abandoned() {
            let left = self.left.get_or_insert_with(|| Box::pin(self.meter.left()));
            ready!(left.as_mut().poll(context));
            self.left = None;
        }
        Poll::Ready(())
    }
}

impl WorkerExpiration for Expiration {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>, status: WorkerStatus, since: Instant) -> Poll<()> {
        let this = self.get_mut();
        // The worker asks this after every turn of its instance, so this is where a guest that waits is told
        // from one that runs.
        this.meter.returned();
        if status == WorkerStatus::Idle {
            // The place of an instance that does nothing must not keep another component's requests waiting.
            let wanted = this.wanted.get_or_insert_with(|| Box::pin(this.instances.wanted()));
            if wanted.as_mut().poll(context).is_ready() || this.instances.is_wanted() || this.idle.is_zero() {
                return Poll::Ready(());
            }
        } else {
            this.wanted = None;
            if this.poll_abandoned(context).is_ready() {
                return Poll::Ready(());
            }
        }
        let due = tokio::time::Instant::from_std(this.due(status, since));
        let clock = this.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if std::mem::replace(&mut this.status, status) != status || clock.deadline() < due {
            clock.as_mut().reset(due);
        }
        loop {
            ready!(clock.as_mut().poll(context));
            // A body that somebody still reads keeps its instance.
            if status == WorkerStatus::Idle || !this.meter.is_streaming() {
                return Poll::Ready(());
            }
            clock.as_mut().reset(tokio::time::Instant::now() + OVERDUE);
        }
    }
}
