//! Calls of an asynchronous export on instances that serve many events.
//!
//! Components of the third generation export asynchronous functions, and are written to be called more than once, also while
//! earlier calls go on. A [`Reused`] keeps their instances for a while, as the handlers of HTTP do.

use std::sync::Arc;

use wasmtime::component::{Accessor, ComponentNamedList, Func, GuestTaskId, Instance, Lift, Lower, TypedFunc};
use wasmtime::{AsContextMut, Store};

use crate::component::Component;
use crate::http::EventContext;
use crate::instance::HostState;
use crate::limits::{CpuTimeExceeded, EventRecord};
use crate::permits::Full;
use crate::workers::concurrent::{self, ConcurrentCalls};
use crate::workers::{Calls, Driven, Event, Instance as Worker, InstancePolicy, Reply, Workers};

/// Finds the export in a new instance; generated bindings have a function for it.
type Find<P, R> = dyn Fn(&mut Store<HostState>, &Instance) -> wasmtime::Result<TypedFunc<P, R>> + Send + Sync;

/// An asynchronous export of a component, called on instances that are reused. Cheap to clone.
pub struct Reused<P: Parameters, R: Results> {
    workers: Arc<Workers<ExportCalls<P, R>>>,
}

/// What an export can be called with: a tuple of values.
pub trait Parameters: ComponentNamedList + Lower + Send + Sync + 'static {}
impl<P: ComponentNamedList + Lower + Send + Sync + 'static> Parameters for P {}

/// What an export can return: a tuple of one value or none.
pub trait Results: ComponentNamedList + Lift + Send + Sync + 'static {}
impl<R: ComponentNamedList + Lift + Send + Sync + 'static> Results for R {}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReuseError {
    /// Too many instances live already: try again soon.
    #[error(transparent)]
    Full(#[from] Full),
    /// The event used up its processor time.
    #[error("it used up its processor time")]
    CpuTime,
    /// The instance trapped, by this event or by one that can't be told from it; what it trapped with has been logged.
    #[error("it trapped")]
    Trapped,
    /// The instance was ended because of another event.
    #[error("its instance was ended because of another event")]
    InstanceEnded,
    /// There was no instance, or the call could not be made.
    #[error("{0:#}")]
    Failed(wasmtime::Error),
}

impl<P: Parameters, R: Results> Clone for Reused<P, R> {
    fn clone(&self) -> Self {
        Self { workers: Arc::clone(&self.workers) }
    }
}

impl<P: Parameters, R: Results> Reused<P, R> {
    /// The export that `find` finds in an instance of `component`.
    pub fn new(
        component: &Arc<Component>,
        policy: InstancePolicy,
        find: impl Fn(&mut Store<HostState>, &Instance) -> wasmtime::Result<TypedFunc<P, R>> + Send + Sync + 'static,
    ) -> Self {
        let calls = ExportCalls { component: Arc::clone(component), find: Box::new(find), policy };
        Self { workers: Workers::new(component, calls) }
    }

    /// Calls the export, on an instance that would take an event or on a new one.
    ///
    /// Dropping the future before it is ready gives the call up: an instance that serves no other is ended.
    ///
    /// # Errors
    /// See [`ReuseError`].
    pub async fn call(&self, parameters: P) -> Result<R, ReuseError> {
        let record = Arc::new(EventRecord::new(EventContext::default()));
        let waiting = record.waiting();
        let mut instance = Driven::elsewhere();
        let result = self.workers.handle(parameters, &record, &mut instance).await;
        waiting.over();
        record.served();
        match result {
            Some(Ok(results)) => Ok(results),
            Some(Err(error)) => Err(ReuseError::of(error, &record)),
            None => Err(ReuseError::of_lost_instance(&record).await),
        }
    }
}

impl ReuseError {
    fn of(error: wasmtime::Error, record: &EventRecord) -> Self {
        let is_full = error.is::<Full>() || error.is::<wasmtime::PoolConcurrencyLimitError>();
        match record.exceeded_cpu_time() || error.is::<CpuTimeExceeded>() {
            true => Self::CpuTime,
            false if is_full => Self::Full(Full),
            false => Self::Failed(error),
        }
    }

    /// For an event that got no word of its instance.
    async fn of_lost_instance(record: &EventRecord) -> Self {
        // Events are let go of a moment before it is said what became of their instance.
        record.instance_has_ended().await;
        match (record.exceeded_cpu_time(), record.trapped()) {
            (true, _) => Self::CpuTime,
            (false, true) => Self::Trapped,
            (false, false) => Self::InstanceEnded,
        }
    }
}

/// How one component's export is called.
struct ExportCalls<P, R> {
    component: Arc<Component>,
    find: Box<Find<P, R>>,
    policy: InstancePolicy,
}

impl<P: Parameters, R: Results> Calls for ExportCalls<P, R> {
    type Request = P;
    type Response = R;
    type Export = TypedFunc<P, R>;

    fn policy(&self) -> InstancePolicy {
        self.policy
    }

    async fn instantiate(&self, store: &mut Store<HostState>) -> wasmtime::Result<TypedFunc<P, R>> {
        let instance = self.component.pre.instantiate_async(&mut *store).await?;
        (self.find)(store, &instance)
    }

    async fn serve(instance: &mut Worker<Self>, first: Event<Self>) -> wasmtime::Result<()> {
        concurrent::serve(instance, first).await
    }
}

impl<P: Parameters, R: Results> ConcurrentCalls for ExportCalls<P, R> {
    fn function(export: &TypedFunc<P, R>) -> Func {
        *export.func()
    }

    fn begin<'a>(
        export: &'a TypedFunc<P, R>,
        accessor: &'a Accessor<HostState>,
        parameters: P,
        reply: Reply<R>,
    ) -> wasmtime::Result<(GuestTaskId, impl Future<Output = ()> + Send + 'a)> {
        let call = accessor.with(|mut store| export.start_call_concurrent(store.as_context_mut(), parameters))?;
        Ok((call.task(), async move {
            // Who waited may be gone.
            let _ = reply.send(export.finish_call_concurrent(accessor, call).await);
        }))
    }
}
