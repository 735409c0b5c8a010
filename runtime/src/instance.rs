//! One instance: the state that the host keeps beside it, and its store.

use std::any::Any;
use std::pin::pin;
use std::sync::Arc;

use wasmtime::component::{Instance, ResourceTable};
use wasmtime::{Engine, Store, StoreContextMut};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::component::Template;
use crate::host::http::OutboundHttp;
use crate::host::wasi::InstanceWasi;
use crate::host::{ComponentHost, InstanceHost};
use crate::limits::{CpuMeter, EventCall, InTurn, Limits, MemoryMeter, MeterState};
use crate::permits::Permit;

/// How many resources of the host (files, headers, …) one instance has at once at most, and how many tasks and streams of
/// the component model besides; one more is a trap.
/// Each costs the host memory that the instance's own limit doesn't count.
const MOST_RESOURCES: usize = 10_000;

/// What the host keeps for one instance: the data of its store.
pub struct HostState {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: InstanceWasi,
    pub(crate) http: WasiHttpCtx,
    pub(crate) outbound_http: OutboundHttp,
    pub(crate) component: Arc<ComponentHost>,
    pub(crate) instance: InstanceHost,
    pub(crate) memory: MemoryMeter,
    pub(crate) meter: Arc<MeterState>,
    own: Option<Box<dyn Any + Send>>,
    // Last: with it the instance counts as gone.
    _lease: Arc<Lease>,
}

impl HostState {
    /// What the trigger itself keeps for this instance, for host interfaces of its own. Made when it is first asked for; a
    /// trigger has one type for it, and asking for another one begins anew.
    pub fn own<S: Default + Send + 'static>(&mut self) -> &mut S {
        if self.own.as_ref().is_none_or(|own| !own.is::<S>()) {
            self.own = Some(Box::new(S::default()));
        }
        self.own.as_mut().and_then(|own| own.downcast_mut()).expect("it has just been looked at or made")
    }
}

/// What components and instances hold: see [`AppOptions::lease`](crate::AppOptions::lease). A component has one of its
/// own, so that its instances can be counted.
pub(crate) struct Lease(
    #[allow(dead_code, reason = "held for its drop")] pub(crate) Option<Arc<dyn Any + Send + Sync>>,
);

/// A store and what was instantiated in it, for one event.
pub struct EventInstance {
    /// The store, for calls to exports.
    pub store: Store<HostState>,
    /// The instance, from which generated bindings take their exports.
    pub instance: Instance,
    // Given back last: when the place is free, the instance is gone.
    pub(crate) _permit: Permit,
}

impl EventInstance {
    /// The meter that calls into this instance must run under.
    pub fn meter(&self) -> Meter {
        Meter(Arc::clone(&self.store.data().meter))
    }
}

/// Tells a guest that waits from one that runs, so that only the latter uses up its processor time.
///
/// Calls of a guest have to run under it. It makes those that compute for long take turns, so that they leave time to others;
/// who has a turn and is neither polled nor dropped keeps it from all guests of the process, as one would that is polled by
/// another guest's call.
#[derive(Clone)]
pub struct Meter(pub(crate) Arc<MeterState>);

impl Meter {
    /// Runs a call into the instance to its end.
    pub async fn run<F: Future>(&self, call: F) -> F::Output {
        let (mut call, mut guest) = (pin!(call), InTurn::new(Arc::clone(&self.0)));
        std::future::poll_fn(|context| guest.poll(call.as_mut(), context)).await
    }
}

/// A store for a new instance, with its limits in force.
///
/// # Errors
/// When a mounted folder is gone.
pub(crate) fn new_store(engine: &Engine, template: &Template, limits: &Limits) -> wasmtime::Result<Store<HostState>> {
    new_store_with(engine, template, limits, template.wasi.instantiate()?)
}

/// The same with what a single call brings: see [`crate::host::wasi::WasiTemplate::instantiate_command`].
pub(crate) fn new_store_with(
    engine: &Engine,
    template: &Template,
    limits: &Limits,
    wasi: InstanceWasi,
) -> wasmtime::Result<Store<HostState>> {
    let cpu = CpuMeter::new(limits);
    let mut table = ResourceTable::new();
    table.set_max_capacity(MOST_RESOURCES);
    let state = HostState {
        table,
        wasi,
        http: WasiHttpCtx::new(),
        outbound_http: OutboundHttp::new(Arc::clone(&template.http), cpu.state()),
        component: Arc::clone(&template.host),
        instance: InstanceHost::default(),
        memory: MemoryMeter::new(limits),
        meter: cpu.state(),
        own: None,
        _lease: Arc::clone(&template.lease),
    };
    let mut store = Store::new(engine, state);
    if let Some(tasks) = store.concurrent_resource_table() {
        tasks.set_max_capacity(MOST_RESOURCES);
    }
    store.limiter(|state| &mut state.memory);
    store.epoch_deadline_callback(move |mut store: StoreContextMut<'_, HostState>| {
        let stack = call_stack(&mut store)?;
        cpu.tick(stack)
    });
    store.set_epoch_deadline(1);
    Ok(store)
}

/// The guest's calls that have led to where it is now, the innermost first.
///
/// # Errors
/// Never in a store's own callbacks and host functions; the engine says it can.
pub(crate) fn call_stack(
    store: &mut StoreContextMut<'_, HostState>,
) -> wasmtime::Result<impl Iterator<Item = EventCall>> {
    // Calls that are made one after another have no task that is known, on whichever engine.
    let tasks = match store.concurrent_resource_table().is_some() {
        true => Some(store.async_call_stack()?.map(EventCall::Task)),
        false => None,
    };
    Ok(tasks.into_iter().flatten().chain(std::iter::once(EventCall::Only)))
}
