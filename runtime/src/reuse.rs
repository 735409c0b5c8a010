//! Calls of an asynchronous export on instances that serve one event after another.
//!
//! Components of the third generation export asynchronous functions, and are written to be called more than once. A
//! [`Reused`] keeps their instances for a while: each has a task of its own, which serves an event, lets the guest finish what
//! it goes on with afterwards, and waits for the next one. An instance that waits gives up its place as soon as somebody
//! needs it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, TypedFunc};

use crate::component::{Component, InvokeError};
use crate::http::InstancePolicy;
use crate::instance::{EventInstance, HostState};
use crate::permits::Permits;
use crate::seats::{Seat, Seats};

/// How long a guest may go on working after it has answered.
const AFTERWARDS: Duration = Duration::from_secs(60);

/// Finds the export in a new instance; generated bindings have a function for it.
type Find<P, R> = dyn Fn(&mut Store<HostState>, &Instance) -> wasmtime::Result<TypedFunc<P, R>> + Send + Sync;

/// An asynchronous export of a component, called on instances that are reused. Cheap to clone.
pub struct Reused<P, R> {
    inner: Arc<Inner<P, R>>,
}

struct Inner<P, R> {
    component: Arc<Component>,
    find: Box<Find<P, R>>,
    policy: InstancePolicy,
    seats: Arc<Seats<Event<P, R>>>,
}

struct Event<P, R> {
    parameters: P,
    reply: oneshot::Sender<Result<R, InvokeError>>,
}

impl<P, R> Clone for Reused<P, R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<P, R> Reused<P, R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    /// The export that `find` finds in an instance of `component`. An instance serves one event at a time, whatever `policy`
    /// says of more.
    pub fn new(
        component: Arc<Component>,
        policy: InstancePolicy,
        find: impl Fn(&mut Store<HostState>, &Instance) -> wasmtime::Result<TypedFunc<P, R>> + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Arc::new(Inner { component, find: Box::new(find), policy, seats: Arc::default() }) }
    }

    /// Calls the export, on an instance that waits for an event or on a new one. Whoever drops the future doesn't break off
    /// the call.
    ///
    /// # Errors
    /// [`InvokeError::Full`] when too many instances live already, else what the guest trapped with.
    pub async fn call(&self, parameters: P) -> Result<R, InvokeError> {
        let (reply, answer) = oneshot::channel();
        Arc::clone(&self.inner).dispatch(Event { parameters, reply });
        answer.await.unwrap_or_else(|_| Err(InvokeError::Trap(wasmtime::format_err!("its instance was lost"))))
    }
}

impl<P, R> Inner<P, R>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    fn dispatch(self: Arc<Self>, event: Event<P, R>) {
        let Err(event) = self.seats.offer(event) else { return };
        // An instance may end together with the process, with an event that it had not looked at.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.serve(event));
        }
    }

    /// The life of an instance that is made for `event`.
    async fn serve(self: Arc<Self>, event: Event<P, R>) {
        match self.instantiate().await {
            Ok((instance, function)) => {
                let mut seat = self.seats.seat();
                self.serve_all(instance, function, event, &mut seat).await;
                if let Some(event) = seat.leave() {
                    self.dispatch(event);
                }
            }
            Err(error) => {
                // Who waited may be gone.
                let _ = event.reply.send(Err(error));
            }
        }
    }

    async fn instantiate(&self) -> Result<(EventInstance, TypedFunc<P, R>), InvokeError> {
        let mut instance = self.component.instantiate().await?;
        let function = (self.find)(&mut instance.store, &instance.instance).map_err(InvokeError::Instantiate)?;
        Ok((instance, function))
    }

    async fn serve_all(
        &self,
        mut instance: EventInstance,
        function: TypedFunc<P, R>,
        first: Event<P, R>,
        seat: &mut Seat<Event<P, R>>,
    ) {
        let meter = instance.meter();
        let mut next = Some(first);
        let mut served = 0;
        while let Some(Event { parameters, reply }) = next.take() {
            instance.store.data().meter.next_event();
            let call =
                instance.store.run_concurrent(async |accessor| function.call_concurrent(accessor, parameters).await);
            let answer = meter.run(call).await.flatten();
            let is_broken = answer.is_err();
            // Who waited may be gone.
            let _ = reply.send(answer.map_err(InvokeError::Trap));
            if is_broken {
                return;
            }
            let afterwards = instance.store.run_concurrent(async |accessor| {
                std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
            });
            match tokio::time::timeout(AFTERWARDS, meter.run(afterwards)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return tell_end(&self.component, &format!("{error:#}")),
                Err(_) => return tell_end(&self.component, "the guest did not come to its end in time"),
            }
            served += 1;
            if served < self.policy.requests && !self.policy.idle.is_zero() {
                next = wait_for_event(seat, &self.component.instances, self.policy.idle).await;
            }
        }
    }
}

/// The next event for an instance that has nothing to do, unless its place is needed or none comes.
async fn wait_for_event<E>(seat: &mut Seat<E>, instances: &Permits, idle: Duration) -> Option<E> {
    let mut wanted = pin!(instances.wanted());
    wanted.as_mut().enable();
    if instances.is_wanted() {
        return None;
    }
    tokio::select! {
        biased;
        event = std::future::poll_fn(|context| seat.poll_take(context)) => Some(event),
        () = wanted => None,
        () = tokio::time::sleep(idle) => None,
    }
}

fn tell_end(component: &Component, why: &str) {
    tracing::warn!(component = %component.id(), "instance ended after it had answered: {why}");
}
