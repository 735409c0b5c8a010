//! The meter of processor time.
//!
//! It counts by events, not by instances, because an instance of the 0.3 generation serves several events at once and only
//! the one that loops is to blame.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::futures::OwnedNotified;
use wasmtime::UpdateDeadline;
use wasmtime::component::GuestTaskId;

use super::{EventRecord, Fate, Limits};
use crate::http::EventContext;

/// The trap of a guest that has used up its processor time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the event used up its {} ms of processor time", limit.as_millis())]
pub struct CpuTimeExceeded {
    /// The limit that was passed.
    pub limit: Duration,
}

/// Meters the processor time of one instance's events.
///
/// The engine's epoch calls [`CpuMeter::tick`] on the guest's thread about every
/// [`EPOCH_TICK`](crate::engine::EPOCH_TICK) while the guest runs. The first call after a pause starts a measurement by the
/// thread's own clock. The next one, at least a moment later, ends it and makes the guest yield; one that yields or waits by
/// itself before that ends it too, by [`MeterState::returned`]. The next poll of one that has computed starts another one; who
/// was made to yield is polled when it is its turn (see `turns`).
#[derive(Debug)]
pub(crate) struct CpuMeter {
    limit: Duration,
    state: Arc<MeterState>,
}

#[derive(Debug, Default)]
pub(crate) struct MeterState {
    fate: Arc<Fate>,
    /// The guest has nothing to do, and the instance may be dropped.
    rests: AtomicBool,
    /// Of the event that an instance was made for which serves no other.
    only_event: OnceLock<EventContext>,
    tasks: Mutex<Tasks>,
}

/// How a guest came back to the executor, and the event that ran last, if it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returned {
    /// As far as was measured it hasn't computed, or too little to look at the clock twice for it.
    Rested,
    /// It has, and stopped by itself.
    Computed(Option<EventCall>),
    /// It was made to yield.
    Interrupted(Option<EventCall>),
}

/// Who has computed for less isn't made to yield.
const A_MOMENT: Duration = Duration::from_millis(1);

/// Who computes for as long is metered in its next poll from the start, which costs it less than a hundredth of that.
const WORTH_METERING: Duration = Duration::from_micros(100);

/// Whom an instance serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Somebody waits for one of its events, or reads what comes.
    Present,
    /// Nobody any more; all had what they waited for.
    Served,
    /// Nobody any more; some went away before they had the whole response.
    Left {
        /// All of them did.
        all: bool,
    },
}

/// A call into a guest for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventCall {
    /// By the name that an engine with concurrency gives it.
    Task(GuestTaskId),
    /// The only one: other engines make one after another.
    Only,
}

#[derive(Debug, Default)]
struct Tasks {
    /// What each of them has used. There are few.
    events: Vec<(EventCall, Arc<EventRecord>, Duration)>,
    /// Events whose tasks have ended, as their numbers were given to others, but whose responses are still read.
    ended: Vec<Arc<EventRecord>>,
    /// Some event was served whose record is forgotten.
    has_served: bool,
    /// Time that belongs to no known event: instantiation, and work after a response.
    unclaimed: Duration,
    slice: Slice,
}

#[derive(Debug, Default)]
enum Slice {
    /// Nothing is being measured.
    #[default]
    Idle,
    /// The guest is made to yield, while `task` is the event that runs.
    Over { task: Option<EventCall> },
    /// The guest runs, since the thread's clock showed `cpu`; `task` is the event that ran then.
    Running { thread: ThreadId, cpu: Duration, task: Option<EventCall> },
}

impl Slice {
    /// One on this thread, which began at `cpu` or begins now.
    fn begin(cpu: Option<Duration>, task: Option<EventCall>) -> Self {
        let cpu = cpu.unwrap_or_else(thread_cpu_time);
        Self::Running { thread: std::thread::current().id(), cpu, task }
    }
}

impl Tasks {
    fn records(&self) -> impl Iterator<Item = &Arc<EventRecord>> {
        self.events.iter().map(|(_, record, _)| record).chain(&self.ended)
    }

    /// A reused instance must not collect the events of all its life.
    fn forget_served(&mut self) {
        let forgets = !self.records().all(|record| is_known(record));
        self.has_served |= forgets;
        self.events.retain(|(_, record, _)| is_known(record));
        self.ended.retain(|record| is_known(record));
    }

    /// The event that a call is for, if it is one.
    fn record(&self, task: EventCall) -> Option<&Arc<EventRecord>> {
        self.events.iter().find_map(|(call, record, _)| (*call == task).then_some(record))
    }

    /// Adds to what `task` has used, and returns that.
    fn charge(&mut self, task: Option<EventCall>, used: Duration) -> Duration {
        let total = match task.and_then(|task| self.events.iter_mut().find(|(call, ..)| *call == task)) {
            Some((.., total)) => total,
            None => &mut self.unclaimed,
        };
        *total += used;
        *total
    }
}

impl CpuMeter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.cpu_time, state: Arc::default() }
    }

    pub(crate) fn state(&self) -> Arc<MeterState> {
        Arc::clone(&self.state)
    }

    /// Called by the engine on the guest's thread. `task` is the event that runs, if it is known.
    ///
    /// # Errors
    /// [`CpuTimeExceeded`], as a trap that ends the instance.
    pub(crate) fn tick(&self, call_stack: impl Iterator<Item = EventCall>) -> wasmtime::Result<UpdateDeadline> {
        let mut tasks = self.state.tasks();
        let task = call_stack.into_iter().find(|task| tasks.record(*task).is_some());
        let measured = match tasks.slice {
            Slice::Running { thread, cpu, .. } if thread == std::thread::current().id() => {
                Some((cpu, thread_cpu_time().saturating_sub(cpu)))
            }
            _ => None,
        };
        // A turn that has just begun goes on.
        let used = measured.map(|(_, used)| used).filter(|used| *used >= A_MOMENT);
        if tasks.charge(task, used.unwrap_or_default()) > self.limit {
            if let Some(record) = task.and_then(|task| tasks.record(task)) {
                record.exceeded_cpu_time.store(true, Ordering::Release);
            }
            self.state.fate.end(Fate::CPU_TIME_EXCEEDED);
            return Err(CpuTimeExceeded { limit: self.limit }.into());
        }
        if used.is_some() {
            tasks.slice = Slice::Over { task };
            return Ok(UpdateDeadline::Yield(1));
        }
        tasks.slice = Slice::begin(measured.map(|(cpu, _)| cpu), task);
        Ok(UpdateDeadline::Continue(1))
    }
}

impl MeterState {
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `task` stands for the event of `record`.
    pub(crate) fn begin(&self, task: EventCall, record: &Arc<EventRecord>) {
        self.rests.store(false, Ordering::Relaxed);
        self.fate.lingers.store(false, Ordering::Relaxed);
        // A record is begun once; a second instance never takes over an event.
        let _ = record.fate.set(Arc::clone(&self.fate));
        if record.is_abandoned() {
            self.fate.lose();
        }
        let mut tasks = self.tasks();
        tasks.forget_served();
        if let Some(at) = tasks.events.iter().position(|(call, ..)| *call == task) {
            let (_, ended, _) = tasks.events.swap_remove(at);
            tasks.ended.push(ended);
        }
        tasks.events.push((task, Arc::clone(record), Duration::ZERO));
        tasks.unclaimed = Duration::ZERO;
    }

    /// Whether somebody reads what a guest said that has nothing to do until the next event begins. [`Self::left`] is ready
    /// when all is read.
    pub(crate) fn lingers(&self) -> bool {
        // First, so that nobody is missed who has read all meanwhile.
        self.fate.lingers.store(true, Ordering::Release);
        self.audience() == Audience::Present
    }

    /// From now on, until the next event begins, the instance may be dropped: what it said is with the host.
    pub(crate) fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    /// Whether it may be dropped without a loss.
    pub(crate) fn rests(&self) -> bool {
        self.rests.load(Ordering::Relaxed)
    }

    /// The instance serves one event, of this context.
    pub(crate) fn serves_only(&self, context: &EventContext) {
        // Said once, when the instance is made.
        let _ = self.only_event.set(context.clone());
    }

    /// What a request inherits that was sent by one of `tasks`, the innermost first. If none of them is an event, the one
    /// that is nested least may have sent it: to count the others' nesting would let loops be seen where there are none.
    pub(crate) fn context(&self, tasks: impl IntoIterator<Item = EventCall>) -> EventContext {
        if let Some(context) = self.only_event.get() {
            return context.clone();
        }
        let known = self.tasks();
        let contexts = || known.events.iter().map(|(_, record, _)| &record.context);
        tasks
            .into_iter()
            .find_map(|task| known.record(task).map(|record| &record.context))
            .or_else(|| contexts().min_by_key(|context| context.depth))
            .cloned()
            .unwrap_or_default()
    }

    /// The guest trapped, with `call_stack` as it was then. Said before the store is dropped, so that whoever sees a body
    /// end there knows why.
    pub(crate) fn trapped(&self, call_stack: impl Iterator<Item = EventCall>) {
        // Who used up its processor time is known already, and everybody else in the instance is innocent.
        if !self.fate.is(Fate::ALIVE) {
            return;
        }
        let tasks = self.tasks();
        let known = call_stack.into_iter().find_map(|task| tasks.record(task));
        // Without that all who still wait are to blame: no client is told to send again what perhaps made the guest trap.
        let waiting = tasks.events.iter().map(|(_, record, _)| record).filter(|record| !record.has_responded());
        for record in known.into_iter().chain(waiting.filter(|_| known.is_none())) {
            record.trapped.store(true, Ordering::Release);
        }
        self.fate.end(Fate::TRAPPED);
    }

    /// Ready when somebody went away who waited for one of the instance's events, or for the rest of its response.
    pub(crate) fn left(&self) -> OwnedNotified {
        Arc::clone(&self.fate.left).notified_owned()
    }

    /// Whether somebody did, ever.
    pub(crate) fn has_lost(&self) -> bool {
        self.fate.has_lost()
    }

    pub(crate) fn audience(&self) -> Audience {
        let tasks = self.tasks();
        if tasks.records().any(|record| record.is_present()) {
            return Audience::Present;
        }
        match tasks.records().any(|record| record.is_abandoned()) {
            true => Audience::Left { all: !tasks.has_served && tasks.records().all(|record| record.is_abandoned()) },
            false => Audience::Served,
        }
    }

    /// The guest has returned to the executor. Called after every poll of its instance, on the same thread.
    pub(crate) fn returned(&self) -> Returned {
        let mut tasks = self.tasks();
        let (task, used) = match std::mem::take(&mut tasks.slice) {
            Slice::Idle => return Returned::Rested,
            Slice::Over { task } => return Returned::Interrupted(task),
            Slice::Running { cpu, task, .. } => (task, thread_cpu_time().saturating_sub(cpu)),
        };
        // Whether that is too much is looked at in the next tick.
        tasks.charge(task, used);
        if used >= WORTH_METERING { Returned::Computed(task) } else { Returned::Rested }
    }

    /// The guest's turn begins, on this thread.
    pub(crate) fn goes_on(&self, task: Option<EventCall>) {
        self.tasks().slice = Slice::begin(None, task);
    }

    /// The guest is polled again that has computed in its last poll. It is metered from now on, unless it may be another event
    /// than `task` that runs: then only the clock tells whose time it is.
    pub(crate) fn resumes(&self, task: Option<EventCall>) {
        let mut tasks = self.tasks();
        if tasks.events.iter().all(|(call, record, _)| Some(*call) == task || !is_known(record)) {
            tasks.slice = Slice::begin(None, task);
        }
    }
}

/// Whether somebody waits for the event or reads what comes, or has gone away before the end.
fn is_known(record: &EventRecord) -> bool {
    record.is_present() || record.is_abandoned()
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Uses up this much of the thread's processor time.
#[cfg(test)]
pub(super) fn compute(time: Duration) {
    let began = thread_cpu_time();
    while thread_cpu_time().saturating_sub(began) < time {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(meter: &CpuMeter) -> wasmtime::Result<UpdateDeadline> {
        meter.tick(std::iter::empty())
    }

    fn meter(cpu_time: u64) -> CpuMeter {
        CpuMeter::new(&Limits { cpu_time: Duration::from_millis(cpu_time), ..Limits::default() })
    }

    /// The guest is made to yield.
    fn yields(meter: &CpuMeter) {
        assert!(matches!(tick(meter), Ok(UpdateDeadline::Yield(1))));
        assert_eq!(meter.state.returned(), Returned::Interrupted(None));
        assert_eq!(meter.state.returned(), Returned::Rested, "it hasn't run since");
    }

    #[test]
    fn a_busy_guest_is_ended_and_a_waiting_one_is_not() {
        let meter = meter(50);
        // The first look only starts a measurement.
        assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
        meter.state.returned();
        std::thread::sleep(Duration::from_millis(60));
        assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))), "it had waited");
        compute(Duration::from_millis(60));
        let error = tick(&meter).err().expect("it has run without a pause");
        assert!(error.downcast_ref::<CpuTimeExceeded>().is_some());
        assert!(meter.state.fate.is(Fate::CPU_TIME_EXCEEDED));
    }

    #[test]
    fn a_guest_that_waits_before_it_must_yield_is_metered_too() {
        let meter = meter(10);
        for _ in 0..3 {
            assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
            compute(Duration::from_millis(4));
            meter.state.returned();
        }
        assert!(tick(&meter).is_err(), "three times four milliseconds");
    }

    #[test]
    fn what_a_guest_uses_in_its_turns_is_metered_and_what_it_waits_for_them_is_not() {
        let meter = meter(50);
        assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
        for _ in 0..4 {
            compute(Duration::from_millis(10));
            yields(&meter);
            // Whoever computes on its thread meanwhile isn't it.
            compute(Duration::from_millis(10));
            meter.state.goes_on(None);
            // The clock ticks whenever it does.
            assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
        }
        compute(Duration::from_millis(20));
        assert!(tick(&meter).is_err(), "forty milliseconds are allowed, and sixty are not");
    }

    #[test]
    fn a_guest_that_yields_before_it_must_is_metered_from_then_on() {
        let meter = meter(5);
        let mut result = tick(&meter);
        for _ in 0..5 * 4 {
            assert!(matches!(result, Ok(UpdateDeadline::Continue(1))));
            compute(A_MOMENT / 4);
            assert_eq!(meter.state.returned(), Returned::Computed(None));
            meter.state.resumes(None);
            result = tick(&meter);
        }
        assert!(result.is_err(), "twenty times a quarter of a millisecond");
    }

    #[test]
    fn a_poll_in_which_another_event_may_run_is_not_metered_from_the_start() {
        let meter = meter(50);
        let poll = |task| {
            meter.state.resumes(task);
            compute(A_MOMENT);
            meter.state.returned()
        };
        assert_eq!(poll(None), Returned::Computed(None));
        let record = Arc::new(EventRecord::new(EventContext::default()));
        meter.state.begin(EventCall::Only, &record);
        assert_eq!(poll(Some(EventCall::Only)), Returned::Computed(Some(EventCall::Only)));
        assert_eq!(poll(None), Returned::Rested);
        record.served();
        assert_eq!(poll(None), Returned::Computed(None));
    }

    #[test]
    fn a_guest_that_yielded_once_and_waits_from_then_on_uses_nothing() {
        let meter = meter(50);
        assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
        compute(Duration::from_millis(10));
        yields(&meter);
        meter.state.goes_on(None);
        assert_eq!(meter.state.returned(), Returned::Rested);
        for _ in 0..20 {
            // It waits while others compute.
            compute(Duration::from_millis(5));
            assert!(matches!(tick(&meter), Ok(UpdateDeadline::Continue(1))));
            assert_eq!(meter.state.returned(), Returned::Rested);
        }
    }

    #[test]
    fn an_instance_rests_while_its_last_response_is_read_and_not_in_the_next_event() {
        let state = MeterState::default();
        let begin = || {
            let record = Arc::new(EventRecord::new(EventContext::default()));
            state.begin(EventCall::Only, &record);
            record
        };
        let read = begin();
        assert!(state.lingers(), "somebody reads the response");
        assert!(!state.rests());
        state.rest();
        assert!(state.rests(), "whoever reads it");
        begin().served();
        assert!(!state.rests());
        read.served();
        assert!(!state.lingers());
    }
}
