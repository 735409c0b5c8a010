//! A metric as it is on the channel: a flat object whose `type` says which members belong to it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Histogram, LabelName, MetricError, MetricName, MetricValue};

/// The types that there are.
pub(super) const TYPES: [&str; 3] = ["counter", "gauge", "histogram"];

/// One thing that is counted or measured since the process started, with what distinguishes it from others of its name.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Metric {
    /// How much there was: never negative, never falling.
    Counter(Number),
    /// How much there is now.
    Gauge(Number),
    /// How values are distributed.
    Histogram(Distribution),
}

/// The members of a counter and of a gauge.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Number {
    name: MetricName,
    #[serde(default)]
    labels: BTreeMap<LabelName, String>,
    value: f64,
}

/// The members of a histogram.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Distribution {
    name: MetricName,
    #[serde(default)]
    labels: BTreeMap<LabelName, String>,
    /// Pairs of an upper bound, rising, and how many values were at most that much.
    buckets: Vec<(f64, u64)>,
    sum: f64,
    count: u64,
}

impl From<super::Metric> for Metric {
    fn from(metric: super::Metric) -> Self {
        let super::Metric { name, labels, value } = metric;
        match value {
            MetricValue::Counter(value) => Self::Counter(Number { name, labels, value }),
            MetricValue::Gauge(value) => Self::Gauge(Number { name, labels, value }),
            MetricValue::Histogram(Histogram { buckets, sum, count }) => {
                Self::Histogram(Distribution { name, labels, buckets, sum, count })
            }
        }
    }
}

impl TryFrom<Metric> for super::Metric {
    type Error = MetricError;

    fn try_from(metric: Metric) -> Result<Self, MetricError> {
        let (name, labels, value) = match metric {
            Metric::Counter(Number { name, labels, value }) => (name, labels, MetricValue::Counter(value)),
            Metric::Gauge(Number { name, labels, value }) => (name, labels, MetricValue::Gauge(value)),
            Metric::Histogram(Distribution { name, labels, buckets, sum, count }) => {
                (name, labels, MetricValue::Histogram(Histogram { buckets, sum, count }))
            }
        };
        Ok(Self { labels, ..Self::checked(name, value)? })
    }
}
