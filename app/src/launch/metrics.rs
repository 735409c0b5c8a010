//! What a trigger counts: metrics as they are in a `status` message, and as a text that Prometheus reads.
//!
//! A [`Metric`] can only be made with a name, labels and values that Prometheus takes, whether a program makes it or it
//! comes over the control channel. So [`prometheus_text`] has nothing left to refuse.
//!
//! ```
//! use spin_app_model::launch::metrics::{Metric, prometheus_text};
//!
//! let metric = Metric::counter("spin_events_total".parse()?, 12.0)?.with_label("component".parse()?, "hello");
//! let text = prometheus_text([&metric]);
//! assert!(text.ends_with("# TYPE spin_events_total counter\nspin_events_total{component=\"hello\"} 12\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod name;
mod prometheus;
mod wire;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use name::{InvalidMetricName, LabelName, MetricName};
pub use prometheus::{CONTENT_TYPE, prometheus_text};

/// Events that were handled, those that failed among them. By component.
pub const EVENTS: &str = "spin_events_total";

/// Events that failed. By component.
pub const EVENT_FAILURES: &str = "spin_event_failures_total";

/// How long events took. By component.
pub const EVENT_DURATION: &str = "spin_event_duration_seconds";

/// Instances of components that exist now. By component.
pub const LIVE_INSTANCES: &str = "spin_live_instances";

/// Resident memory of the trigger's process.
pub const MEMORY: &str = "spin_memory_bytes";

/// 1 if a trigger runs and answers, else 0. Made by the host.
pub const TRIGGER_UP: &str = "spin_trigger_up";

/// How often a trigger was started anew. Made by the host.
pub const TRIGGER_RESTARTS: &str = "spin_trigger_restarts_total";

/// Reloads of the app, by `outcome`. Made by the host.
pub const RELOADS: &str = "spin_reloads_total";

/// One thing that is counted or measured, with what distinguishes it from others of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "wire::Metric", into = "wire::Metric")]
pub struct Metric {
    name: MetricName,
    labels: BTreeMap<LabelName, String>,
    value: MetricValue,
}

/// What a metric says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// How much there was since the process started: finite, never negative, never falling.
    Counter(f64),
    /// How much there is now: finite.
    Gauge(f64),
    /// How values are distributed.
    Histogram(Histogram),
}

/// How many values were observed, and how many of them up to some bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    buckets: Vec<(f64, u64)>,
    sum: f64,
    count: u64,
}

/// Why values are not those of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metric {name}: {reason}")]
#[non_exhaustive]
pub struct MetricError {
    /// The name of the metric.
    pub name: MetricName,
    /// What is wrong.
    pub reason: &'static str,
}

impl MetricError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        "metric::value"
    }
}

impl Metric {
    /// How much there was since the process started.
    ///
    /// # Errors
    ///
    /// When the value is negative or not finite.
    pub fn counter(name: MetricName, value: f64) -> Result<Self, MetricError> {
        Self::checked(name, MetricValue::Counter(value))
    }

    /// How much there is now.
    ///
    /// # Errors
    ///
    /// When the value is not finite.
    pub fn gauge(name: MetricName, value: f64) -> Result<Self, MetricError> {
        Self::checked(name, MetricValue::Gauge(value))
    }

    /// How values are distributed: how many were observed up to each bound, those of lower bounds among them, the sum
    /// of all values, and how many there are.
    ///
    /// # Errors
    ///
    /// When a number is not finite, bounds don't rise, or counts fall or exceed `count`.
    pub fn histogram(name: MetricName, buckets: Vec<(f64, u64)>, sum: f64, count: u64) -> Result<Self, MetricError> {
        Self::checked(name, MetricValue::Histogram(Histogram { buckets, sum, count }))
    }

    fn checked(name: MetricName, value: MetricValue) -> Result<Self, MetricError> {
        match value.fault() {
            Some(reason) => Err(MetricError { name, reason }),
            None => Ok(Self { name, labels: BTreeMap::new(), value }),
        }
    }

    /// The same with a label, in the place of one of that name.
    #[must_use]
    pub fn with_label(mut self, name: LabelName, value: impl Into<String>) -> Self {
        self.labels.insert(name, value.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &MetricName {
        &self.name
    }

    /// What distinguishes it from others of its name.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<LabelName, String> {
        &self.labels
    }

    /// What it says.
    #[must_use]
    pub fn value(&self) -> &MetricValue {
        &self.value
    }

    /// Whether a metric that came over the channel is of a type that this version does not know.
    pub(crate) fn is_of_unknown_type(metric: &serde_json::Value) -> bool {
        let kind = metric.get("type").and_then(serde_json::Value::as_str);
        kind.is_some_and(|kind| !wire::TYPES.contains(&kind))
    }
}

impl MetricValue {
    fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Counter(value) | Self::Gauge(value) if !value.is_finite() => Some("the value is not finite"),
            Self::Counter(value) if *value < 0.0 => Some("a counter can't be negative"),
            Self::Counter(_) | Self::Gauge(_) => None,
            Self::Histogram(histogram) => histogram.fault(),
        }
    }
}

impl Histogram {
    /// Bounds, rising, and how many values were at most that much.
    #[must_use]
    pub fn buckets(&self) -> &[(f64, u64)] {
        &self.buckets
    }

    /// The sum of all values.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    fn fault(&self) -> Option<&'static str> {
        let pairs = || self.buckets.iter().zip(self.buckets.iter().skip(1));
        let last = self.buckets.last().map_or(0, |(_, count)| *count);
        if !self.sum.is_finite() || self.buckets.iter().any(|(bound, _)| !bound.is_finite()) {
            return Some(
                "the sum and the bounds must be finite; there is no bucket for all values, for that is the count",
            );
        }
        if pairs().any(|((lower, _), (higher, _))| lower >= higher) {
            return Some("the bounds of the buckets must rise");
        }
        if pairs().any(|((_, fewer), (_, more))| fewer > more) || last > self.count {
            return Some("a bucket holds the values of those before it too, and the count holds all");
        }
        None
    }
}

#[cfg(test)]
mod tests;
