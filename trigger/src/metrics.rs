//! What a trigger counts: for each component its events, their failures and durations, and the instances that live; and
//! the memory of the process.
//!
//! Counts belong to the process and to a component's name: a new generation of the app goes on with those of the old one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use spin_app_model::ComponentId;
use spin_app_model::launch::metrics::{self, Metric, MetricError, MetricName};
use spin_component_runtime::Component;
use tracing::Instrument;

use crate::counter::Counters;

/// The bounds of the buckets in seconds: those that Prometheus' own clients have.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// All counts of the process. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Metrics {
    components: Arc<Mutex<BTreeMap<ComponentId, Counted>>>,
    /// What the trigger itself counts besides.
    pub(crate) counters: Counters,
}

#[derive(Default)]
struct Counted {
    counts: Arc<Counts>,
    /// The component in each generation that still has instances or may get some.
    generations: Vec<Weak<Component>>,
}

#[derive(Default)]
struct Counts {
    events: AtomicU64,
    failures: AtomicU64,
    /// How many events took as long as a bound at most, but longer than the one before it.
    buckets: [AtomicU64; BOUNDS.len()],
    nanoseconds: AtomicU64,
}

impl Metrics {
    /// Counts the instances of `components` too, for as long as they exist.
    pub(crate) fn watch<'a>(&self, components: impl Iterator<Item = &'a Arc<Component>>) {
        let mut all = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        for component in components {
            let counted = all.entry(component.id().clone()).or_default();
            counted.generations.retain(|earlier| earlier.strong_count() > 0);
            counted.generations.push(Arc::downgrade(component));
        }
    }

    /// The events of the component `id`.
    pub(crate) fn events(&self, id: &ComponentId) -> Events {
        let mut all = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        Events { component: id.clone(), counts: Arc::clone(&all.entry(id.clone()).or_default().counts) }
    }

    /// What has been counted up to now.
    pub(crate) fn collect(&self) -> Vec<Metric> {
        let mut collected = Vec::new();
        {
            let all = self.components.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, counted) in &*all {
                let live = counted.generations.iter().filter_map(Weak::upgrade).map(|one| one.live_instances()).sum();
                let of_component = counted.counts.metrics(live);
                collected.extend(of_component.map(|metric| metric.with_label(label("component"), id.as_str())));
            }
        }
        collected.extend(self.counters.collect());
        collected.extend(resident_memory().and_then(|bytes| Metric::gauge(name(metrics::MEMORY), bytes).ok()));
        collected
    }
}

impl Counts {
    #[allow(clippy::cast_precision_loss, reason = "a count beyond 2^53 may lose its last digits")]
    fn metrics(&self, live: usize) -> impl Iterator<Item = Metric> + use<> {
        let mut below = 0;
        let buckets: Vec<(f64, u64)> = BOUNDS
            .iter()
            .zip(&self.buckets)
            .map(|(bound, count)| {
                below += count.load(Ordering::Relaxed);
                (*bound, below)
            })
            .collect();
        // Read after the buckets, so that it holds at least what they do.
        let events = self.events.load(Ordering::Acquire).max(below);
        let seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        let made: [Result<Metric, MetricError>; 4] = [
            Metric::counter(name(metrics::EVENTS), events as f64),
            Metric::counter(name(metrics::EVENT_FAILURES), self.failures.load(Ordering::Relaxed) as f64),
            Metric::histogram(name(metrics::EVENT_DURATION), buckets, seconds, events),
            Metric::gauge(name(metrics::LIVE_INSTANCES), live as f64),
        ];
        made.into_iter().flatten()
    }
}

fn name(text: &str) -> MetricName {
    text.parse().expect("the names of our own metrics are valid")
}

fn label(text: &str) -> metrics::LabelName {
    text.parse().expect("the names of our own labels are valid")
}

/// The events of one component, to be counted and told about. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    component: ComponentId,
    counts: Arc<Counts>,
}

impl Events {
    /// An event has come. It counts when what is returned is dropped.
    pub fn begin(&self) -> Event {
        Event { counts: Arc::clone(&self.counts), began: Instant::now(), failed: false }
    }

    /// Handles an event: counts it, with its duration and as a failure if `call` says so, and runs the call in a span that
    /// names the component.
    ///
    /// # Errors
    /// The call's.
    pub async fn handle<R, E>(&self, call: impl Future<Output = Result<R, E>>) -> Result<R, E> {
        let mut event = self.begin();
        let result = call.instrument(tracing::info_span!("event", component = %self.component)).await;
        if result.is_err() {
            event.failed();
        }
        result
    }
}

/// An event that is being handled. It ends when this is dropped.
pub struct Event {
    counts: Arc<Counts>,
    began: Instant,
    failed: bool,
}

impl Event {
    /// It can't be handled, or not to its end.
    pub fn failed(&mut self) {
        self.failed = true;
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.counts.failures.fetch_add(u64::from(self.failed), Ordering::Relaxed);
        self.counts.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.counts.events.fetch_add(1, Ordering::Release);
    }
}

/// How much memory of this process is in memory, in bytes; none where the system doesn't tell.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    kibibytes.parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use spin_app_model::launch::metrics::prometheus_text;

    use super::*;

    #[tokio::test]
    async fn events_are_counted_with_their_failures_and_durations() {
        let metrics = Metrics::default();
        let events = metrics.events(&"one".parse().expect("an id"));
        assert_eq!(events.handle(async { Ok::<_, ()>(1) }).await, Ok(1));
        assert_eq!(events.handle(async { Err::<(), _>(2) }).await, Err(2));
        drop(metrics.events(&"one".parse().expect("an id")).begin());
        let text = prometheus_text(&metrics.collect());
        for line in [
            "spin_events_total{component=\"one\"} 3\n",
            "spin_event_failures_total{component=\"one\"} 1\n",
            "spin_event_duration_seconds_bucket{component=\"one\",le=\"10\"} 3\n",
            "spin_event_duration_seconds_count{component=\"one\"} 3\n",
            "spin_live_instances{component=\"one\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn an_event_counts_when_it_ends() {
        let metrics = Metrics::default();
        let events = metrics.events(&"one".parse().expect("an id"));
        let event = events.begin();
        assert!(prometheus_text(&metrics.collect()).contains("spin_events_total{component=\"one\"} 0\n"));
        drop(event);
        assert!(prometheus_text(&metrics.collect()).contains("spin_events_total{component=\"one\"} 1\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_memory_of_the_process_is_known() {
        assert!(resident_memory().is_some_and(|bytes| bytes > 1e5));
    }
}
