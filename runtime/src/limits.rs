//! What one instance may use (memory, table elements, processor time), and what its events are told of it.

mod cpu;
mod turns;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use wasmtime::ResourceLimiter;

use crate::http::EventContext;

pub use cpu::CpuTimeExceeded;
pub(crate) use cpu::{Audience, CpuMeter, EventCall, MeterState};
pub(crate) use turns::InTurn;

/// Processor time that an event may use unless set otherwise.
pub const DEFAULT_CPU_TIME: Duration = Duration::from_secs(10);

/// Limits of every instance of a trigger process.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Processor time of one event. Default: [`DEFAULT_CPU_TIME`].
    pub cpu_time: Duration,
    /// Bytes of all linear memories and tables of an instance together. Default: no limit but the
    /// four gigabytes of a memory.
    pub memory: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu_time: DEFAULT_CPU_TIME, memory: None }
    }
}

/// What became of an instance, told to the events that were in it.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    how: AtomicU8,
    ended: Notify,
    /// Somebody who waited for one of its events went away.
    lost: AtomicBool,
    /// The guest has nothing to do any more, but somebody still reads what it said.
    lingers: AtomicBool,
    left: Arc<Notify>,
}

impl Fate {
    const ALIVE: u8 = 0;
    const TRAPPED: u8 = 1;
    const CPU_TIME_EXCEEDED: u8 = 2;

    /// Only the first end counts.
    fn end(&self, how: u8) {
        let _ = self.how.compare_exchange(Self::ALIVE, how, Ordering::AcqRel, Ordering::Acquire);
        self.ended.notify_waiters();
    }

    /// Somebody goes away who waited for one of the instance's events.
    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
        self.left.notify_one();
    }

    fn has_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    fn is(&self, how: u8) -> bool {
        self.how.load(Ordering::Acquire) == how
    }

    /// Waits for the end.
    async fn ended(&self) {
        let mut ended = pin!(self.ended.notified());
        ended.as_mut().enable();
        if self.is(Self::ALIVE) {
            ended.await;
        }
    }
}

/// One event's share in what its instance does; kept by whoever waits for the event.
#[derive(Debug)]
pub(crate) struct EventRecord {
    context: EventContext,
    exceeded_cpu_time: AtomicBool,
    trapped: AtomicBool,
    responded: AtomicBool,
    waiter: AtomicU8,
    fate: OnceLock<Arc<Fate>>,
}

impl EventRecord {
    /// Somebody waits for the response, or reads it.
    const PRESENT: u8 = 0;
    /// They have all of it, or know that there is none.
    const SERVED: u8 = 1;
    /// They went away before.
    const GONE: u8 = 2;

    pub(crate) fn new(context: EventContext) -> Self {
        Self {
            context,
            exceeded_cpu_time: AtomicBool::new(false),
            trapped: AtomicBool::new(false),
            responded: AtomicBool::new(false),
            waiter: AtomicU8::new(Self::PRESENT),
            fate: OnceLock::new(),
        }
    }

    /// What the requests inherit that this event causes.
    pub(crate) fn context(&self) -> &EventContext {
        &self.context
    }

    /// This event passed its processor time.
    pub(crate) fn exceeded_cpu_time(&self) -> bool {
        self.exceeded_cpu_time.load(Ordering::Acquire)
    }

    /// This event made its instance trap, or can't be told from the one that did.
    pub(crate) fn trapped(&self) -> bool {
        self.trapped.load(Ordering::Acquire)
    }

    /// The head of the response is there; whoever keeps this record reads the body.
    pub(crate) fn responded(&self) {
        self.responded.store(true, Ordering::Release);
    }

    pub(crate) fn has_responded(&self) -> bool {
        self.responded.load(Ordering::Acquire)
    }

    /// Kept by whoever waits for the response. Dropping it says that nobody does any more.
    pub(crate) fn waiting(self: &Arc<Self>) -> Waiting {
        Waiting(Some(Arc::clone(self)))
    }

    /// Whoever waited for the response has all of it, or knows that there is none.
    pub(crate) fn served(&self) {
        self.no_longer_present(Self::SERVED);
    }

    /// Nobody waits for the response any more, or for the rest of it.
    pub(crate) fn abandon(&self) {
        self.no_longer_present(Self::GONE);
    }

    /// Only the first reason counts.
    fn no_longer_present(&self, why: u8) {
        let changed = self.waiter.compare_exchange(Self::PRESENT, why, Ordering::AcqRel, Ordering::Acquire);
        let Some(fate) = self.fate.get().filter(|_| changed.is_ok()) else { return };
        if why == Self::GONE {
            fate.lose();
        } else if fate.has_lost() || fate.lingers.load(Ordering::Acquire) {
            // Perhaps this was the last one.
            fate.left.notify_one();
        }
    }

    pub(crate) fn is_present(&self) -> bool {
        self.waiter.load(Ordering::Acquire) == Self::PRESENT
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.waiter.load(Ordering::Acquire) == Self::GONE
    }

    /// Waits until it is known who was to blame for the end of the instance that served this event.
    pub(crate) async fn instance_has_ended(&self) {
        if let Some(fate) = self.fate.get() {
            fate.ended().await;
        }
    }

    /// The instance that served this event came to a bad end, whoever was to blame.
    pub(crate) fn instance_is_broken(&self) -> bool {
        self.fate.get().is_some_and(|fate| !fate.is(Fate::ALIVE))
    }
}

/// Somebody waits for the response of an event.
#[derive(Debug)]
pub(crate) struct Waiting(Option<Arc<EventRecord>>);

impl Waiting {
    /// The response is there, or the reason why there is none.
    pub(crate) fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(record) = &self.0 {
            record.abandon();
        }
    }
}

/// Counts the bytes of all memories and tables of one instance.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    limit: Option<usize>,
    used: usize,
}

impl MemoryMeter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limit: limits.memory, used: 0 }
    }

    fn grow(&mut self, by: usize) -> bool {
        let used = self.used.saturating_add(by);
        let fits = self.limit.is_none_or(|limit| used <= limit);
        if fits {
            self.used = used;
        }
        fits
    }
}

/// A table element is a pointer to the host.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let mut meter = MemoryMeter::new(&Limits { memory: Some(1000), ..Limits::default() });
        assert!(meter.memory_growing(0, 600, None).expect("no trap"));
        assert!(!meter.memory_growing(600, 1200, None).expect("no trap"));
        assert!(meter.table_growing(0, 50, None).expect("no trap"));
        assert!(!meter.table_growing(50, 51, None).expect("no trap"));
    }
}
