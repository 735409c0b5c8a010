//! The inner half of an instance's loop: it begins calls of the guest, and sees them end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};
use wasmtime::component::Accessor;

use super::concurrent::ConcurrentCalls;
use super::lifetime::Occupation;
use super::{Event, InstancePolicy};
use crate::instance::HostState;
use crate::limits::{EventCall, MeterState};

/// Where the two halves meet. They run in turn, so that neither ever waits for the other's lock.
pub(super) struct Desk<'a, C: ConcurrentCalls> {
    export: &'a C::Export,
    policy: InstancePolicy,
    meter: &'a Arc<MeterState>,
    top: Mutex<Top<C>>,
}

struct Top<C: ConcurrentCalls> {
    /// The next one to begin.
    event: Option<Event<C>>,
    occupation: Occupation,
    /// Another one would be taken.
    is_open: bool,
}

/// Whether an instance begins another event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Now,
    NotNow,
    Never,
}

impl<'a, C: ConcurrentCalls> Desk<'a, C> {
    pub(super) fn new(
        export: &'a C::Export,
        policy: InstancePolicy,
        meter: &'a Arc<MeterState>,
        first: Event<C>,
    ) -> Self {
        let occupation = Occupation::Idle { since: Instant::now() };
        Self { export, policy, meter, top: Mutex::new(Top { event: Some(first), occupation, is_open: false }) }
    }

    /// The event to begin in the next turn.
    pub(super) fn put(&self, event: Event<C>) {
        self.top().event = Some(event);
    }

    /// How things are after a turn: what the instance does, whether it would take another event, and what it could not take.
    pub(super) fn after_turn(&self) -> (Occupation, bool, Option<Event<C>>) {
        let mut top = self.top();
        // Closed until the inner half has looked again: in a turn in which the guest only computes, it doesn't.
        (top.occupation, std::mem::take(&mut top.is_open), top.event.take())
    }

    /// Begins the events that are put here, until there will be no more.
    ///
    /// # Errors
    /// When a call can't be begun.
    pub(super) async fn serve(&self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let function = C::function(self.export);
        let mut calls = FuturesUnordered::new();
        let mut begun = 0;
        // Whether the guest would take another call. The engine comes by here a dozen times for each event, so the guest is
        // asked when there is one, when it has begun with that, and as long as it wouldn't.
        let (mut is_ready, mut has_begun) = (true, false);
        std::future::poll_fn(|context| {
            let mut asks = std::mem::take(&mut has_begun) || !is_ready;
            loop {
                // First, so that it is known who has gone.
                while let Poll::Ready(Some(())) = calls.poll_next_unpin(context) {}
                let mut top = self.top();
                if std::mem::take(&mut asks) || top.event.is_some() {
                    is_ready = accessor.poll_ready_for_concurrent_call(function, context).is_ready();
                }
                let takes = self.takes(is_ready, calls.len(), begun);
                if takes == Takes::Now
                    && let Some(event) = top.next()
                {
                    (begun, has_begun) = (begun + 1, true);
                    calls.push(self.begin(accessor, event)?);
                    top.occupation = Occupation::Serving { since: Instant::now() };
                    continue;
                }
                return top.settle(accessor, calls.is_empty(), takes, context).map(Ok);
            }
        })
        .await
    }

    fn takes(&self, is_ready: bool, running: usize, begun: u32) -> Takes {
        let InstancePolicy { requests, concurrent, idle } = self.policy;
        // Made for one event at least. A guest that is never ready keeps that one waiting, for as long as it has time.
        if begun == 0 {
            return Takes::Now;
        }
        // One that is not to be kept idle ends with its last event, although its end takes a moment.
        let is_last = running == 0 && idle.is_zero();
        if begun >= requests || is_last || self.meter.has_lost() {
            Takes::Never
        } else if !is_ready || running >= concurrent as usize {
            Takes::NotNow
        } else {
            Takes::Now
        }
    }

    fn begin<'b>(
        &'b self,
        accessor: &'b Accessor<HostState>,
        event: Event<C>,
    ) -> wasmtime::Result<impl Future<Output = ()> + Send + 'b> {
        let Event { request, record, reply } = event;
        let (task, finished) = C::begin(self.export, accessor, request, reply)?;
        self.meter.begin(EventCall::Task(task), &record);
        Ok(finished)
    }

    fn top(&self) -> MutexGuard<'_, Top<C>> {
        self.top.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: ConcurrentCalls> Top<C> {
    /// What was put here, if somebody still waits for it.
    fn next(&mut self) -> Option<Event<C>> {
        self.event.take().filter(|event| !event.reply.is_closed())
    }

    /// Nothing can be begun: notes how things are. Ready when there is nothing left to do, now and later.
    fn settle(
        &mut self,
        accessor: &Accessor<HostState>,
        is_done: bool,
        takes: Takes,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        self.is_open = takes == Takes::Now;
        if !is_done {
            return Poll::Pending;
        }
        if let Occupation::Serving { .. } = self.occupation {
            self.occupation = Occupation::Afterwards { since: Instant::now() };
        }
        // The guest may have more to do than to answer.
        if accessor.poll_no_interesting_tasks(context).is_pending() {
            return Poll::Pending;
        }
        if takes != Takes::Now {
            return Poll::Ready(());
        }
        if let Occupation::Afterwards { .. } = self.occupation {
            self.occupation = Occupation::Idle { since: Instant::now() };
        }
        Poll::Pending
    }
}
